-- A delivery names its channel, the way in which it is sent.

-- The ranks of mail stay what they are, 0 to 3. Those of other channels come behind them, 4 to 7, so that a claim of mail
-- reads past none of their deliveries, and a process of an earlier release does not send them as mail. SQLite changes a check
-- by its text (https://www.sqlite.org/lang_altertable.html, "Making other kinds of table schema changes").
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'CHECK (priority BETWEEN 0 AND 3)', 'CHECK (priority BETWEEN 0 AND 7)')
WHERE type = 'table' AND name = 'taskflow_deliveries';
PRAGMA writable_schema = RESET;

ALTER TABLE taskflow_deliveries ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail';
-- The deliveries of other channels than mail that are due.
CREATE INDEX taskflow_idx_deliveries_channel ON taskflow_deliveries (channel, priority, next_at, id)
    WHERE state = 'scheduled' AND priority > 3;

-- What was purged of other channels than mail has the kind `KIND@CHANNEL`, since a kind and a state are a key of this table.
ALTER TABLE taskflow_ledger_totals ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail';
