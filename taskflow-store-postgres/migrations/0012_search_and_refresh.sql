-- A refresh whose answer was lost gets the same successor once more; searches know no accents.

ALTER TABLE taskflow.sessions
    -- Whether the token before was shown again and got the same successor.
    ADD COLUMN IF NOT EXISTS repeated boolean NOT NULL DEFAULT false;

-- Up to which id the search texts of a table follow the present rule; nothing: all of them.
CREATE TABLE IF NOT EXISTS taskflow.search_refolds (
    name  text NOT NULL COLLATE "C" PRIMARY KEY CHECK (name IN ('tasks', 'meetings')),
    after uuid
);

INSERT INTO taskflow.search_refolds (name, after)
VALUES ('tasks', '00000000-0000-0000-0000-000000000000'), ('meetings', '00000000-0000-0000-0000-000000000000')
ON CONFLICT (name) DO NOTHING;

-- Another search text alone is no change of the row.
CREATE OR REPLACE TRIGGER tasks_updated_at BEFORE UPDATE ON taskflow.tasks FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.updated_at = OLD.updated_at AND NEW.search_text = OLD.search_text)
    EXECUTE FUNCTION taskflow.touch_updated_at();

CREATE OR REPLACE TRIGGER meetings_updated_at BEFORE UPDATE ON taskflow.meetings FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.updated_at = OLD.updated_at AND NEW.tzdb = OLD.tzdb
        AND NEW.created_by IS NOT DISTINCT FROM OLD.created_by AND NEW.search_text = OLD.search_text)
    EXECUTE FUNCTION taskflow.touch_updated_at();
