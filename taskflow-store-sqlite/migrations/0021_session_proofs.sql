-- When the owner of a session last confirmed who they are within it.

ALTER TABLE taskflow_sessions ADD COLUMN confirmed_at INTEGER;
