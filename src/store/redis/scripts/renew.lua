-- Makes the app's record where there is none under this replication id, and does what is due. Returns epoch and seq.
local record = read_record() or reset_record(fresh_epoch, 0)
sweep_if_due(record)
return record.epoch .. ' ' .. digits(record.seq)
