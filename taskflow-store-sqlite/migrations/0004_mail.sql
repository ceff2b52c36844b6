-- Which mail people want and when, addresses that get none any more, and the ledger by recipient.

-- The kinds of mail they do not want, as a JSON array; a release of tomorrow may know more of them than this one.
ALTER TABLE taskflow_users ADD COLUMN mail_off TEXT NOT NULL DEFAULT '[]'
    CHECK (CASE WHEN json_valid(mail_off) THEN json_type(mail_off) = 'array' ELSE 0 END);
-- Between these minutes after midnight of their zone mail waits, over midnight if need be.
ALTER TABLE taskflow_users ADD COLUMN quiet_from INTEGER CHECK (quiet_from BETWEEN 0 AND 1439);
ALTER TABLE taskflow_users ADD COLUMN quiet_until INTEGER
    CHECK (quiet_until BETWEEN 0 AND 1439)
    CHECK (CASE WHEN quiet_from IS NULL THEN quiet_until IS NULL ELSE quiet_from <> coalesce(quiet_until, quiet_from) END);
-- When their daily summary is made: minutes after midnight of their zone, and a bit for each day, Monday the lowest.
ALTER TABLE taskflow_users ADD COLUMN summary_minute INTEGER NOT NULL DEFAULT 540
    CHECK (summary_minute BETWEEN 0 AND 1439);
ALTER TABLE taskflow_users ADD COLUMN summary_days INTEGER NOT NULL DEFAULT 127 CHECK (summary_days BETWEEN 0 AND 127);

-- Whose summary is due: a zone and a minute of its clock at a time.
CREATE INDEX taskflow_idx_users_summary ON taskflow_users (time_zone, summary_minute, id);

-- Addresses that get no mail any more.
CREATE TABLE taskflow_suppressions (
    email_key TEXT    NOT NULL PRIMARY KEY,
    email     TEXT    NOT NULL,
    cause     TEXT    NOT NULL CHECK (cause IN ('refused', 'bounce', 'complaint', 'admin')),
    detail    TEXT    NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What went to somebody, in the order of ids; the first also finds what is still open, as the index did that it replaces.
CREATE INDEX taskflow_idx_deliveries_recipient_user ON taskflow_deliveries (recipient_user, id)
    WHERE recipient_user IS NOT NULL;
-- Addresses are ASCII, where lower() is what core folds them to.
CREATE INDEX taskflow_idx_deliveries_recipient_address ON taskflow_deliveries (lower(recipient_address), id)
    WHERE recipient_address IS NOT NULL;
DROP INDEX taskflow_idx_deliveries_recipient;
