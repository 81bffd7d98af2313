-- What the scripts share, put in front of each: the app's record and its checks. Here and in all of them `record_key`,
-- `replid` and the other names that are declared nowhere are keys and arguments, as `scripts.rs` lists them.
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

-- Epoch, seq and floor of a record made under this replication id, and how many tags it lists, about; nothing if there is
-- none.
local function read_record()
  if type_of(record_key) ~= 'hash' then
    return
  end
  local record = redis.call('HMGET', record_key, 'epoch', 'replid', 'seq', 'floor', 'listed')
  local epoch, seq, floor = record[1], whole(record[3]), whole(record[4])
  local sound = epoch and #epoch == 16 and string.match(epoch, '^[0-9a-f]+$')
  if sound and record[2] == replid and seq and floor then
    return epoch, seq, floor, whole(record[5])
  end
end

-- Starts the record anew: nothing that carries an older token, or another epoch, is valid any more.
local function reset_record(epoch, seq)
  redis.call('DEL', record_key)
  redis.call('HSET', record_key, 'epoch', epoch, 'replid', replid, 'seq', seq, 'floor', seq, 'listed', '0')
end

-- The field that has a tag's last invalidation, and for one that may be taken out of the list the field of what counts in
-- its place: its route, or everything. As `layout::field` and `Tag::heir` have it.
local function field(tag)
  if tag == '*' then
    return 'floor'
  end
  local kind, text = string.match(tag, '^(%a):(.*)$')
  if kind == 'r' then
    return 'f:' .. text
  elseif kind == 'd' or kind == 'a' or kind == 'o' then
    return 'f:' .. tag
  elseif kind == 'p' or kind == 'k' or kind == 'x' or kind == 'y' or kind == 'w' then
    local route = string.match(text, '^([^ ]*) ')
    if route then
      return 't:' .. tag, kind == 'w' and 'f:w:' .. route or 'f:' .. route
    elseif kind == 'w' then
      return 'f:' .. tag
    end
  end
  return 't:' .. tag, 'floor'
end

-- Runs `work` on at most 500 at a time: Lua passes no more than some thousand arguments.
local function by_chunk(list, work)
  if #list <= 500 then
    return #list > 0 and work(list) or false
  end
  for first = 1, #list, 500 do
    local chunk = {}
    for i = first, math.min(first + 499, #list) do
      chunk[#chunk + 1] = list[i]
    end
    if work(chunk) then
      return true
    end
  end
  return false
end

-- Whether one of the tags was invalidated after this point. Of a tag that is listed no longer its heir tells.
local function invalidated_after(tags, seq)
  local names, known = {}, { floor = true }
  for i = 1, #tags do
    local own, heir = field(tags[i])
    if not known[own] then
      known[own], names[#names + 1] = true, own
    end
    if heir and not known[heir] then
      known[heir], names[#names + 1] = true, heir
    end
  end
  return by_chunk(names, function(chunk)
    for _, last in ipairs(redis.call('HMGET', record_key, unpack(chunk))) do
      if last and (whole(last) or math.huge) > seq then
        return true
      end
    end
  end)
end
