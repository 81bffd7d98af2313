-- Keeps a fill unless its token says that it may be old, or something else is there than what it is built upon.
-- KEYS: body, meta, gen. ARGV: replid, epoch, seq, time to live in ms, body, format version, key, token, tags, fields,
-- about, a hash of all but the token, 1 for an index of variants, and what it is built upon: `anything`, `nothing` or
-- `entry`. For an entry its token, about and sum follow, and 1 if its body is the one that is kept now. Returns stored,
-- raced, newer or gone.
local body, meta, gen = KEYS[1], KEYS[2], KEYS[3]
local epoch, seq = ARGV[2], tonumber(ARGV[3])

local now_epoch, now_seq, floor = read_record(gen, ARGV[1])
if now_epoch ~= epoch or now_seq < seq or floor > seq or invalidated_after(gen, cjson.decode(ARGV[9]), seq) then
  return 'raced'
end

-- A table from JSON; nothing where it is none.
local function parse(text)
  local readable, value = pcall(cjson.decode, text)
  if readable and type(value) == 'table' then
    return value
  end
end

local function tags_of(text)
  local tags = parse(text)
  for _, tag in ipairs(tags or {}) do
    if type(tag) ~= 'string' then
      return
    end
  end
  return tags
end

-- What the meta of a valid entry of this very key says, and the seq of its token; nothing where there is none.
local function valid_entry()
  if type_of(meta) ~= 'hash' or type_of(body) ~= 'string' then
    return
  end
  local old = redis.call('HMGET', meta, 'v', 'key', 'token', 'tags', 'about', 'sum')
  local old_epoch, old_seq = string.match(old[3] or '', '^(%x+):(%d+)$')
  old_seq = whole(old_seq)
  if old[1] ~= ARGV[6] or old[2] ~= ARGV[7] or old_epoch ~= epoch or not old_seq or floor > old_seq then
    return
  end
  -- The sum cannot be reckoned here; most of what somebody else puts in the body's place has another length.
  local about = parse(old[5])
  if not about or about.length ~= redis.call('STRLEN', body) then
    return
  end
  local tags = tags_of(old[4])
  if tags and not invalidated_after(gen, tags, old_seq) then
    return { token = old[3], about = old[5], sum = old[6], seq = old_seq, kind = about.kind }
  end
end

-- Why nothing may be kept in the place of what is there; nothing where it may.
local function refusal(there, upon)
  if there and (there.seq > seq or upon == 'nothing') then
    return 'newer'
  elseif there and there.kind == 'cache-only' and upon == 'anything' then
    return 'newer'
  elseif upon ~= 'entry' then
    return
  elseif not there then
    return 'gone'
  elseif there.token ~= ARGV[15] or there.about ~= ARGV[16] or there.sum ~= ARGV[17] then
    return 'newer'
  elseif ARGV[18] == '1' and redis.call('GET', body) ~= ARGV[5] then
    return 'gone'
  end
end

local there = valid_entry()
local refused = refusal(there, ARGV[14])
if refused then
  return refused
end

local life = tonumber(ARGV[4])
if there and there.kind == 'vary-index' and ARGV[13] == '1' then
  -- An index has to last as long as the longest of its variants, whichever came last.
  life = math.max(life, redis.call('PTTL', body))
end

write_entry(body, meta, life, ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
return 'stored'
