-- A node calls: it joins, renews its lease or leaves, and makes what is pending in the same step. In the registry each node
-- has a field of its number: generation, when its lease ends, how long a lease is, when it joined, its rules, its lock file,
-- and on or off. The field `@` says which server this is and since when anybody knows it.
-- Returns a word, the time, and for `done` since when the server is known, whether others have other rules (`d`) and do not
-- all know of this node (`u`), and how the others stand.
local now = clock()

-- Under a live session a master may have become a replica, or another one's.
local function is_elsewhere()
  local info = redis.call('INFO', 'replication')
  return string.match(info, 'role:(%a+)') ~= 'master' or string.match(info, 'master_replid:(%x+)') ~= replid
end

if is_elsewhere() then
  return 'elsewhere ' .. digits(now)
elseif now > tonumber(run_before) then
  return 'late ' .. digits(now)
end

local function parse_node(text)
  local number, ends, lasts, joined, rules_of, lock_of, state =
    string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%x+) (%S+) (%a+)$')
  number, ends, lasts, joined = whole(number), whole(ends), whole(lasts), whole(joined)
  if number and ends and lasts and joined and (state == 'on' or state == 'off') then
    return { generation = number, ends = ends, lasts = lasts, joined = joined, rules = rules_of, lock = lock_of,
      on = state == 'on' }
  end
end

local function write_node(id, entry)
  redis.call('HSET', nodes_key, id, table.concat({ digits(entry.generation), digits(entry.ends), digits(entry.lasts),
    digits(entry.joined), entry.rules, entry.lock, entry.on and 'on' or 'off' }, ' '))
end

-- A lease that ends later than it could has been written before the clock was put back.
local function is_alive(entry)
  return entry.on and now < entry.ends and entry.ends <= now + entry.lasts
end

-- The registry. What cannot be read is taken out; more than anybody has nodes is not read at all.
local function read_nodes()
  clear_other(nodes_key)
  if redis.call('HLEN', nodes_key) > 1000 then
    redis.call('DEL', nodes_key)
  end
  local nodes, found = {}, all_of(nodes_key)
  local server, since = string.match(found['@'] or '', '^(%S+) (%d+)$')
  found['@'] = nil
  for id, text in pairs(found) do
    local entry = string.match(id, '^%x+$') and parse_node(text)
    if entry then
      nodes[id] = entry
    else
      redis.call('HDEL', nodes_key, id)
    end
  end
  return nodes, server, whole(since)
end

local nodes, server, since = read_nodes()

-- Nobody has renewed anything here so far, whatever a replica was told, or a file says.
if server ~= replid or not since then
  for id, entry in pairs(nodes) do
    if entry.on then
      entry.ends = math.min(entry.ends, now)
      write_node(id, entry)
    end
  end
  since = now
end
since = math.min(since, whole(known_since) or now)
redis.call('HSET', nodes_key, '@', replid .. ' ' .. digits(since))

local me, number = nodes[node], tonumber(generation)
if step == 'renew' and not (me and me.generation == number and is_alive(me)) then
  return 'lapsed ' .. digits(now)
end

local record = read_record() or reset_record(fresh_epoch, 0)
local held_for = tonumber(commit_within)

-- Makes what is pending.
local function make_pending()
  local batch = cjson.decode(pending)
  if batch.everything then
    record = reset_record(fresh_epoch, 0, record)
  elseif #batch.tags > 0 then
    invalidate(record, record.mixed and { '*' } or batch.tags)
  end
  for _, id in ipairs(batch.marks) do
    if not end_mark(id) then
      forget(record, id)
    end
  end
  for _, one in ipairs(batch.holds) do
    local owners = {}
    end_mark(one.owner)
    for _, tag in ipairs(one.held) do
      owners[tag] = one.owner
    end
    hold(record, owners, one.others, now, held_for)
  end
  settle(record, batch.settle)
end

-- Notes anew what is under way: the registry may have been lost, and the marks with it.
local function note_marks()
  clear_other(pend_key)
  local room = tonumber(mark_limit) - redis.call('HLEN', pend_key)
  for id, note in pairs(cjson.decode(marks)) do
    if room > 0 and not redis.call('HGET', pend_key, id) then
      redis.call('HSET', pend_key, id, note)
      room = room - 1
    end
  end
end

make_pending()
note_marks()

-- How the others stand. Of one whose lease has ended the writes that were under way are held; one that has been silent for
-- too long, or whose lock this node has, is forgotten, and with it everything from before.
local others, forgotten, differ, unaware = {}, false, false, false
local joined = step == 'join' and now or me and me.joined or now

local function call_other(id, entry)
  if not entry.on then
    if now - entry.ends > 60000 then
      redis.call('HDEL', nodes_key, id)
    end
    return 'o'
  elseif lock ~= '-' and entry.lock == lock then
    reap(record, id, entry.generation, now, held_for)
    forgotten, entry.on, entry.ends = true, false, now
    write_node(id, entry)
    return 'o'
  elseif is_alive(entry) then
    if entry.rules ~= rules then
      differ = true
      unaware = unaware or entry.ends - entry.lasts < joined
    end
    return 'a'
  end
  reap(record, id, entry.generation, now, held_for)
  if entry.ends > now then
    entry.ends = now
    write_node(id, entry)
  end
  if now - entry.ends >= tonumber(absence) then
    forgotten = true
    redis.call('HDEL', nodes_key, id)
    return
  end
  return 'l'
end

for id, entry in pairs(nodes) do
  if id ~= node then
    local state = call_other(id, entry)
    others[#others + 1] = state and id .. ':' .. state
  end
end

if forgotten then
  record = reset_record(fresh_epoch, 0, record)
end
if differ ~= record.mixed then
  record.mixed = differ
  if differ then
    redis.call('HSET', record_key, 'mixed', '1')
    widen(record)
  else
    redis.call('HDEL', record_key, 'mixed')
  end
end

if step == 'leave' then
  reap(record, node, number, now, held_for)
  write_node(node, { generation = number, ends = now, lasts = tonumber(lease), joined = joined, rules = rules, lock = lock,
    on = false })
else
  write_node(node, { generation = number, ends = now + tonumber(lease), lasts = tonumber(lease), joined = joined,
    rules = rules, lock = lock, on = true })
end
sweep(record, now)

return 'done ' .. digits(now) .. ' ' .. digits(since) .. ' ' .. (differ and 'd' or '-') .. (unaware and 'u' or '-') .. ' '
  .. (#others > 0 and table.concat(others, ',') or '-')
