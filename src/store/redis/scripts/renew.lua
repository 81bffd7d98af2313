-- Makes the app's record where there is none under this replication id. Returns epoch and seq.
local epoch, seq = read_record()
if not epoch then
  reset_record(fresh_epoch, '0')
  epoch, seq = fresh_epoch, 0
end
return epoch .. ' ' .. string.format('%.0f', seq)
