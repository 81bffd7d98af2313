-- What the scripts share, put in front of each: the app's record and its checks. Here and in all of them `record_key`,
-- `replid` and the other names that are declared nowhere are keys and arguments, as `scripts.rs` lists them.
-- What a person or another program has spoilt counts as no record at all.

-- A whole number that a Lua number holds exactly.
local function whole(text)
  if text and #text <= 15 and string.match(text, '^%d+$') then
    return tonumber(text)
  end
end

-- The same as text.
local function digits(number)
  return string.format('%.0f', number)
end

-- The server's time in milliseconds.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function type_of(key)
  return redis.call('TYPE', key).ok
end

-- What the field of a tag, or the floor, says: at which points of the sequence it was last invalidated and last softly;
-- `12`, `12s15` or `s15`. One that is held, `q<until> <owner>`, is invalidated whatever the point; until when comes third.
-- So is what cannot be read. As `layout::Mark` has it.
local function parse_mark(text)
  local hard = text and whole(text) or not text and 0
  if hard then
    return hard, 0
  end
  local left, right = string.match(text, '^(%d*)s(%d+)$')
  local soft = whole(right)
  hard = left == '' and 0 or whole(left)
  if hard and soft then
    return hard, soft
  end
  return math.huge, math.huge, whole(string.match(text, '^q(%d+) %S+$'))
end

local function write_mark(hard, soft)
  if soft <= hard then
    return digits(hard)
  end
  return (hard > 0 and digits(hard) or '') .. 's' .. digits(soft)
end

-- The record made under this replication id: epoch, seq, what the floor says (hard, soft), how many tags it lists, about
-- (listed), when something that is listed elsewhere is due (due), and whether nodes have different rules (mixed); nothing if
-- there is none.
local function read_record()
  if type_of(record_key) ~= 'hash' then
    return
  end
  local found = redis.call('HMGET', record_key, 'epoch', 'replid', 'seq', 'floor', 'listed', 'due', 'mixed')
  local epoch, seq = found[1], whole(found[3])
  local hard, soft, ends = parse_mark(found[4])
  local sound = epoch and #epoch == 16 and string.match(epoch, '^[0-9a-f]+$') and found[4] and (hard < math.huge or ends)
  if sound and found[2] == replid and seq then
    return { epoch = epoch, seq = seq, hard = hard, soft = soft, listed = whole(found[5]), due = whole(found[6]),
      mixed = found[7] == '1' }
  end
end

-- The field that has a tag's last invalidation, and for one that may be taken out of the list the field of what counts in
-- its place: its route, all names, or everything. As `layout::field` and `Tag::heir` have it.
local function field(tag)
  if tag == '*' then
    return 'floor'
  elseif tag == 'names' then
    return 'names'
  end
  local kind, text = string.match(tag, '^(%a):(.*)$')
  if kind == 'r' then
    return 'f:' .. text
  elseif kind == 'd' or kind == 'a' or kind == 'o' or kind == 'i' then
    return 'f:' .. tag
  elseif kind == 'p' or kind == 'k' or kind == 'x' or kind == 'y' or kind == 'w' then
    local route = string.match(text, '^([^ ]*) ')
    if route then
      return 't:' .. tag, kind == 'w' and 'f:w:' .. route or 'f:' .. route
    elseif kind == 'w' then
      return 'f:' .. tag
    end
  elseif kind == 'v' then
    return 't:' .. tag, 'floor'
  end
  return 't:' .. tag, 'names'
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

-- The fields that tell of these tags: their own, and those of what counts in the place of one that is listed no longer. The
-- floor is not among them.
local function fields_of(tags)
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
  return names
end

-- Whether everything, or one of the tags, was invalidated after this point; with `softly` also whether softly.
local function invalidated_after(record, tags, at, softly)
  if record.hard > at or (softly and record.soft > at) then
    return true
  end
  return by_chunk(fields_of(tags), function(chunk)
    for _, text in ipairs(redis.call('HMGET', record_key, unpack(chunk))) do
      if text then
        local hard, soft = parse_mark(text)
        if hard > at or (softly and soft > at) then
          return true
        end
      end
    end
  end)
end

-- Whether everything, or one of the tags, is held. What was to end by now ends here, for somebody may have deleted the list
-- that would have ended it.
local function is_held(tags)
  local names, held = fields_of(tags), false
  names[#names + 1] = 'floor'
  by_chunk(names, function(chunk)
    for i, text in ipairs(redis.call('HMGET', record_key, unpack(chunk))) do
      local _, _, ends = parse_mark(text)
      if ends and ends > clock() then
        held = true
      elseif ends then
        redis.call('HSET', record_key, chunk[i], digits(redis.call('HINCRBY', record_key, 'seq', 1)))
      end
    end
  end)
  return held
end
