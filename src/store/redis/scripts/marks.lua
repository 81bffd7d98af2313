-- Writes under way, how they end, and what is due of those whose outcome nobody knows: put behind `invalidation.lua`. The hash
-- `pend_key` has a mark for each, by its id, `<node>.<generation>.<number>`: as JSON what is `held` where its outcome is
-- unknown, and which `others` are invalidated again and again.

-- Ends a mark; false if somebody else has, or it never was there.
local function end_mark(id)
  return type_of(pend_key) == 'hash' and redis.call('HDEL', pend_key, id) == 1
end

-- Does what is due of what is listed: what was held until now is invalidated, and what is invalidated again and again.
local function sweep(record, now)
  local tags, next_due = {}, math.huge
  for tag, text in pairs(all_of(held_key)) do
    local item = parse_listed(text)
    -- What cannot be read has ended.
    local ended = not item.ends and not item.last
    if item.ends and item.ends <= now then
      item.ends, ended = nil, true
    end
    if item.last and item.due <= now then
      ended = true
      local following = item.due + second > now and item.due + second or now + second
      item.due = following <= item.often and math.min(following, item.last) or item.last
      if item.last <= now then
        item.last, item.due = nil, nil
      end
    end
    if ended then
      tags[#tags + 1] = tag
      write_listed(tag, item)
    end
    next_due = earlier(next_due, item)
  end
  if next_due < math.huge then
    record.due = next_due
    redis.call('HSET', record_key, 'due', digits(next_due))
  else
    record.due = nil
    redis.call('HDEL', record_key, 'due')
  end
  if #tags > 0 then
    invalidate(record, tags)
  end
end

-- The same where something is due.
local function sweep_if_due(record)
  if record.due and record.due <= clock() then
    sweep(record, clock())
  end
end

-- The outcome of a write is known whose mark others had ended: what is held for nobody else is invalidated, and held no more.
local function forget(record, owner)
  local tags = {}
  for tag, text in pairs(all_of(held_key)) do
    local item = parse_listed(text)
    if item.ends and item.owner == owner then
      item.ends = nil
      write_listed(tag, item)
      redis.call('HSET', record_key, (field(tag)), digits(record.seq))
      tags[#tags + 1] = tag
    end
  end
  if #tags > 0 then
    invalidate(record, tags)
  end
end

-- Holds tags, each for its owner, and invalidates others, now and again and again, for so many milliseconds.
local function hold(record, owners, others, now, ms)
  local ends = now + ms
  if record.mixed then
    -- What it is called by some nodes is not what it is called by others.
    local anybody = next(owners) and '*'
    owners, others = { ['*'] = anybody }, { '*' }
  end
  invalidate(record, others)
  for _, tag in ipairs(others) do
    again(record, tag, now, ends)
  end
  for tag, owner in pairs(owners) do
    lay(record, tag, ends, owner)
  end
end

-- Holds tags, each for so many milliseconds, whoever else ends what is held.
local function settle(record, list)
  local now = #list > 0 and clock()
  for _, one in ipairs(list) do
    -- What it is called by some nodes is not what it is called by others.
    lay(record, record.mixed and '*' or one[1], now + one[2], '*')
  end
end

-- Strings of a list from JSON; nothing where it is none.
local function strings(list)
  for _, text in ipairs(type(list) == 'table' and list or { false }) do
    if type(text) ~= 'string' then
      return
    end
  end
  return list
end

-- What a mark says: `held`, `others`, and for how many milliseconds at the least. Everything is held for one that cannot be
-- read, or that was noted under other rules: what it is called by those is not what it is called by these.
local function intent_of(text)
  local readable, mark = pcall(cjson.decode, text)
  mark = readable and type(mark) == 'table' and mark or {}
  local held, others = strings(mark.held), strings(mark.others)
  local within = type(mark.within) == 'number' and math.min(math.max(mark.within, 0), 3600000) or 0
  if held and others and mark.rules == rules then
    return held, others, within
  end
  return { '*' }, {}, within
end

-- Ends all marks of a node's generation, and of its earlier ones: nobody knows what became of its writes, and what they may
-- have changed is held for so many milliseconds, or for as long as the longest of its marks says. Returns how many.
local function reap(record, node, generation, now, ms)
  local owners, others, known, count = {}, {}, {}, 0
  for id, text in pairs(all_of(pend_key)) do
    local whose, life = string.match(id, '^(.*)%.(%d+)%.%d+$')
    life = whole(life)
    if whose == node and life and life <= generation then
      count = count + 1
      redis.call('HDEL', pend_key, id)
      local held, more, within = intent_of(text)
      ms = math.max(ms, within)
      for _, tag in ipairs(held) do
        owners[tag] = (owners[tag] or id) == id and id or '*'
      end
      for _, tag in ipairs(more) do
        if not known[tag] then
          known[tag], others[#others + 1] = true, tag
        end
      end
    end
  end
  if count > 0 then
    hold(record, owners, others, now, ms)
  end
  return count
end

-- Nodes have different rules from now on, and what is held is called otherwise by some: everything is held instead.
local function widen(record)
  local now, held, again_until, last = clock(), 0, 0, 0
  for _, text in pairs(all_of(held_key)) do
    local item = parse_listed(text)
    held, last = math.max(held, item.ends or 0), math.max(last, item.last or 0)
    again_until = math.max(again_until, item.often and item.often > now and item.last or 0)
  end
  if held > now then
    lay(record, '*', held, '*')
  end
  if last > now then
    once_more(record, '*', now, last)
  end
  if again_until > now then
    again(record, '*', now, again_until)
  end
end
