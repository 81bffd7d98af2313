-- How tags are invalidated: put in front of the scripts that do.

-- Some of the tags that are listed, and may be taken out, by the field of what counts in their place: of each such field
-- what it says, and of the tags the fields and when each was invalidated, in any way at all (top) and hard. A script that
-- looked at all of them would hold up everybody for tens of milliseconds. Returns where the next look begins, too.
local function some_by_heir(record, cursor)
  local found = redis.call('HSCAN', record_key, cursor, 'COUNT', 500)
  local heirs, names, fields = {}, {}, found[2]
  for i = 1, #fields, 2 do
    local hard, soft, ends = parse_mark(fields[i + 1])
    -- What is held stays.
    if string.sub(fields[i], 1, 2) == 't:' and not ends then
      local _, heir = field(string.sub(fields[i], 3))
      -- A field that nobody writes has none.
      heir = heir or 'floor'
      local list = heirs[heir]
      if not list then
        list = { heir = heir, hard = 0, top = 0, marks = {} }
        heirs[heir], names[#names + 1] = list, heir
      end
      -- What cannot be read is invalidated up to now.
      hard = math.min(hard, record.seq)
      list.marks[#list.marks + 1] = { name = fields[i], hard = hard, top = math.max(hard, math.min(soft, record.seq)) }
    end
  end
  local lists = {}
  by_chunk(names, function(chunk)
    for i, text in ipairs(redis.call('HMGET', record_key, unpack(chunk))) do
      local list = heirs[chunk[i]]
      local hard, soft = parse_mark(text)
      list.hard, list.top = hard, math.max(hard, soft)
      lists[#lists + 1] = list
    end
  end)
  return lists, found[1]
end

-- Takes those out of the list that say no more than what counts in their place. Returns how many went.
local function drop_covered(list)
  local marks, covered = {}, {}
  for _, mark in ipairs(list.marks) do
    if mark.hard <= list.hard and mark.top <= list.top then
      covered[#covered + 1] = mark.name
    else
      marks[#marks + 1] = mark
    end
  end
  list.marks = marks
  local gone = 0
  by_chunk(covered, function(chunk)
    gone = gone + redis.call('HDEL', record_key, unpack(chunk))
  end)
  return gone
end

-- Raises what counts in place of these tags as far as the older half of them goes: softly, and as hard as the hardest.
local function raise_to_half(list)
  local sorted = {}
  for i, mark in ipairs(list.marks) do
    sorted[i] = mark.top
  end
  table.sort(sorted)
  local middle = sorted[math.floor(#sorted / 2) + 1]
  for _, mark in ipairs(list.marks) do
    if mark.top <= middle then
      list.hard = math.max(list.hard, mark.hard)
    end
  end
  list.top = math.max(list.top, middle)
  redis.call('HSET', record_key, list.heir, write_mark(list.hard, list.top))
end

-- Takes some of the tags that were looked at out of the list: what is covered, and where that is only a few, of those that
-- have most in common the older half, and of the next ones where that is only a few again. Returns how many went.
local function fold_some(lists)
  local gone = 0
  for _, list in ipairs(lists) do
    gone = gone + drop_covered(list)
  end
  table.sort(lists, function(one, other)
    return #one.marks > #other.marks
  end)
  for _, list in ipairs(lists) do
    if gone >= 50 or #list.marks == 0 then
      break
    end
    raise_to_half(list)
    gone = gone + drop_covered(list)
  end
  return gone
end

-- Takes tags out of the list until there are no more than `goal`. A flood of writes to one route costs no other route its
-- entries. Returns how many are listed.
local function fold(record, listed, goal)
  local cursor, rounds = redis.call('HGET', record_key, 'swept') or '0', 0
  if not string.match(cursor, '^%d+$') or #cursor > 19 then
    cursor = '0'
  end
  while listed > goal and rounds < 2 do
    local lists
    lists, cursor = some_by_heir(record, cursor)
    listed = listed - fold_some(lists)
    rounds = rounds + (cursor == '0' and 1 or 0)
  end
  redis.call('HSET', record_key, 'swept', cursor)
  -- Whoever has gone through all of them and not got there was told a wrong number.
  return math.min(listed, goal)
end

-- What a field says after an invalidation; nothing where it is held, which no invalidation ends.
local function raised(text, seq, softly)
  local hard, _, ends = parse_mark(text)
  if ends and ends > clock() then
    return
  end
  -- What cannot be read was invalidated some time before now, and so was what had been held.
  return softly and hard < math.huge and write_mark(hard, seq) or digits(seq)
end

-- Invalidates the tags, with `softly` only so. Returns the seq of the invalidation.
local function invalidate(record, tags, softly)
  local seq = redis.call('HINCRBY', record_key, 'seq', 1)
  record.seq = seq
  local kept, foldable = {}, {}
  for _, tag in ipairs(tags) do
    if tag == '*' and not softly then
      -- Nothing that is listed lies above it.
      local anew = reset_record(record.epoch, seq, record)
      record.hard, record.soft, record.listed, record.due = anew.hard, anew.soft, anew.listed, anew.due
      return seq
    end
    local name, heir = field(tag)
    local list = heir and foldable or kept
    list[#list + 1] = name
  end
  local added = 0
  local function write(names)
    local marks = {}
    for i, text in ipairs(redis.call('HMGET', record_key, unpack(names))) do
      local value = raised(text, seq, softly)
      if value then
        marks[#marks + 1], marks[#marks + 2] = names[i], value
      end
    end
    if #marks > 0 then
      added = added + redis.call('HSET', record_key, unpack(marks))
    end
  end
  by_chunk(kept, write)
  added = 0
  by_chunk(foldable, write)
  if added > 0 or not record.listed then
    local most = tonumber(tag_limit)
    local listed = record.listed and record.listed + added or redis.call('HLEN', record_key)
    if listed > most then
      listed = fold(record, listed, most - tonumber(folded_at_once))
    end
    record.listed = listed
    redis.call('HSET', record_key, 'listed', digits(listed))
  end
  return seq
end
