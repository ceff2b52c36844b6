-- People, tasks, the ledger of deliveries, history and feeds.
--
-- Ids are hyphenated UUIDs, instants whole microseconds since 1970-01-01T00:00:00Z. `*_key` and `search_text` hold case
-- folded text, made by core so that every store agrees on it. The checks make rows impossible that core could not read.

CREATE TABLE taskflow_users (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    username       TEXT    NOT NULL,
    username_key   TEXT    NOT NULL,
    email          TEXT    NOT NULL,
    email_key      TEXT    NOT NULL,
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    time_zone      TEXT    NOT NULL,
    locale         TEXT    NOT NULL,
    is_active      INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_admin       INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    version        INTEGER NOT NULL CHECK (version >= 1),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX taskflow_idx_users_username ON taskflow_users (username_key);
CREATE UNIQUE INDEX taskflow_idx_users_email ON taskflow_users (email_key);
CREATE INDEX taskflow_idx_users_active ON taskflow_users (id) WHERE is_active = 1;

CREATE TABLE taskflow_credentials (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    password   TEXT    NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE taskflow_tasks (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id          TEXT    NOT NULL REFERENCES taskflow_users (id),
    title            TEXT    NOT NULL,
    title_key        TEXT    NOT NULL,
    description      TEXT,
    -- Title and description, one line each and more, folded: where words are looked for.
    search_text      TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed')),
    priority         INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 3),
    due_at           INTEGER,
    reminder_minutes INTEGER CHECK (reminder_minutes BETWEEN 0 AND 40320),
    completed_at     INTEGER,
    deleted_at       INTEGER,
    version          INTEGER NOT NULL CHECK (version >= 1),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CHECK (reminder_minutes IS NULL OR due_at IS NOT NULL)
) STRICT;

-- Also serves the trash and the foreign key, which a partial index could not.
CREATE INDEX taskflow_idx_tasks_user_id ON taskflow_tasks (user_id, deleted_at, created_at, id);
-- Has all that the summary needs.
CREATE INDEX taskflow_idx_tasks_user_status ON taskflow_tasks (user_id, deleted_at, status, due_at);

-- The ledger outlives the people it names, so their ids refer to nothing here.
CREATE TABLE taskflow_deliveries (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    dedupe_key        TEXT    NOT NULL UNIQUE,
    kind              TEXT    NOT NULL,
    notice            TEXT    NOT NULL,
    priority          INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    recipient_user    TEXT,
    recipient_address TEXT,
    state             TEXT    NOT NULL
        CHECK (state IN ('scheduled', 'claimed', 'delivered', 'discarded', 'cancelled', 'expired')),
    planned_at        INTEGER NOT NULL,
    due_at            INTEGER NOT NULL,
    next_at           INTEGER NOT NULL,
    attempts          INTEGER NOT NULL CHECK (attempts >= 0),
    first_claimed_at  INTEGER,
    settled_at        INTEGER,
    -- Who holds the claim, and until when by the clock of the database.
    lease             TEXT,
    lease_until       INTEGER,
    -- It was cancelled while claimed: what becomes of it is decided by the settlement.
    cancel_requested  INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    last_error        TEXT,
    reply             TEXT,
    reason            TEXT    NOT NULL,
    CHECK ((recipient_user IS NULL) <> (recipient_address IS NULL)),
    CHECK ((state = 'claimed') = (lease IS NOT NULL)),
    CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
    CHECK (state = 'claimed' OR cancel_requested = 0),
    CHECK ((state IN ('scheduled', 'claimed')) = (settled_at IS NULL))
) STRICT;

CREATE INDEX taskflow_idx_deliveries_scheduled ON taskflow_deliveries (priority, next_at, id) WHERE state = 'scheduled';
CREATE INDEX taskflow_idx_deliveries_claimed ON taskflow_deliveries (lease_until) WHERE state = 'claimed';
CREATE INDEX taskflow_idx_deliveries_recipient ON taskflow_deliveries (recipient_user)
    WHERE state IN ('scheduled', 'claimed');

CREATE TABLE taskflow_delivery_attempts (
    delivery_id TEXT    NOT NULL REFERENCES taskflow_deliveries (id),
    attempt     INTEGER NOT NULL CHECK (attempt >= 1),
    at          INTEGER NOT NULL,
    error       TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE taskflow_events (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    at          INTEGER NOT NULL,
    actor       TEXT,
    entity_kind TEXT    NOT NULL,
    entity_id   TEXT    NOT NULL CHECK (length(entity_id) = 36),
    kind        TEXT    NOT NULL,
    data        TEXT    NOT NULL CHECK (json_valid(data)),
    -- 0: the entity is gone, and the event stays only because somebody else's feed still has it.
    in_history  INTEGER NOT NULL DEFAULT 1 CHECK (in_history IN (0, 1))
) STRICT;

CREATE INDEX taskflow_idx_events_entity ON taskflow_events (entity_kind, entity_id, at, id);

CREATE TABLE taskflow_feed (
    user_id  TEXT    NOT NULL REFERENCES taskflow_users (id),
    seq      INTEGER NOT NULL CHECK (seq >= 1),
    event_id TEXT    NOT NULL REFERENCES taskflow_events (id),
    PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX taskflow_idx_feed_event ON taskflow_feed (event_id);

-- The last sequence of each feed, which outlives the entries it counted.
CREATE TABLE taskflow_feed_heads (
    user_id TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    seq     INTEGER NOT NULL CHECK (seq >= 1)
) STRICT, WITHOUT ROWID;

-- The dev mailbox: what would have been sent.
CREATE TABLE taskflow_mailbox (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    kept_at   INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    text      TEXT    NOT NULL,
    html      TEXT,
    source    TEXT    NOT NULL
) STRICT;

CREATE INDEX taskflow_idx_mailbox_kept_at ON taskflow_mailbox (kept_at, id);

-- The ledger for people with a SQL prompt.
CREATE VIEW taskflow_outbox_status AS
SELECT
    d.id,
    d.kind,
    coalesce(d.recipient_address, u.email) AS recipient,
    d.state,
    d.attempts,
    strftime('%Y-%m-%dT%H:%M:%S', d.due_at / 1000000, 'unixepoch') || printf('.%06dZ', d.due_at % 1000000) AS due_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.next_at / 1000000, 'unixepoch') || printf('.%06dZ', d.next_at % 1000000) AS next_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.first_claimed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.first_claimed_at % 1000000) AS first_claimed_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.settled_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.settled_at % 1000000) AS settled_at,
    d.dedupe_key,
    d.last_error
FROM taskflow_deliveries AS d
LEFT JOIN taskflow_users AS u ON u.id = d.recipient_user;
