-- Tags that are held, or invalidated again and again, since nobody knows what became of a write. The hash `held_key` lists
-- them: `q<until> <owner>`, `a<last> <often until> <next>`, or both; times are the server's, in milliseconds. A tag that is held
-- says so in its field of the record, too. Its owner is a write, or `*` for several, or where nobody can tell.

-- So many are listed, and as many again of what stands for others.
local held_limit = 1000
local second = 1000
local often_for = 10 * second

local function parse_listed(text)
  local ends, owner = string.match(text, '^q(%d+) (%S+)')
  local last, often, due = string.match(text, 'a(%d+) (%d+) (%d+)$')
  local item = { ends = whole(ends), owner = owner }
  last, often, due = whole(last), whole(often), whole(due)
  if last and often and due then
    item.last, item.often, item.due = last, often, due
  end
  return item
end

-- Lists a tag as the item says, or no longer.
local function write_listed(tag, item)
  local parts = {}
  if item.ends then
    parts[1] = 'q' .. digits(item.ends) .. ' ' .. item.owner
  end
  if item.last then
    parts[#parts + 1] = 'a' .. digits(item.last) .. ' ' .. digits(item.often) .. ' ' .. digits(item.due)
  end
  if #parts > 0 then
    redis.call('HSET', held_key, tag, table.concat(parts, ' '))
  else
    redis.call('HDEL', held_key, tag)
  end
end

-- All of a hash; nothing of a key of another type.
local function all_of(key)
  local found = {}
  if type_of(key) ~= 'hash' then
    return found
  end
  local cursor = '0'
  repeat
    local some = redis.call('HSCAN', key, cursor, 'COUNT', 500)
    cursor = some[1]
    for i = 1, #some[2], 2 do
      found[some[2][i]] = some[2][i + 1]
    end
  until cursor == '0'
  return found
end

-- Makes room for a hash where somebody has put something else.
local function clear_other(key)
  local kind = type_of(key)
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', key)
  end
end

-- What is listed in the place of a tag: itself while there is room, then its route, or all names, then everything.
local function listed_as(tag)
  clear_other(held_key)
  local count = redis.call('HLEN', held_key)
  if count < held_limit or redis.call('HGET', held_key, tag) then
    return tag
  end
  local _, heir = field(tag)
  local above = not heir and tag or heir == 'names' and heir
  if not above then
    -- A field of a route is `f:` and the route, or `f:` and the tag; that of everything is neither.
    local route = string.match(heir, '^f:(.*)$')
    above = route and (string.match(route, '^w:') and route or 'r:' .. route)
  end
  if above and (count < 2 * held_limit or redis.call('HGET', held_key, above)) then
    return above
  end
  return '*'
end

local function item_of(tag)
  local text = redis.call('HGET', held_key, tag)
  return text and parse_listed(text) or {}
end

-- When something of an item is due, where that is before `due`.
local function earlier(due, item)
  return math.min(due, item.ends or math.huge, item.due or math.huge)
end

-- Sees to it that a sweep comes when this item is due.
local function note_due(record, item)
  local due = earlier(math.huge, item)
  if not record.due or due < record.due then
    record.due = due
    redis.call('HSET', record_key, 'due', digits(due))
  end
end

-- Says in the record that a tag is held.
local function mark_held(record, tag, item)
  local name, heir = field(tag)
  local added = redis.call('HSET', record_key, name, 'q' .. digits(item.ends) .. ' ' .. item.owner)
  if name == 'floor' then
    record.hard, record.soft = math.huge, math.huge
  elseif heir and added > 0 and record.listed then
    record.listed = record.listed + 1
    redis.call('HSET', record_key, 'listed', digits(record.listed))
  end
end

-- Holds a tag: whatever the token, nothing that has it is valid, or stored.
local function lay(record, tag, ends, owner)
  tag = listed_as(tag)
  local item = item_of(tag)
  if item.ends and item.owner ~= owner then
    owner = '*'
  end
  item.ends, item.owner = math.max(item.ends or 0, ends), owner
  write_listed(tag, item)
  mark_held(record, tag, item)
  note_due(record, item)
end

-- Has a tag, which is invalidated now, invalidated each second for ten seconds, and at the end.
local function again(record, tag, now, ends)
  tag = listed_as(tag)
  local item = item_of(tag)
  item.last = math.max(item.last or 0, ends)
  item.often = math.max(item.often or 0, now + often_for)
  item.due = math.min(item.due or math.huge, now + second, item.last)
  write_listed(tag, item)
  note_due(record, item)
end

-- Has a tag invalidated once more, at the end.
local function once_more(record, tag, now, ends)
  tag = listed_as(tag)
  local item = item_of(tag)
  item.last, item.often = math.max(item.last or 0, ends), item.often or now
  item.due = math.min(item.due or math.huge, item.last)
  write_listed(tag, item)
  note_due(record, item)
end

-- Holds in a new record what is held. What was to end by now has ended: nothing from before is valid there.
local function relay(record)
  local due, now = math.huge, nil
  for tag, text in pairs(all_of(held_key)) do
    now = now or clock()
    local item = parse_listed(text)
    if item.ends and item.ends > now then
      mark_held(record, tag, item)
    else
      item.ends = nil
      write_listed(tag, item)
    end
    due = earlier(due, item)
  end
  if due < math.huge then
    record.due = due
    redis.call('HSET', record_key, 'due', digits(due))
  end
end

-- Starts the record anew: nothing that carries an older token, or another epoch, is valid any more. What is held stays so.
-- `before` is the record that was there, if there was one.
local function reset_record(epoch, seq, before)
  local mixed = before and before.mixed or false
  redis.call('DEL', record_key)
  redis.call('HSET', record_key, 'epoch', epoch, 'replid', replid, 'seq', digits(seq), 'floor', digits(seq), 'listed', '0')
  if mixed then
    redis.call('HSET', record_key, 'mixed', '1')
  end
  local record = { epoch = epoch, seq = seq, hard = seq, soft = 0, listed = 0, mixed = mixed }
  relay(record)
  return record
end
