-- Renews a member's lease, forgets members that are long gone, and tells who lives.
--
-- KEYS  1 leases (sorted set: member, milliseconds), 2 what members host (hash), 3 how many parts
--       each workflow name has (hash)
-- ARGV  member, lease in milliseconds, what it hosts in one text, after how many milliseconds a
--       member is forgotten
--
-- Answers the time, the living members with what they host, and each name with the number of its
-- parts.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function digits(number)
  return string.format('%.0f', number)
end
redis.call('ZADD', KEYS[1], digits(now + tonumber(ARGV[2])), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', digits(now - tonumber(ARGV[4])))
for i = 1, #gone do
  redis.call('ZREM', KEYS[1], gone[i])
  redis.call('HDEL', KEYS[2], gone[i])
end
local living = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. digits(now), '+inf')
local members = {}
for i = 1, #living do
  members[2 * i - 1] = living[i]
  members[2 * i] = redis.call('HGET', KEYS[2], living[i]) or ''
end
return { digits(now), members, redis.call('HGETALL', KEYS[3]) }
