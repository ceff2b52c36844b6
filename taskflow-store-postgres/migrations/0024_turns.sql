-- What is due leaves by class, and within a class fairly between those who caused it.

-- The account whose act planned it, and its turn among what that account caused for the same minute. Empty for what the service
-- does by itself, and in rows of earlier releases.
ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS causer uuid;
ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS turn timestamptz;
-- The lap in which it leaves: 0 to 15, and 16 to 31 for what somebody caused by hand. Rows of earlier releases are in the first.
ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS lap smallint NOT NULL DEFAULT 0;

-- Takes the place of idx_deliveries_scheduled. Beside it, the planner might claim a lap by the old one and read past all others.
-- A process of an earlier release claims by this one as well, but sorts what is due.
CREATE INDEX IF NOT EXISTS idx_deliveries_lap ON taskflow.deliveries (priority, lap, next_at, id) WHERE state = 'scheduled';
DROP INDEX IF EXISTS taskflow.idx_deliveries_scheduled;
-- The same for other channels than mail.
CREATE INDEX IF NOT EXISTS idx_deliveries_channel_lap ON taskflow.deliveries (channel, priority, lap, next_at, id)
    WHERE state = 'scheduled' AND priority > 3;
DROP INDEX IF EXISTS taskflow.idx_deliveries_channel;
-- The last turn of an account in a minute.
CREATE INDEX IF NOT EXISTS idx_deliveries_turn ON taskflow.deliveries (causer, priority, turn)
    WHERE state = 'scheduled' AND causer IS NOT NULL;
