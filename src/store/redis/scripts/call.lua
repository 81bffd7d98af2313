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
  -- Before Redis 7 a script may only use more memory than there is once it has written something.
  redis.call('HDEL', nodes_key, '')
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
local is_new = server ~= replid or not since
if is_new then
  for id, entry in pairs(nodes) do
    if entry.on then
      entry.ends = math.min(entry.ends, now)
      write_node(id, entry)
    end
  end
  since = now
end
since = math.min(since, whole(known_since) or now)
local me, number = nodes[node], tonumber(generation)
if step == 'renew' and not (me and me.generation == number and is_alive(me)) then
  return 'lapsed ' .. digits(now)
end
redis.call('HSET', nodes_key, '@', replid .. ' ' .. digits(since))

local record = read_record() or reset_record(fresh_epoch, 0)
local held_for = tonumber(commit_within)

-- What was noted of writes under way, and what was held, may be lost with the registry, and those who knew of it may be dead.
if is_new then
  -- One lease more: so long a server of before may have taken marks.
  once_more(record, '*', now, now + held_for + tonumber(lease))
end

-- Whether others that are alive have other rules. One that is silent is waited for; it joins before it has hits again.
local function rules_differ()
  for id, entry in pairs(nodes) do
    if id ~= node and entry.rules ~= rules and is_alive(entry) then
      return true
    end
  end
  return false
end

-- As long as rules differ, every write invalidates everything: what it is called by some is not what it is called by others.
-- The record says whose rules the writes since then have gone by. Where those are others, what these ones have left is as
-- old as they are; but where they are those that this node went by before, it knows what has changed since. What is held is
-- held by their words.
local differ = rules_differ()
local function go_by_rules()
  local before = redis.call('HGET', record_key, 'rules')
  if before and before ~= rules and before ~= 'mixed' then
    local changed = before == rules_before and cjson.decode(rules_changed) or { '*' }
    if #changed > 0 then
      invalidate(record, changed)
    end
    widen(record)
  end
  if differ ~= record.mixed then
    record.mixed = differ
    if differ then
      redis.call('HSET', record_key, 'mixed', '1')
      -- A record that was made meanwhile did not say so.
      invalidate(record, { '*' })
      widen(record)
    else
      redis.call('HDEL', record_key, 'mixed')
    end
  end
end

go_by_rules()

-- Makes what is pending.
local function make_pending()
  local batch = cjson.decode(pending)
  if batch.everything then
    record = reset_record(fresh_epoch, 0, record)
  elseif #batch.tags > 0 then
    invalidate(record, record.mixed and { '*' } or batch.tags)
  end
  for _, id in ipairs(batch.marks) do
    end_mark(id)
    forget(record, id)
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

-- Notes anew what is under way: the registry may have been lost, and the marks with it. What this node noted under an earlier
-- generation and does not name any more has ended, and the end was lost.
local function note_marks()
  clear_other(pend_key)
  local named, count = cjson.decode(marks), 0
  for _ in pairs(named) do
    count = count + 1
  end
  if step == 'join' and count < 1000 then
    for id in pairs(all_of(pend_key)) do
      local whose, life = string.match(id, '^(%x+)%.(%d+)%.%d+$')
      if whose == node and not named[id] and tonumber(life) < number then
        redis.call('HDEL', pend_key, id)
      end
    end
  end
  local room = tonumber(mark_limit) - redis.call('HLEN', pend_key)
  for id, note in pairs(named) do
    if room > 0 and not redis.call('HGET', pend_key, id) then
      redis.call('HSET', pend_key, id, note)
      room = room - 1
    end
  end
end

make_pending()
note_marks()

-- How the others stand. One that has been silent for too long, or whose lock this node has, is forgotten, and with it
-- everything from before.
local others, forgotten, unaware = {}, gives_up == '1', false
local joined = step == 'join' and now or me and me.joined or now

local function forget_node(id, entry)
  forgotten, entry.on, entry.ends = true, false, now
  write_node(id, entry)
  return 'o'
end

local function call_other(id, entry)
  if not entry.on then
    if now - entry.ends > 60000 then
      redis.call('HDEL', nodes_key, id)
    end
    return 'o'
  elseif lock ~= '-' and entry.lock == lock then
    return forget_node(id, entry)
  elseif is_alive(entry) then
    unaware = unaware or (entry.rules ~= rules and entry.ends - entry.lasts < joined)
    return 'a'
  end
  if entry.ends > now then
    entry.ends = now
    write_node(id, entry)
  end
  if now - entry.ends >= tonumber(absence) then
    return forget_node(id, entry)
  end
  return 'l'
end

for id, entry in pairs(nodes) do
  if id ~= node then
    local state = call_other(id, entry)
    others[#others + 1] = id .. ':' .. state
  end
end

-- What became of the writes of a node that is not there, or no more, nobody knows: they are held. It may go on without having
-- been told, and note more of them; so each call looks at all marks. One that ends after that says so.
local function reap_others()
  local gone = {}
  for id in pairs(all_of(pend_key)) do
    local whose = string.match(id, '^(%x+)%.%d+%.%d+$')
    local entry = nodes[whose or '']
    if not whose then
      redis.call('HDEL', pend_key, id)
    elseif whose ~= node and not (entry and is_alive(entry)) then
      gone[whose] = true
    end
  end
  for whose in pairs(gone) do
    reap(record, whose, math.huge, now, held_for)
  end
end

reap_others()

if forgotten then
  record = reset_record(fresh_epoch, 0, record)
end
redis.call('HSET', record_key, 'rules', differ and 'mixed' or rules)

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
