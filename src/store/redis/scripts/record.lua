-- What the scripts share, put in front of each: the app's record and its checks.
-- What a person or another program has spoilt counts as no record at all.

-- A whole number that a Lua number holds exactly.
local function whole(text)
  if text and #text <= 15 and string.match(text, '^%d+$') then
    return tonumber(text)
  end
end

local function type_of(key)
  return redis.call('TYPE', key).ok
end

-- Epoch, seq and floor of a record made under this replication id; nothing if there is none.
local function read_record(gen, replid)
  if type_of(gen) ~= 'hash' then
    return
  end
  local record = redis.call('HMGET', gen, 'epoch', 'replid', 'seq', 'floor')
  local epoch, seq, floor = record[1], whole(record[3]), whole(record[4])
  local sound = epoch and #epoch == 16 and string.match(epoch, '^[0-9a-f]+$')
  if sound and record[2] == replid and seq and floor then
    return epoch, seq, floor
  end
end

-- Starts the record anew: nothing that carries an older token is valid any more.
local function reset_record(gen, replid, epoch)
  redis.call('DEL', gen)
  redis.call('HSET', gen, 'epoch', epoch, 'replid', replid, 'seq', '0', 'floor', '0')
end

-- The field that has a tag's last invalidation, and for one that may be taken out of the list what counts in its place:
-- the field of its route, or the floor. As `layout::field` and `Tag::heir` have it.
local function field(tag)
  local kind, text = string.match(tag, '^(%a):(.*)$')
  if tag == '*' then
    return 'floor'
  elseif kind == 'r' then
    return 'f:' .. text
  elseif kind == 'd' or kind == 'a' or kind == 'o' then
    return 'f:' .. tag
  end
  local route = (kind == 'p' or kind == 'k' or kind == 'w') and string.match(text, '^([^ ]*) ')
  return 't:' .. tag, route and 'f:' .. route or 'floor'
end

-- Runs `work` on the fields of at most 500 tags at a time: Lua passes no more than some thousand arguments.
local function by_chunk(tags, work)
  for first = 1, #tags, 500 do
    local names = {}
    for i = first, math.min(first + 499, #tags) do
      names[#names + 1] = (field(tags[i]))
    end
    if work(names) then
      return true
    end
  end
  return false
end

-- Whether one of the tags was invalidated after this point.
local function invalidated_after(gen, tags, seq)
  return by_chunk(tags, function(names)
    for _, last in ipairs(redis.call('HMGET', gen, unpack(names))) do
      if last and (whole(last) or math.huge) > seq then
        return true
      end
    end
  end)
end
