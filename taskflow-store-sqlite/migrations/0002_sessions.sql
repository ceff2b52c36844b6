-- Sign-ins that last, and answers that are kept for a day.

-- Ended sessions stay, also those of people who left, so that every node learns of their end: no reference to people.
CREATE TABLE taskflow_sessions (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id    TEXT    NOT NULL CHECK (length(user_id) = 36),
    -- Hashes of refresh tokens; the tokens themselves are with their holders.
    token      TEXT    NOT NULL,
    previous   TEXT,
    device     TEXT,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    version    INTEGER NOT NULL CHECK (version >= 1)
) STRICT;

CREATE INDEX taskflow_idx_sessions_user_id ON taskflow_sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX taskflow_idx_sessions_ended_at ON taskflow_sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE taskflow_answers (
    user_id     TEXT    NOT NULL REFERENCES taskflow_users (id),
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
