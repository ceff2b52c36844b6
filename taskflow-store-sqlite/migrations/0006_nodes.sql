-- The processes that share this database: what each said last, when, and until when that counts.

CREATE TABLE taskflow_nodes (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    sends_mail INTEGER NOT NULL CHECK (sends_mail IN (0, 1)),
    -- Mails per second that it claims of a rate that all share.
    mail_rate  REAL CHECK (mail_rate >= 0),
    seen_at    INTEGER NOT NULL,
    live_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
