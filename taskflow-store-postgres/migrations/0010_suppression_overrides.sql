-- How many mails were sent to a suppressed address because its reader asked for them.
ALTER TABLE taskflow.suppressions ADD COLUMN IF NOT EXISTS overrides bigint NOT NULL DEFAULT 0 CHECK (overrides >= 0);
