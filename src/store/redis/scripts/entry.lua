-- How an entry is written: put in front of the scripts that do.

-- Writes both halves, which live for `life` ms. What is in the meta: version, key, token, tags, fields, about, and a hash
-- of all but the token.
local function write_entry(body, meta, life, value, version, key, token, tags, fields, about, hash)
  redis.call('SET', body, value)
  redis.call('DEL', meta)
  redis.call('HSET', meta, 'v', version, 'key', key, 'token', token, 'tags', tags, 'fields', fields, 'about', about,
    'sum', hash .. '@' .. token)
  -- One moment for both: two times to live, set one after the other, may end a millisecond apart.
  local time = redis.call('TIME')
  local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + life)
  redis.call('PEXPIREAT', body, ends)
  redis.call('PEXPIREAT', meta, ends)
end
