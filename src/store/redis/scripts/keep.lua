-- Keeps a fill unless its token says that it may be old.
-- KEYS: body, meta, gen. ARGV: replid, epoch, seq, time to live in ms, body, format version, key, token, tags, fields,
-- about, sum. Returns stored, raced or newer.
local body, meta, gen = KEYS[1], KEYS[2], KEYS[3]
local epoch, seq = ARGV[2], tonumber(ARGV[3])

local now_epoch, now_seq, floor = read_record(gen, ARGV[1])
if now_epoch ~= epoch or now_seq < seq or floor > seq or invalidated_after(gen, cjson.decode(ARGV[9]), seq) then
  return 'raced'
end

-- Whether what is there is this very key's, and valid.
local function is_valid(version, key, text)
  if version ~= ARGV[6] or key ~= ARGV[7] or type_of(body) ~= 'string' then
    return false
  end
  local readable, tags = pcall(cjson.decode, text)
  if not readable or type(tags) ~= 'table' then
    return false
  end
  return true, tags
end

if type_of(meta) == 'hash' then
  local old = redis.call('HMGET', meta, 'v', 'key', 'token', 'tags')
  local old_epoch, old_seq = string.match(old[3] or '', '^(%x+):(%d+)$')
  old_seq = whole(old_seq)
  if old_epoch == epoch and old_seq and old_seq > seq and floor <= old_seq then
    local valid, tags = is_valid(old[1], old[2], old[4])
    if valid and not invalidated_after(gen, tags, old_seq) then
      return 'newer'
    end
  end
end

redis.call('SET', body, ARGV[5])
redis.call('DEL', meta)
redis.call('HSET', meta, 'v', ARGV[6], 'key', ARGV[7], 'token', ARGV[8], 'tags', ARGV[9], 'fields', ARGV[10],
  'about', ARGV[11], 'sum', ARGV[12])
-- One moment for both: two times to live, set one after the other, may end a millisecond apart.
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4])
redis.call('PEXPIREAT', body, ends)
redis.call('PEXPIREAT', meta, ends)
return 'stored'
