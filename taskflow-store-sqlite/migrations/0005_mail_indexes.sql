-- The ledger by what became of mail, and by kind, for people who look for what went wrong among a million rows.

-- Few rows ever get there, and none when it is planned: planning and sending pay nothing for it.
CREATE INDEX taskflow_idx_deliveries_given_up ON taskflow_deliveries (state, id)
    WHERE state IN ('discarded', 'cancelled', 'expired');
-- What comes by itself, again and again, makes up most of the ledger: its pages fill without an index.
CREATE INDEX taskflow_idx_deliveries_kind ON taskflow_deliveries (kind, id)
    WHERE kind NOT IN ('task_due', 'task_reminder', 'daily_summary', 'meeting_reminder');
