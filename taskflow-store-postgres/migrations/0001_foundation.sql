-- People, tasks, the ledger of deliveries, history and feeds.
--
-- Everything can be run again and finds itself there. `*_key` and `search_text` hold case folded text, made by core so
-- that every store agrees on it; they are compared byte by byte (collation "C"). The checks make rows impossible that
-- core could not read; instants lie in the years that RFC 3339 can write.

CREATE SCHEMA IF NOT EXISTS taskflow;

CREATE TABLE IF NOT EXISTS taskflow.users (
    id             uuid        NOT NULL PRIMARY KEY,
    username       text        NOT NULL CHECK (char_length(username) BETWEEN 3 AND 50),
    username_key   text        NOT NULL COLLATE "C",
    email          text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    email_key      text        NOT NULL COLLATE "C",
    email_verified boolean     NOT NULL,
    time_zone      text        NOT NULL,
    locale         text        NOT NULL,
    is_active      boolean     NOT NULL,
    is_admin       boolean     NOT NULL,
    version        bigint      NOT NULL CHECK (version >= 1),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT users_instants_check CHECK (
        least(created_at, updated_at) >= '0001-01-01 00:00:00+00'
        AND greatest(created_at, updated_at) < '10000-01-01 00:00:00+00')
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_users_username ON taskflow.users (username_key);
CREATE UNIQUE INDEX IF NOT EXISTS idx_users_email ON taskflow.users (email_key);
CREATE INDEX IF NOT EXISTS idx_users_active ON taskflow.users (id) WHERE is_active;

CREATE TABLE IF NOT EXISTS taskflow.credentials (
    user_id    uuid        NOT NULL PRIMARY KEY REFERENCES taskflow.users (id),
    password   text        NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT credentials_instants_check CHECK (
        changed_at >= '0001-01-01 00:00:00+00' AND changed_at < '10000-01-01 00:00:00+00')
);

CREATE TABLE IF NOT EXISTS taskflow.tasks (
    id               uuid        NOT NULL PRIMARY KEY,
    user_id          uuid        NOT NULL REFERENCES taskflow.users (id),
    title            text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    title_key        text        NOT NULL COLLATE "C",
    description      text        CHECK (char_length(description) <= 10000),
    -- Title and description, folded: where words are looked for.
    search_text      text        NOT NULL COLLATE "C",
    status           text        NOT NULL COLLATE "C" CHECK (status IN ('pending', 'in_progress', 'completed')),
    priority         smallint    NOT NULL CHECK (priority BETWEEN 1 AND 3),
    due_at           timestamptz,
    reminder_minutes integer     CHECK (reminder_minutes BETWEEN 0 AND 40320),
    completed_at     timestamptz,
    deleted_at       timestamptz,
    version          bigint      NOT NULL CHECK (version >= 1),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT tasks_completed_check CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT tasks_reminder_check CHECK (reminder_minutes IS NULL OR due_at IS NOT NULL),
    CONSTRAINT tasks_instants_check CHECK (
        least(due_at, completed_at, deleted_at, created_at, updated_at) >= '0001-01-01 00:00:00+00'
        AND greatest(due_at, completed_at, deleted_at, created_at, updated_at) < '10000-01-01 00:00:00+00')
);

-- Serves the usual list in its order, the trash and the foreign key, which a partial index could not.
CREATE INDEX IF NOT EXISTS idx_tasks_user_id ON taskflow.tasks (user_id, created_at, id);
-- Has all that the summary and the count of a list need.
CREATE INDEX IF NOT EXISTS idx_tasks_user_status ON taskflow.tasks (user_id, status, due_at) WHERE deleted_at IS NULL;

-- The ledger outlives the people it names, so their ids refer to nothing here.
CREATE TABLE IF NOT EXISTS taskflow.deliveries (
    id                uuid        NOT NULL PRIMARY KEY,
    dedupe_key        text        NOT NULL COLLATE "C",
    kind              text        NOT NULL COLLATE "C",
    notice            json        NOT NULL,
    priority          smallint    NOT NULL CHECK (priority BETWEEN 0 AND 3),
    recipient_user    uuid,
    recipient_address text,
    state             text        NOT NULL COLLATE "C"
        CHECK (state IN ('scheduled', 'claimed', 'delivered', 'discarded', 'cancelled', 'expired')),
    planned_at        timestamptz NOT NULL,
    due_at            timestamptz NOT NULL,
    next_at           timestamptz NOT NULL,
    attempts          integer     NOT NULL CHECK (attempts >= 0),
    first_claimed_at  timestamptz,
    settled_at        timestamptz,
    -- Who holds the claim, and until when by the clock of the database.
    lease             uuid,
    lease_until       timestamptz,
    -- It was cancelled while claimed: what becomes of it is decided by the settlement.
    cancel_requested  boolean     NOT NULL,
    last_error        text,
    reply             text,
    reason            text        NOT NULL,
    CONSTRAINT deliveries_recipient_check CHECK ((recipient_user IS NULL) <> (recipient_address IS NULL)),
    CONSTRAINT deliveries_lease_check CHECK ((state = 'claimed') = (lease IS NOT NULL)),
    CONSTRAINT deliveries_lease_until_check CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
    CONSTRAINT deliveries_cancel_check CHECK (state = 'claimed' OR NOT cancel_requested),
    CONSTRAINT deliveries_settled_check CHECK ((state IN ('scheduled', 'claimed')) = (settled_at IS NULL)),
    CONSTRAINT deliveries_instants_check CHECK (
        least(planned_at, due_at, next_at, first_claimed_at, settled_at) >= '0001-01-01 00:00:00+00'
        AND greatest(planned_at, due_at, next_at, first_claimed_at, settled_at) < '10000-01-01 00:00:00+00')
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_deliveries_dedupe_key ON taskflow.deliveries (dedupe_key);
CREATE INDEX IF NOT EXISTS idx_deliveries_scheduled ON taskflow.deliveries (priority, next_at, id)
    WHERE state = 'scheduled';
CREATE INDEX IF NOT EXISTS idx_deliveries_claimed ON taskflow.deliveries (lease_until) WHERE state = 'claimed';
CREATE INDEX IF NOT EXISTS idx_deliveries_recipient ON taskflow.deliveries (recipient_user)
    WHERE state IN ('scheduled', 'claimed');

CREATE TABLE IF NOT EXISTS taskflow.delivery_attempts (
    delivery_id uuid        NOT NULL REFERENCES taskflow.deliveries (id),
    attempt     integer     NOT NULL CHECK (attempt >= 1),
    at          timestamptz NOT NULL,
    error       text        NOT NULL,
    PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT delivery_attempts_instants_check CHECK (
        at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00')
);

CREATE TABLE IF NOT EXISTS taskflow.events (
    id          uuid        NOT NULL PRIMARY KEY,
    at          timestamptz NOT NULL,
    actor       uuid,
    entity_kind text        NOT NULL COLLATE "C",
    entity_id   uuid        NOT NULL,
    kind        text        NOT NULL COLLATE "C",
    -- As it was written: jsonb would refuse some texts and reorder fields.
    data        json        NOT NULL,
    -- False: the entity is gone, and the event stays only because somebody else's feed still has it.
    in_history  boolean     NOT NULL DEFAULT true,
    CONSTRAINT events_instants_check CHECK (at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00')
);

CREATE INDEX IF NOT EXISTS idx_events_entity ON taskflow.events (entity_kind, entity_id, at, id);

CREATE TABLE IF NOT EXISTS taskflow.feed (
    user_id  uuid   NOT NULL REFERENCES taskflow.users (id),
    seq      bigint NOT NULL CHECK (seq >= 1),
    event_id uuid   NOT NULL REFERENCES taskflow.events (id),
    PRIMARY KEY (user_id, seq)
);

CREATE INDEX IF NOT EXISTS idx_feed_event ON taskflow.feed (event_id);

-- The last sequence of each feed, which outlives the entries it counted. Room on each page keeps its updates there.
CREATE TABLE IF NOT EXISTS taskflow.feed_heads (
    user_id uuid   NOT NULL PRIMARY KEY REFERENCES taskflow.users (id),
    seq     bigint NOT NULL CHECK (seq >= 1)
) WITH (fillfactor = 50);

-- The dev mailbox: what would have been sent.
CREATE TABLE IF NOT EXISTS taskflow.mailbox (
    id        uuid        NOT NULL PRIMARY KEY,
    kept_at   timestamptz NOT NULL,
    recipient text        NOT NULL,
    subject   text        NOT NULL,
    text      text        NOT NULL,
    html      text,
    source    text        NOT NULL,
    CONSTRAINT mailbox_instants_check CHECK (
        kept_at >= '0001-01-01 00:00:00+00' AND kept_at < '10000-01-01 00:00:00+00')
);

CREATE INDEX IF NOT EXISTS idx_mailbox_kept_at ON taskflow.mailbox (kept_at, id);

-- Rows edited by hand get a new updated_at. The service raises the version with each of its writes, and those are left
-- as they are.
CREATE OR REPLACE FUNCTION taskflow.touch_updated_at() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER users_updated_at BEFORE UPDATE ON taskflow.users FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.updated_at = OLD.updated_at)
    EXECUTE FUNCTION taskflow.touch_updated_at();

CREATE OR REPLACE TRIGGER tasks_updated_at BEFORE UPDATE ON taskflow.tasks FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.updated_at = OLD.updated_at)
    EXECUTE FUNCTION taskflow.touch_updated_at();

-- The ledger for people with a SQL prompt.
CREATE OR REPLACE VIEW taskflow.outbox_status AS
SELECT
    d.id,
    d.kind,
    coalesce(d.recipient_address, u.email) AS recipient,
    d.state,
    d.attempts,
    d.due_at,
    d.next_at,
    d.first_claimed_at,
    d.settled_at,
    d.dedupe_key,
    d.last_error
FROM taskflow.deliveries AS d
LEFT JOIN taskflow.users AS u ON u.id = d.recipient_user;
