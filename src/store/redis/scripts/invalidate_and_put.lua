-- Invalidates everything that has one of the tags, and puts an entry in its place under the token right after that, unless
-- one of the entry's tags, or of those that are watched, was invalidated after the `since` token. Ends the write's mark, and
-- holds what is to settle, where it does. Returns epoch, seq, 1 if nothing else invalidated any of the tags after `since`, 1 if
-- the mark was there, and stored, raced, held, or failed with a reason.
local function answer(record, alone, there, outcome)
  return record.epoch .. ' ' .. digits(record.seq) .. (alone and ' 1' or ' 0') .. (there and ' 1 ' or ' 0 ') .. outcome
end

local record = read_record()
if not record then
  record = reset_record(fresh_epoch, 0)
  local there = otherwise == 'invalidate' and end_mark(mark)
  if otherwise == 'invalidate' then
    settle(record, cjson.decode(settled))
  end
  return answer(record, false, there, 'raced')
end
sweep_if_due(record)
local targets, since = cjson.decode(invalidated), whole(since_seq)
local known = since_epoch == record.epoch and since and since <= record.seq
  and not invalidated_after(record, cjson.decode(watched), since, true)
local spared = known and not record.mixed and not invalidated_after(record, cjson.decode(tags), since, true)
local alone = known and not invalidated_after(record, targets, since, true)
local refused = not spared and (is_held(cjson.decode(tags)) and 'held' or 'raced')
if refused and otherwise ~= 'invalidate' then
  return answer(record, false, false, refused)
end

local there = end_mark(mark)
if mark ~= '' then
  forget(record, mark)
end
invalidate(record, record.mixed and { '*' } or targets, softly == '1')
settle(record, cjson.decode(settled))
if refused then
  return answer(record, alone, there, refused)
end
-- What is there is old by now, whatever happens.
local why = write_entry(record.epoch .. ':' .. digits(record.seq), tonumber(life))
return answer(record, alone, there, why and 'failed ' .. why or 'stored')
