-- What is due leaves by class, and within a class fairly between those who caused it.

-- The account whose act planned it, and its turn among what that account caused for the same minute. Empty for what the service
-- does by itself, and in rows of earlier releases.
ALTER TABLE taskflow_deliveries ADD COLUMN causer TEXT;
ALTER TABLE taskflow_deliveries ADD COLUMN turn INTEGER;
-- The lap in which it leaves: 0 to 15, and 16 to 31 for what somebody caused by hand. Rows of earlier releases are in the first.
ALTER TABLE taskflow_deliveries ADD COLUMN lap INTEGER NOT NULL DEFAULT 0;

-- Under its old name, by which lists of an earlier release ask for it. Such a process also claims by it, but sorts what is due.
DROP INDEX taskflow_idx_deliveries_scheduled;
CREATE INDEX taskflow_idx_deliveries_scheduled ON taskflow_deliveries (priority, lap, next_at, id)
    WHERE state = 'scheduled';
-- The same for other channels than mail.
CREATE INDEX taskflow_idx_deliveries_channel_lap ON taskflow_deliveries (channel, priority, lap, next_at, id)
    WHERE state = 'scheduled' AND priority > 3;
DROP INDEX taskflow_idx_deliveries_channel;
-- The last turn of an account in a minute.
CREATE INDEX taskflow_idx_deliveries_turn ON taskflow_deliveries (causer, priority, turn)
    WHERE state = 'scheduled' AND causer IS NOT NULL;
