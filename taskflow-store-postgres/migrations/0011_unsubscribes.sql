-- Kinds of mail that guests ended: it belongs to the address, whatever meeting the mail was about.

CREATE TABLE IF NOT EXISTS taskflow.unsubscribes (
    email_key text        NOT NULL COLLATE "C",
    kind      text        NOT NULL COLLATE "C",
    email     text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    at        timestamptz NOT NULL CHECK (at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00'),
    PRIMARY KEY (email_key, kind)
);
