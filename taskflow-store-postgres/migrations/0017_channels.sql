-- A delivery names its channel, the way in which it is sent.

-- The ranks of mail stay what they are, 0 to 3. Those of other channels come behind them, 4 to 7, so that a claim of mail
-- reads past none of their deliveries, and a process of an earlier release does not send them as mail. What is there already
-- was checked more strictly.
ALTER TABLE taskflow.deliveries DROP CONSTRAINT IF EXISTS deliveries_priority_check;
ALTER TABLE taskflow.deliveries ADD CONSTRAINT deliveries_priority_check CHECK (priority BETWEEN 0 AND 7) NOT VALID;

ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS channel text NOT NULL COLLATE "C" DEFAULT 'mail';
-- The deliveries of other channels than mail that are due.
CREATE INDEX IF NOT EXISTS idx_deliveries_channel ON taskflow.deliveries (channel, priority, next_at, id)
    WHERE state = 'scheduled' AND priority > 3;

-- What was purged of other channels than mail has the kind `KIND@CHANNEL`, since a kind and a state are a key of this table.
ALTER TABLE taskflow.ledger_totals ADD COLUMN IF NOT EXISTS channel text NOT NULL COLLATE "C" DEFAULT 'mail';
