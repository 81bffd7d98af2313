-- Notes a write that is about to be forwarded. Returns noted, or full if so many are that no more is.
clear_other(pend_key)
-- Before Redis 7 a script may only use more memory than there is once it has written something.
redis.call('HDEL', pend_key, '')
if redis.call('HLEN', pend_key) >= tonumber(mark_limit) then
  return 'full'
end
redis.call('HSET', pend_key, mark, intent)
return 'noted'
