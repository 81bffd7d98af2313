-- Makes everything with one of the tags old.
-- KEYS: gen. ARGV: replid, a fresh epoch, whole (1 for everything), epoch and seq of the `since` token
-- (empty for none), how many tags are listed at most and taken out at once, how many are made old, those, then those that
-- are only watched. Returns epoch, seq, and 1 if nothing else invalidated any of the tags after `since`.
local gen, replid, fresh = KEYS[1], ARGV[1], ARGV[2]
local tags, watched = {}, {}
for i = 8, #ARGV do
  local list = i - 7 <= tonumber(ARGV[7]) and tags or watched
  list[#list + 1] = ARGV[i]
end

local function finish()
  local epoch, _, floor, listed = read_record(gen, replid)
  if not epoch or ARGV[3] == '1' then
    reset_record(gen, replid, fresh, '0')
    return fresh .. ' 0 0'
  end
  local since = whole(ARGV[5])
  local alone = ARGV[4] == epoch and since and floor <= since and not invalidated_after(gen, tags, since)
    and not invalidated_after(gen, watched, since)
  return epoch .. ' ' .. invalidate(gen, replid, epoch, listed, ARGV[6], tags) .. (alone and ' 1' or ' 0')
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
