-- How far the clock of a node is ahead of the database's, in microseconds; negative: behind.
ALTER TABLE taskflow_nodes ADD COLUMN clock_ahead INTEGER;
-- A check of whether the file can be written writes its header; it needs no table.
