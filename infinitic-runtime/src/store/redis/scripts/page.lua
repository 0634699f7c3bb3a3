-- One page of a table: keys and values of the same moment.
--
-- KEYS  1 rows (hash), 2 keys (sorted set)
-- ARGV  from, to (as ZRANGEBYLEX takes them), how many at most
local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local rows = {}
-- A call takes some thousand arguments at most.
for from = 1, #keys, 1000 do
  local to = math.min(from + 999, #keys)
  local values = redis.call('HMGET', KEYS[1], unpack(keys, from, to))
  for i = from, to do
    rows[#rows + 1] = keys[i]
    rows[#rows + 1] = values[i - from + 1]
  end
end
return rows
