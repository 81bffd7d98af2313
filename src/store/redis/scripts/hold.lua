-- Nobody knows what became of a write: ends its mark, holds tags for a time, and invalidates others, now and again and again.
-- Returns epoch, seq, 0, and 1 if the mark was there.
local there = end_mark(mark)
local record = read_record() or reset_record(fresh_epoch, 0)
sweep_if_due(record)
local owner, owners = mark == '' and '*' or mark, {}
for _, tag in ipairs(cjson.decode(held)) do
  owners[tag] = owner
end
hold(record, owners, cjson.decode(others), clock(), tonumber(held_for))
return record.epoch .. ' ' .. digits(record.seq) .. ' 0' .. (there and ' 1' or ' 0')
