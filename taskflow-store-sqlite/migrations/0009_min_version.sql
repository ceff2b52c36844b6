-- `min_version`: the newest migration that a program must know to use this database. A migration that older releases
-- cannot work with sets it to its own number; a release that does not know that number refuses to start.
CREATE TABLE taskflow_schema_info (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO taskflow_schema_info (name, value) VALUES ('min_version', 1);
