-- How tags are invalidated: put in front of the scripts that do.

-- Some of the tags that are listed, and may be taken out, by the field of what counts in their place: of each such field
-- what it says, and of the tags the fields and when each was invalidated. A script that looked at all of them would hold
-- up everybody for tens of milliseconds. Returns where the next look begins, too.
local function some_by_heir(cursor)
  local found = redis.call('HSCAN', record_key, cursor, 'COUNT', 500)
  local heirs, names, record = {}, {}, found[2]
  for i = 1, #record, 2 do
    if string.sub(record[i], 1, 2) == 't:' then
      local _, heir = field(string.sub(record[i], 3))
      local list = heirs[heir]
      if not list then
        list = { heir = heir, floor = 0, names = {}, seqs = {} }
        heirs[heir], names[#names + 1] = list, heir
      end
      list.names[#list.names + 1] = record[i]
      list.seqs[#list.seqs + 1] = whole(record[i + 1]) or 0
    end
  end
  local lists = {}
  by_chunk(names, function(chunk)
    for i, floor in ipairs(redis.call('HMGET', record_key, unpack(chunk))) do
      lists[#lists + 1] = heirs[chunk[i]]
      lists[#lists].floor = floor and (whole(floor) or math.huge) or 0
    end
  end)
  return lists, found[1]
end

-- Takes those out of the list that say no more than what counts in their place. Returns how many went.
local function drop_covered(list)
  local names, seqs, covered = {}, {}, {}
  for i, name in ipairs(list.names) do
    if list.seqs[i] <= list.floor then
      covered[#covered + 1] = name
    else
      names[#names + 1], seqs[#seqs + 1] = name, list.seqs[i]
    end
  end
  list.names, list.seqs = names, seqs
  local gone = 0
  by_chunk(covered, function(chunk)
    gone = gone + redis.call('HDEL', record_key, unpack(chunk))
  end)
  return gone
end

-- Raises what counts in place of these tags as far as the older half of them goes.
local function raise_to_half(list)
  local sorted = {}
  for i, seq in ipairs(list.seqs) do
    sorted[i] = seq
  end
  table.sort(sorted)
  list.floor = sorted[math.floor(#sorted / 2) + 1]
  redis.call('HSET', record_key, list.heir, string.format('%.0f', list.floor))
end

-- Takes some of the tags that were looked at out of the list: what is covered, and where that is only a few, of those that
-- have most in common the older half, and of the next ones where that is only a few again. Returns how many went.
local function fold_some(lists)
  local gone = 0
  for _, list in ipairs(lists) do
    gone = gone + drop_covered(list)
  end
  table.sort(lists, function(one, other)
    return #one.names > #other.names
  end)
  for _, list in ipairs(lists) do
    if gone >= 50 or #list.names == 0 then
      break
    end
    raise_to_half(list)
    gone = gone + drop_covered(list)
  end
  return gone
end

-- Takes tags out of the list until there are no more than `goal`. A flood of writes to one route costs no other route its
-- entries. Returns how many are listed.
local function fold(listed, goal)
  local cursor, rounds = redis.call('HGET', record_key, 'swept') or '0', 0
  if not string.match(cursor, '^%d+$') or #cursor > 19 then
    cursor = '0'
  end
  while listed > goal and rounds < 2 do
    local lists
    lists, cursor = some_by_heir(cursor)
    listed = listed - fold_some(lists)
    rounds = rounds + (cursor == '0' and 1 or 0)
  end
  redis.call('HSET', record_key, 'swept', cursor)
  -- Whoever has gone through all of them and not got there was told a wrong number.
  return math.min(listed, goal)
end

-- Invalidates the tags in a record of this epoch that lists so many. Returns the seq of the invalidation as text.
local function invalidate(epoch, listed, tags)
  local seq = string.format('%.0f', redis.call('HINCRBY', record_key, 'seq', 1))
  local kept, foldable = {}, {}
  for _, tag in ipairs(tags) do
    if tag == '*' then
      -- Nothing that is listed lies above it.
      reset_record(epoch, seq)
      return seq
    end
    local name, heir = field(tag)
    local list = heir and foldable or kept
    list[#list + 1] = name
  end
  local added = 0
  local function mark(names)
    local marks = {}
    for _, name in ipairs(names) do
      marks[#marks + 1] = name
      marks[#marks + 1] = seq
    end
    added = added + redis.call('HSET', record_key, unpack(marks))
  end
  by_chunk(kept, mark)
  added = 0
  by_chunk(foldable, mark)
  if added > 0 or not listed then
    local most = tonumber(tag_limit)
    listed = listed and listed + added or redis.call('HLEN', record_key)
    if listed > most then
      listed = fold(listed, most - tonumber(folded_at_once))
    end
    redis.call('HSET', record_key, 'listed', string.format('%.0f', listed))
  end
  return seq
end
