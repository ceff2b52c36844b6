-- How far the clock of a node is ahead of the database's, in microseconds; negative: behind.
ALTER TABLE taskflow.nodes ADD COLUMN IF NOT EXISTS clock_ahead bigint;

-- The row that a check writes to find out whether the database can be written. It says nothing else.
CREATE TABLE IF NOT EXISTS taskflow.write_checks (
    id smallint    NOT NULL PRIMARY KEY CHECK (id = 1),
    at timestamptz NOT NULL
) WITH (fillfactor = 50);
