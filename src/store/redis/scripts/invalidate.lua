-- Invalidates everything that has one of the tags, ends the write's mark, and holds what is to settle. Returns epoch, seq, 1 if
-- nothing else invalidated any of the tags, or of those that are watched, after the `since` token, and 1 if the mark was there.
local function carry_out()
  local there = end_mark(mark)
  local record, alone = read_record(), false
  if not record then
    record = reset_record(fresh_epoch, 0, record)
  else
    sweep_if_due(record)
    if mark ~= '' then
      forget(record, mark)
    end
    local tags, since = cjson.decode(invalidated), whole(since_seq)
    alone = since_epoch == record.epoch and since and not invalidated_after(record, tags, since, true)
      and not invalidated_after(record, cjson.decode(watched), since, true)
    invalidate(record, record.mixed and { '*' } or tags, softly == '1')
  end
  settle(record, cjson.decode(settled))
  return record.epoch .. ' ' .. digits(record.seq) .. (alone and ' 1' or ' 0') .. (there and ' 1' or ' 0')
end

-- Before Redis 7 a script cannot say that it may run when the memory is used up. What it may do then is delete: without
-- its record everything is old.
local done, result = pcall(carry_out)
if done then
  return result
end
local text = type(result) == 'table' and result.err or tostring(result)
if string.find(text, 'OOM command not allowed', 1, true) then
  redis.call('DEL', record_key)
  return fresh_epoch .. ' 0 0 0'
end
return redis.error_reply(text)
