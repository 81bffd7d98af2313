-- How an entry is written: put in front of the scripts that do.

local function write_halves(token, ms)
  redis.call('SET', body_key, body)
  redis.call('DEL', meta_key)
  redis.call('HSET', meta_key, 'v', version, 'key', key, 'token', token, 'tags', tags, 'fields', fields, 'about', about,
    'sum', hash .. '@' .. token)
  -- One moment for both: two times to live, set one after the other, may end a millisecond apart.
  local ends = digits(clock() + ms)
  redis.call('PEXPIREAT', body_key, ends)
  redis.call('PEXPIREAT', meta_key, ends)
end

-- Writes both halves under this token, to live for `ms` from now. What is in the meta: version, key, token, tags, fields,
-- about, and a hash of all but the token. Where that fails half way nothing is left: it would stay for ever. Returns why.
local function write_entry(token, ms)
  local done, why = pcall(write_halves, token, ms)
  if not done then
    redis.pcall('DEL', body_key, meta_key)
    return type(why) == 'table' and why.err or tostring(why)
  end
end
