-- Makes everything with one of the tags old.
-- KEYS: gen. ARGV: replid, a fresh epoch, whole (1 for everything), epoch and seq of the `since` token
-- (empty for none), how many tags are listed at most, how many are made old, those, then those that are only watched.
-- Returns epoch, seq, and 1 if nothing else invalidated any of the tags after `since`.
local gen, replid, fresh = KEYS[1], ARGV[1], ARGV[2]
local tags, watched = {}, {}
for i = 8, #ARGV do
  local list = i - 7 <= tonumber(ARGV[7]) and tags or watched
  list[#list + 1] = ARGV[i]
end

-- Takes the older half of those tags out of the list that have most in common, and raises what covers them instead:
-- their route, or for names everything. So a flood of writes to one route costs no other route its entries.
local function forget_half()
  local record = redis.call('HGETALL', gen)
  local known, seqs, most = {}, {}, nil
  for i = 1, #record, 2 do
    known[record[i]] = whole(record[i + 1]) or 0
    local _, heir = field(string.match(record[i], '^t:(.*)$') or '*')
    if heir then
      local list = seqs[heir] or {}
      list[#list + 1], seqs[heir] = known[record[i]], list
      if not most or #list > #seqs[most] then
        most = heir
      end
    end
  end
  if not most then
    return false
  end
  table.sort(seqs[most])
  local median = seqs[most][math.floor(#seqs[most] / 2) + 1]
  local forgotten = {}
  for name, seq in pairs(known) do
    local tag = string.match(name, '^t:(.*)$')
    if tag and seq <= median and select(2, field(tag)) == most then
      forgotten[#forgotten + 1] = tag
    end
  end
  redis.call('HSET', gen, most, string.format('%.0f', math.max(known[most] or 0, median)))
  by_chunk(forgotten, function(names)
    redis.call('HDEL', gen, unpack(names))
  end)
  return true
end

local function finish()
  local epoch, seq, floor = read_record(gen, replid)
  if not epoch or ARGV[3] == '1' then
    reset_record(gen, replid, fresh)
    return fresh .. ' 0 0'
  end
  local since = whole(ARGV[5])
  local alone = ARGV[4] == epoch and since and floor <= since and not invalidated_after(gen, tags, since)
    and not invalidated_after(gen, watched, since)
  seq = string.format('%.0f', redis.call('HINCRBY', gen, 'seq', 1))
  by_chunk(tags, function(names)
    local marks = {}
    for _, name in ipairs(names) do
      marks[#marks + 1] = name
      marks[#marks + 1] = seq
    end
    redis.call('HSET', gen, unpack(marks))
  end)
  while redis.call('HLEN', gen) - 4 > tonumber(ARGV[6]) and forget_half() do
  end
  return epoch .. ' ' .. seq .. (alone and ' 1' or ' 0')
end

-- Before Redis 7 a script cannot say that it may run when the memory is used up. What it may do then is delete: without
-- its record everything is old.
local done, result = pcall(finish)
if done then
  return result
end
local text = type(result) == 'table' and result.err or tostring(result)
if string.find(text, 'OOM command not allowed', 1, true) then
  redis.call('DEL', gen)
  return fresh .. ' 0 0'
end
return redis.error_reply(text)
