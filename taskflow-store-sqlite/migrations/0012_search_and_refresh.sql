-- A refresh whose answer was lost gets the same successor once more; searches know no accents.

-- Whether the token before was shown again and got the same successor.
ALTER TABLE taskflow_sessions ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1));

-- Up to which id the search texts of a table follow the present rule; nothing: all of them.
CREATE TABLE taskflow_search_refolds (
    name  TEXT NOT NULL PRIMARY KEY CHECK (name IN ('tasks', 'meetings')),
    after TEXT
) STRICT;

INSERT INTO taskflow_search_refolds (name, after) VALUES ('tasks', ''), ('meetings', '');
