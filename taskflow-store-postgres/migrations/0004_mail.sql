-- Which mail people want and when, addresses that get none any more, and the ledger by recipient.

ALTER TABLE taskflow.users
    -- The kinds of mail they do not want; a release of tomorrow may know more of them than this one.
    ADD COLUMN IF NOT EXISTS mail_off text[] COLLATE "C" NOT NULL DEFAULT '{}'
        CONSTRAINT users_mail_off_check CHECK (array_position(mail_off, NULL) IS NULL),
    -- Between these minutes after midnight of their zone mail waits, over midnight if need be.
    ADD COLUMN IF NOT EXISTS quiet_from smallint CHECK (quiet_from BETWEEN 0 AND 1439),
    ADD COLUMN IF NOT EXISTS quiet_until smallint CHECK (quiet_until BETWEEN 0 AND 1439)
        CONSTRAINT users_quiet_hours_check CHECK (
            num_nonnulls(quiet_from, quiet_until) IN (0, 2) AND (quiet_from = quiet_until) IS NOT TRUE),
    -- When their daily summary is made: minutes after midnight of their zone, and a bit for each day, Monday the lowest.
    ADD COLUMN IF NOT EXISTS summary_minute smallint NOT NULL DEFAULT 540 CHECK (summary_minute BETWEEN 0 AND 1439),
    ADD COLUMN IF NOT EXISTS summary_days smallint NOT NULL DEFAULT 127 CHECK (summary_days BETWEEN 0 AND 127);

-- Whose summary is due: a zone and a minute of its clock at a time.
CREATE INDEX IF NOT EXISTS idx_users_summary ON taskflow.users (time_zone, summary_minute, id);

-- Addresses that get no mail any more.
CREATE TABLE IF NOT EXISTS taskflow.suppressions (
    email_key text        NOT NULL COLLATE "C" PRIMARY KEY,
    email     text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    cause     text        NOT NULL COLLATE "C" CHECK (cause IN ('refused', 'bounce', 'complaint', 'admin')),
    detail    text        NOT NULL,
    at        timestamptz NOT NULL,
    CONSTRAINT suppressions_instants_check CHECK (at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00')
);

-- What went to somebody, in the order of ids; the first also finds what is still open, as the index did that it replaces.
CREATE INDEX IF NOT EXISTS idx_deliveries_recipient_user ON taskflow.deliveries (recipient_user, id)
    WHERE recipient_user IS NOT NULL;
-- Addresses are ASCII, where lower() is what core folds them to.
CREATE INDEX IF NOT EXISTS idx_deliveries_recipient_address
    ON taskflow.deliveries (lower(recipient_address COLLATE "C"), id) WHERE recipient_address IS NOT NULL;
DROP INDEX IF EXISTS taskflow.idx_deliveries_recipient;
