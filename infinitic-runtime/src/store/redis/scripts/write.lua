-- Writes one commit of a partition. A script is not rolled back: all is checked before the first
-- write, so that what follows it cannot fail.
--
-- KEYS  1 the partition, 2 its instances (sorted set), then for each table a hash of rows and a
--       sorted set of keys, then the history of each instance with a new row, then the history of
--       each instance whose rows are removed
-- ARGV  epoch, token ('' when unknown), commit (20 digits), number of new rows, of removals, of
--       tables; for each new row: its number, the head before it, the head that it makes, the
--       commit of the row before it, commit and value; for each removal: how many, their numbers;
--       for each table: how many puts, key and value of each, how many removals, their keys
--
-- Answers the positions of the rows that lost, or nothing when the partition is not the caller's.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'token', 'commit', 'by')

-- Numbers of a script are doubles: half of the digits at a time.
local function age(commit, other)
  for from = 1, 11, 10 do
    local one = tonumber(string.sub(commit, from, from + 9))
    local two = tonumber(string.sub(other, from, from + 9))
    if one ~= two then
      return one - two
    end
  end
  return 0
end

-- The last commit once more. After a failover two claims may have the same epoch, and their commits
-- the same numbers: tokens tell them apart.
local repeated = state[4] == ARGV[3] and (ARGV[2] == '' or state[5] == '' or ARGV[2] == state[5])
if not repeated then
  if state[1] ~= ARGV[1] or not state[2] then
    return false
  end
  if ARGV[2] ~= '' and state[3] ~= ARGV[2] then
    return false
  end
  if state[4] and age(ARGV[3], state[4]) <= 0 then
    return false
  end
end

local rows, removals, tables = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local first_row = 3 + 2 * tables
local first_removal = first_row + rows

-- The head, `row.commit` of the last row, is there only while that row is the last; without it, or
-- when it is another, the rows themselves tell.
local function again(key, row, own, value)
  if redis.call('HGET', key, 'h') == own then
    return 'same'
  end
  local have = redis.call('HGET', key, row)
  return have and string.sub(have, 1, 8) == string.sub(value, 1, 8) and 'same' or 'lost'
end

local function first_time(key, row, before, after)
  if row == '0' then
    return redis.call('EXISTS', key) == 0 and 'last' or 'lost'
  end
  if redis.call('HGET', key, 'h') == before then
    return 'last'
  end
  if redis.call('HEXISTS', key, row) == 1 then
    return 'lost'
  end
  local previous = redis.call('HGET', key, string.format('%.0f', tonumber(row) - 1))
  return previous and string.sub(previous, 1, 8) == after and 'inner' or 'lost'
end

local verdicts, lost = {}, {}
for i = 1, rows do
  local a, key = 2 + 5 * i, KEYS[first_row + i - 1]
  if repeated then
    verdicts[i] = again(key, ARGV[a], ARGV[a + 2], ARGV[a + 4])
  else
    verdicts[i] = first_time(key, ARGV[a], ARGV[a + 1], ARGV[a + 3])
  end
  if verdicts[i] == 'lost' then
    lost[#lost + 1] = i - 1
  end
end
if repeated then
  return lost
end
-- A key of another type would fail after the first write.
redis.call('ZCARD', KEYS[2])
for i = 3, first_row - 1, 2 do
  redis.call('HLEN', KEYS[i])
  redis.call('ZCARD', KEYS[i + 1])
end
for i = first_removal, #KEYS do
  redis.call('HLEN', KEYS[i])
end

-- Adds members to a sorted set, or removes them, some at a time: a call takes some thousand
-- arguments at most.
local function change(verb, key, members)
  for from = 1, #members, 1000 do
    redis.call(verb, key, unpack(members, from, math.min(from + 999, #members)))
  end
end

local new = {}
for i = 1, rows do
  local a, key = 2 + 5 * i, KEYS[first_row + i - 1]
  if verdicts[i] == 'last' then
    redis.call('HSET', key, ARGV[a], ARGV[a + 4], 'h', ARGV[a + 2])
    if ARGV[a] == '0' then
      new[#new + 1] = 0
      new[#new + 1] = string.sub(key, -16)
    end
  elseif verdicts[i] == 'inner' then
    redis.call('HSET', key, ARGV[a], ARGV[a + 4])
  end
end
change('ZADD', KEYS[2], new)

local gone = {}
local a = 7 + 5 * rows
for i = first_removal, first_removal + removals - 1 do
  local key, count = KEYS[i], tonumber(ARGV[a])
  local head = redis.call('HGET', key, 'h')
  local last = head and string.match(head, '^%d+')
  for j = a + 1, a + count do
    if ARGV[j] == last then
      redis.call('HDEL', key, 'h')
    end
  end
  redis.call('HDEL', key, unpack(ARGV, a + 1, a + count))
  if redis.call('EXISTS', key) == 0 then
    gone[#gone + 1] = string.sub(key, -16)
  end
  a = a + 1 + count
end
change('ZREM', KEYS[2], gone)

for i = 3, first_row - 1, 2 do
  local puts = tonumber(ARGV[a])
  local added, removed = {}, {}
  for j = a + 1, a + 2 * puts, 2 do
    redis.call('HSET', KEYS[i], ARGV[j], ARGV[j + 1])
    added[#added + 1] = 0
    added[#added + 1] = ARGV[j]
  end
  a = a + 1 + 2 * puts
  for j = a + 1, a + tonumber(ARGV[a]) do
    removed[#removed + 1] = ARGV[j]
  end
  a = a + 1 + #removed
  change('ZADD', KEYS[i + 1], added)
  change('HDEL', KEYS[i], removed)
  change('ZREM', KEYS[i + 1], removed)
end

redis.call('HSET', KEYS[1], 'commit', ARGV[3], 'by', ARGV[2])
return lost
