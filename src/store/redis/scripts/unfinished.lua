-- Looks which writes of other nodes are under way, and whether what has these tags may still be changed by one of them, or by
-- one whose outcome nobody knows. Changes nothing. Returns 1 if so, else 0, and behind that the ids of those writes; of more
-- than anybody reads 1 alone.
local concerned, names = { ['*'] = true, names = true }, { '*', 'names' }
for _, tag in ipairs(cjson.decode(tags)) do
  if not concerned[tag] then
    concerned[tag], names[#names + 1] = true, tag
  end
end

-- What is held, or invalidated again and again. Everything is to be invalidated once more where the registry is new, which
-- says of no write that there was one.
local function is_listed()
  return type_of(held_key) == 'hash' and by_chunk(names, function(chunk)
    for i, text in ipairs(redis.call('HMGET', held_key, unpack(chunk))) do
      local item = text and parse_listed(text)
      if item and (chunk[i] ~= '*' or item.ends or (item.often or 0) > clock()) then
        return true
      end
    end
  end)
end

local function is_concerned(text)
  local held, others = intent_of(text)
  for _, list in ipairs({ held, others }) do
    for _, tag in ipairs(list) do
      if concerned[tag] then
        return true
      end
    end
  end
end

if type_of(pend_key) == 'hash' and redis.call('HLEN', pend_key) > tonumber(read_limit) then
  return '1'
end
local answer = { is_listed() and '1' or '0' }
for id, text in pairs(all_of(pend_key)) do
  if string.sub(id, 1, #node + 1) ~= node .. '.' then
    answer[#answer + 1] = id
    if is_concerned(text) then
      answer[1] = '1'
    end
  end
end
return table.concat(answer, ' ')
