-- Gives a partition to a member, if its owner and epoch are still those that the caller has seen
-- (and found free, or the owner's lease run out).
--
-- KEYS  1 the partition
-- ARGV  epoch and owner as seen ('0', '' for none), member, token of the claim
--
-- Answers the new epoch and the last owner other than the member ('' for none), or nothing when the
-- partition has changed.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'last', 'other', 'commit', 'by')
if (state[1] or '0') ~= ARGV[1] or (state[2] or '') ~= ARGV[2] then
  return false
end
local epoch = string.format('%.0f', tonumber(ARGV[1]) + 1)
local other = state[4] or ''
if state[3] and state[3] ~= ARGV[3] then
  other = state[3]
end
-- Removing first is allowed to a server that is out of memory, and what follows it, too: a
-- partition finds an owner even then.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'owner', ARGV[3], 'last', ARGV[3], 'other', other,
  'token', ARGV[4])
if state[5] then
  redis.call('HSET', KEYS[1], 'commit', state[5], 'by', state[6])
end
return { epoch, other }
