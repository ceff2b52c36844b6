-- The buckets of rate limits that all nodes share. Keys are hashes: no name and no address lies here.

CREATE TABLE taskflow_limits (
    key     TEXT    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_limits_full_at ON taskflow_limits (full_at);
