-- What accounts have used of their quotas, counted when it is first needed: no row means that nothing was counted yet.

CREATE TABLE taskflow_quotas (
    -- What it is counted for; for accounts their id.
    subject TEXT    NOT NULL,
    quota   TEXT    NOT NULL,
    used    INTEGER NOT NULL CHECK (used >= 0),
    -- When counting begins anew. So what a process of an earlier release has stored is counted within a day.
    until   INTEGER NOT NULL,
    PRIMARY KEY (subject, quota)
) STRICT, WITHOUT ROWID;
