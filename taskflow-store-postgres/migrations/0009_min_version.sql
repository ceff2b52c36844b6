-- `min_version`: the newest migration that a program must know to use this database. A migration that older releases
-- cannot work with sets it to its own number; a release that does not know that number refuses to start.
CREATE TABLE IF NOT EXISTS taskflow.schema_info (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO taskflow.schema_info (name, value) VALUES ('min_version', 1) ON CONFLICT (name) DO NOTHING;
