-- Looks which commands and keys this user may not use. Nothing is changed: the key of the first list is never there, and what
-- would write to a key has an argument that no command takes. Who may not do it is told before the arguments are read.

-- What a call is refused for: 'run' its command, 'access' its key; nothing where it is not for want of a right.
local function refused(call)
  local reply = redis.pcall(unpack(call))
  local why = type(reply) == 'table' and reply.err or ''
  for _, what in ipairs({ 'run', 'access' }) do
    -- As Redis 7 has it, and Redis 6.
    if string.find(why, 'permissions to ' .. what, 1, true) or string.find(why, "can't " .. what, 1, true) then
      return what
    end
  end
end

local lacking = {}
for _, call in ipairs(cjson.decode(ARGV[1])) do
  if refused(call) == 'run' then
    lacking[#lacking + 1] = 'run ' .. call[1]
  end
end
for _, key in ipairs(cjson.decode(ARGV[2])) do
  if refused({ 'HMGET', key, 'f' }) == 'access' or refused({ 'HINCRBY', key, 'f', '-' }) == 'access' then
    lacking[#lacking + 1] = 'access ' .. key
  end
end
return table.concat(lacking, '\n')
