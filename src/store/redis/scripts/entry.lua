-- How an entry is written: put in front of the scripts that do.

-- Writes both halves under this token, to live for `ms` from now. What is in the meta: version, key, token, tags, fields,
-- about, and a hash of all but the token.
local function write_entry(token, ms)
  redis.call('SET', body_key, body)
  redis.call('DEL', meta_key)
  redis.call('HSET', meta_key, 'v', version, 'key', key, 'token', token, 'tags', tags, 'fields', fields, 'about', about,
    'sum', hash .. '@' .. token)
  -- One moment for both: two times to live, set one after the other, may end a millisecond apart.
  local time = redis.call('TIME')
  local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ms)
  redis.call('PEXPIREAT', body_key, ends)
  redis.call('PEXPIREAT', meta_key, ends)
end
