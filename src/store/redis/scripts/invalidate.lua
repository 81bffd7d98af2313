-- Invalidates everything that has one of the tags. Returns epoch, seq, and 1 if nothing else invalidated any of the tags, or
-- of those that are watched, after the `since` token.
local function carry_out()
  local epoch, _, floor, listed = read_record()
  if not epoch or everything == '1' then
    reset_record(fresh_epoch, '0')
    return fresh_epoch .. ' 0 0'
  end
  local tags, since = cjson.decode(invalidated), whole(since_seq)
  local alone = since_epoch == epoch and since and floor <= since and not invalidated_after(tags, since)
    and not invalidated_after(cjson.decode(watched), since)
  return epoch .. ' ' .. invalidate(epoch, listed, tags) .. (alone and ' 1' or ' 0')
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
  return fresh_epoch .. ' 0 0'
end
return redis.error_reply(text)
