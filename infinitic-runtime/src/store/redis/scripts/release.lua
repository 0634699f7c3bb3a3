-- Gives a partition up, if the epoch is the current one.
--
-- KEYS  1 the partition
-- ARGV  epoch
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'owner')
end
return true
