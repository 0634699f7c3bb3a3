-- Some history rows of some instances, in order.
--
-- KEYS  the histories (hashes)
-- ARGV  how many rows at most, after how many bytes to stop, then for each history its first row
--       and its last row
--
-- Answers the position of the history to go on with (-1 at the end) and the row in it, then for
-- each row the position of its history, its number and its value.
local limit, budget = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer, count, bytes = { -1, 0 }, 0, 0

-- Short histories are read whole, which is one call.
local SHORT = 12

local function digits(number)
  return string.format('%.0f', number)
end

local function short(key, first, last)
  local numbers, values = {}, {}
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local row = tonumber(flat[i])
    if row and row >= first and row <= last then
      numbers[#numbers + 1] = row
      values[row] = flat[i + 1]
    end
  end
  table.sort(numbers)
  return numbers, values
end

-- With a head and no gaps the numbers are known; a history may be too long to list them each time.
local function long(key, first, last, length)
  local numbers = {}
  local head = redis.call('HGET', key, 'h')
  head = head and tonumber(string.match(head, '^%d+'))
  if head and length == head + 2 then
    for row = first, math.min(last, head, first + limit - count) do
      numbers[#numbers + 1] = row
    end
    return numbers, {}
  end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local row = tonumber(field)
    if row and row >= first and row <= last then
      numbers[#numbers + 1] = row
    end
  end
  table.sort(numbers)
  return numbers, {}
end

for i, key in ipairs(KEYS) do
  local first, last = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  local length = redis.call('HLEN', key)
  local read = length <= SHORT and short or long
  local numbers, values = read(key, first, last, length)
  for _, row in ipairs(numbers) do
    if count >= limit or bytes > budget then
      answer[1] = i - 1
      answer[2] = row
      return answer
    end
    local value = values[row] or redis.call('HGET', key, digits(row))
    count = count + 1
    bytes = bytes + #value
    answer[#answer + 1] = i - 1
    answer[#answer + 1] = row
    answer[#answer + 1] = value
  end
end
return answer
