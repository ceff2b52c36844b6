-- The buckets of rate limits that all nodes share. Keys are hashes: no name and no address lies here. Not logged: after a
-- crash of the database every bucket is full again.

CREATE UNLOGGED TABLE IF NOT EXISTS taskflow.limits (
    key     text        NOT NULL COLLATE "C" PRIMARY KEY CHECK (char_length(key) BETWEEN 1 AND 64),
    full_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_limits_full_at ON taskflow.limits (full_at);
