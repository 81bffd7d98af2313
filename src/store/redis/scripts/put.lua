-- Stores a fill unless its token says that it may be old, or something else is there than what is expected. Returns stored,
-- raced, held, newer or gone.
local at = tonumber(seq)

local record = read_record()
if not record or record.epoch ~= epoch or record.seq < at then
  return 'raced'
end
local asked = cjson.decode(tags)
asked[#asked + 1] = fills
if invalidated_after(record, asked, at, true) then
  return is_held(cjson.decode(tags)) and 'held' or 'raced'
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
  if type_of(meta_key) ~= 'hash' or type_of(body_key) ~= 'string' then
    return
  end
  local old = redis.call('HMGET', meta_key, 'v', 'key', 'token', 'tags', 'about', 'sum')
  local old_epoch, old_seq = string.match(old[3] or '', '^(%x+):(%d+)$')
  old_seq = whole(old_seq)
  if old[1] ~= version or old[2] ~= key or old_epoch ~= epoch or not old_seq then
    return
  end
  -- The sum cannot be reckoned here; most of what somebody else puts in the body's place has another length.
  local about = parse(old[5])
  if not about or about.length ~= redis.call('STRLEN', body_key) then
    return
  end
  local tags = tags_of(old[4])
  -- What was softly invalidated is there: an answer that confirms it expects it.
  if tags and not invalidated_after(record, tags, old_seq) then
    return { token = old[3], about = old[5], sum = old[6], seq = old_seq, kind = about.kind }
  end
end

-- Why nothing may be stored in the place of what is there; nothing where it may.
local function refusal(there)
  if there and (there.seq > at or expect == 'absent') then
    return 'newer'
  elseif there and there.kind == 'cache-only' and expect == 'any' then
    return 'newer'
  elseif expect ~= 'entry' then
    return
  elseif not there then
    return 'gone'
  elseif there.token ~= expect_token or there.about ~= expect_about or there.sum ~= expect_sum then
    return 'newer'
  elseif same_body == '1' and redis.call('GET', body_key) ~= body then
    return 'gone'
  end
end

local there = valid_entry()
local refused = refusal(there)
if refused then
  return refused
end

local ms = tonumber(life)
if there and there.kind == 'vary-index' and is_index == '1' then
  -- An index has to last as long as the longest of its variants, whichever came last.
  ms = math.max(ms, redis.call('PTTL', body_key))
end

local why = write_entry(epoch .. ':' .. seq, ms)
return why and redis.error_reply(why) or 'stored'
