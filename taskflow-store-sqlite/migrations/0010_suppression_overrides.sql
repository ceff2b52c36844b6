-- How many mails were sent to a suppressed address because its reader asked for them.
ALTER TABLE taskflow_suppressions ADD COLUMN overrides INTEGER NOT NULL DEFAULT 0 CHECK (overrides >= 0);
