-- What accounts have used of their quotas, counted when it is first needed: no row means that nothing was counted yet.

-- A row changes with each task that its account makes; room on each page keeps those updates there.
CREATE TABLE IF NOT EXISTS taskflow.quotas (
    -- What it is counted for; for accounts their id.
    subject text        NOT NULL COLLATE "C",
    quota   text        NOT NULL COLLATE "C",
    used    bigint      NOT NULL CHECK (used >= 0),
    -- When counting begins anew. So what a process of an earlier release has stored is counted within a day.
    until   timestamptz NOT NULL CHECK (until >= '0001-01-01 00:00:00+00' AND until < '10000-01-01 00:00:00+00'),
    PRIMARY KEY (subject, quota)
) WITH (fillfactor = 50);
