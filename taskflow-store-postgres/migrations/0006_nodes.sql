-- The processes that share this database: what each said last, when, and until when that counts.

CREATE TABLE IF NOT EXISTS taskflow.nodes (
    id         text             NOT NULL COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
    version    text             NOT NULL,
    started_at timestamptz      NOT NULL,
    sends_mail boolean          NOT NULL,
    -- Mails per second that it claims of a rate that all share.
    mail_rate  double precision CHECK (mail_rate >= 0 AND mail_rate < 'infinity'),
    seen_at    timestamptz      NOT NULL,
    live_until timestamptz      NOT NULL,
    CONSTRAINT nodes_instants_check CHECK (started_at >= '0001-01-01 00:00:00+00' AND started_at < '10000-01-01 00:00:00+00')
);
