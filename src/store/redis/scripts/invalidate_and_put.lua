-- Makes everything with one of the tags old, and puts an entry in its place under the token right after that, unless one of
-- the entry's tags, or of those that are watched, was invalidated after the `since` token.
-- KEYS: body, meta, gen. ARGV: replid, a fresh epoch, epoch and seq of `since`, how many tags are listed at most and taken
-- out at once, 1 if the invalidation takes place although the entry is not put, time to live in ms, body, format version,
-- key, the entry's tags, fields, about, a hash of all but the token, how many tags are made old, those, then those that are
-- only watched. Returns epoch, seq, 1 if nothing else invalidated any of the tags after `since`, and stored, raced, or
-- failed with a reason.
local body, meta, gen, replid, fresh = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
local tags, watched = {}, {}
for i = 16, #ARGV do
  local list = i - 15 <= tonumber(ARGV[15]) and tags or watched
  list[#list + 1] = ARGV[i]
end

local epoch, seq, floor, listed = read_record(gen, replid)
local since = whole(ARGV[4])
local known = epoch and ARGV[3] == epoch and since and since <= seq and floor <= since
  and not invalidated_after(gen, watched, since)
local spared = known and not invalidated_after(gen, cjson.decode(ARGV[11]), since)
local alone = known and not invalidated_after(gen, tags, since)

if not epoch then
  reset_record(gen, replid, fresh, '0')
  return fresh .. ' 0 0 raced'
elseif not spared and ARGV[6] ~= '1' then
  return epoch .. ' ' .. string.format('%.0f', seq) .. ' 0 raced'
end
local now = invalidate(gen, replid, epoch, listed, ARGV[5], tags)
local answer = epoch .. ' ' .. now .. (alone and ' 1 ' or ' 0 ')
if not spared then
  return answer .. 'raced'
end
-- What is there is old by now, whatever happens.
local done, why = pcall(write_entry, body, meta, tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10], epoch .. ':' .. now,
  ARGV[11], ARGV[12], ARGV[13], ARGV[14])
if done then
  return answer .. 'stored'
end
redis.pcall('DEL', body, meta)
return answer .. 'failed ' .. (type(why) == 'table' and why.err or tostring(why))
