-- When the owner of a session last confirmed who they are within it.

ALTER TABLE taskflow.sessions ADD COLUMN IF NOT EXISTS confirmed_at timestamptz
    CONSTRAINT sessions_confirmed_at_check CHECK (
        confirmed_at >= '0001-01-01 00:00:00+00' AND confirmed_at < '10000-01-01 00:00:00+00');
