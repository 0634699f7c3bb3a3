-- Whether a member's lease runs, by the server's clock.
--
-- KEYS  1 leases (sorted set: member, milliseconds)
-- ARGV  member
local time = redis.call('TIME')
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lease and tonumber(lease) > tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) then
  return 1
end
return 0
