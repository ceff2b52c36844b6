-- Kinds of mail that guests ended: it belongs to the address, whatever meeting the mail was about.

CREATE TABLE taskflow_unsubscribes (
    email_key TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    email     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (email_key, kind)
) STRICT, WITHOUT ROWID;
