-- Ends the mark of a write that has changed nothing. Returns 1 if it was there, else 0.
return type_of(pend_key) == 'hash' and redis.call('HDEL', pend_key, mark) == 1 and '1' or '0'
