-- Sign-ins that last, and answers that are kept for a day.

-- Ended sessions stay, also those of people who left, so that every node learns of their end: no reference to people.
CREATE TABLE IF NOT EXISTS taskflow.sessions (
    id         uuid        NOT NULL PRIMARY KEY,
    user_id    uuid        NOT NULL,
    -- Hashes of refresh tokens; the tokens themselves are with their holders.
    token      text        NOT NULL,
    previous   text,
    device     text,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    version    bigint      NOT NULL CHECK (version >= 1),
    CONSTRAINT sessions_instants_check CHECK (
        least(created_at, used_at, expires_at, ended_at) >= '0001-01-01 00:00:00+00'
        AND greatest(created_at, used_at, expires_at, ended_at) < '10000-01-01 00:00:00+00')
);

CREATE INDEX IF NOT EXISTS idx_sessions_user_id ON taskflow.sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_sessions_ended_at ON taskflow.sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS taskflow.answers (
    user_id     uuid        NOT NULL REFERENCES taskflow.users (id),
    key         text        NOT NULL COLLATE "C" CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint text        NOT NULL,
    body        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, key),
    CONSTRAINT answers_instants_check CHECK (
        created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00')
);
