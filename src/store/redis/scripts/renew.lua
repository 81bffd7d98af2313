-- Makes the app's record where there is none under this replication id.
-- KEYS: gen. ARGV: replid, a fresh epoch. Returns epoch and seq.
local epoch, seq = read_record(KEYS[1], ARGV[1])
if not epoch then
  reset_record(KEYS[1], ARGV[1], ARGV[2], '0')
  epoch, seq = ARGV[2], 0
end
return epoch .. ' ' .. string.format('%.0f', seq)
