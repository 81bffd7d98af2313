-- How tags are made old: put in front of the scripts that do.

-- The tags that are listed and may be taken out, by the field of what counts in their place: of each such field the
-- tags' own fields and when each was invalidated. And how many there are.
local function by_heir(gen)
  local record = redis.call('HGETALL', gen)
  local heirs, listed = {}, 0
  for i = 1, #record, 2 do
    local name = record[i]
    if string.sub(name, 1, 2) == 't:' then
      local _, heir = field(string.sub(name, 3))
      local list = heirs[heir]
      if not list then
        list = { heir = heir, names = {}, seqs = {} }
        heirs[heir] = list
      end
      list.names[#list.names + 1] = name
      list.seqs[#list.seqs + 1] = whole(record[i + 1]) or 0
      listed = listed + 1
    end
  end
  return heirs, listed
end

-- Takes the older half of these tags out of the list, and raises what covers them instead. Returns how many went.
local function forget_half(gen, list)
  local sorted = {}
  for i, seq in ipairs(list.seqs) do
    sorted[i] = seq
  end
  table.sort(sorted)
  local median, forgotten = sorted[math.floor(#sorted / 2) + 1], {}
  for i, name in ipairs(list.names) do
    if list.seqs[i] <= median then
      forgotten[#forgotten + 1] = name
    end
  end
  local last = whole(redis.call('HGET', gen, list.heir) or '0') or math.huge
  if median > last then
    redis.call('HSET', gen, list.heir, string.format('%.0f', median))
  end
  by_chunk(forgotten, function(names)
    redis.call('HDEL', gen, unpack(names))
  end)
  return #forgotten
end

-- Takes tags out of the list: of those that have most in common the older half. So a flood of writes to one route costs no
-- other route its entries. Where that is only a few of very many, the next ones follow: the list is not gone through for
-- every write. Returns how many are listed now.
local function forget(gen, limit, at_once)
  local heirs, listed = by_heir(gen)
  local lists = {}
  for _, list in pairs(heirs) do
    lists[#lists + 1] = list
  end
  table.sort(lists, function(one, other)
    return #one.names > #other.names
  end)
  local goal = listed > limit and limit - at_once or listed
  for _, list in ipairs(lists) do
    if listed <= goal then
      break
    end
    listed = listed - forget_half(gen, list)
  end
  return listed
end

-- Makes the tags old in a record that has got this far: `limit` says how many are listed at most, and how many are taken
-- out at once. Returns the seq of the invalidation as text.
local function invalidate(gen, replid, epoch, listed, limit, tags)
  local seq = string.format('%.0f', redis.call('HINCRBY', gen, 'seq', 1))
  local fields = {}
  for _, tag in ipairs(tags) do
    if tag == '*' then
      -- Nothing that is listed lies above it.
      reset_record(gen, replid, epoch, seq)
      return seq
    end
    fields[#fields + 1] = (field(tag))
  end
  local added = 0
  by_chunk(fields, function(names)
    local marks = {}
    for _, name in ipairs(names) do
      marks[#marks + 1] = name
      marks[#marks + 1] = seq
    end
    added = added + redis.call('HSET', gen, unpack(marks))
  end)
  -- Fields of routes are counted, too, until the list is gone through.
  if added > 0 or not listed then
    local most, at_once = string.match(limit, '^(%d+) (%d+)$')
    listed = (listed or math.huge) + added
    if listed > tonumber(most) then
      listed = forget(gen, tonumber(most), tonumber(at_once))
    end
    redis.call('HSET', gen, 'listed', string.format('%.0f', listed))
  end
  return seq
end
