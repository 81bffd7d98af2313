-- Invalidates everything that has one of the tags, and puts an entry in its place under the token right after that, unless
-- one of the entry's tags, or of those that are watched, was invalidated after the `since` token. Returns epoch, seq, 1 if
-- nothing else invalidated any of the tags after `since`, and stored, raced, or failed with a reason.
local targets = cjson.decode(invalidated)
local epoch, seq, floor, listed = read_record()
local since = whole(since_seq)
local known = epoch and since_epoch == epoch and since and since <= seq and floor <= since
  and not invalidated_after(cjson.decode(watched), since)
local spared = known and not invalidated_after(cjson.decode(tags), since)
local alone = known and not invalidated_after(targets, since)

if not epoch then
  reset_record(fresh_epoch, '0')
  return fresh_epoch .. ' 0 0 raced'
elseif not spared and otherwise ~= 'invalidate' then
  return epoch .. ' ' .. string.format('%.0f', seq) .. ' 0 raced'
end
local now = invalidate(epoch, listed, targets)
local answer = epoch .. ' ' .. now .. (alone and ' 1 ' or ' 0 ')
if not spared then
  return answer .. 'raced'
end
-- What is there is old by now, whatever happens.
local done, why = pcall(write_entry, epoch .. ':' .. now, tonumber(life))
if done then
  return answer .. 'stored'
end
redis.pcall('DEL', body_key, meta_key)
return answer .. 'failed ' .. (type(why) == 'table' and why.err or tostring(why))
