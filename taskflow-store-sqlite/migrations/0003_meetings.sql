-- Meetings and the people in them, what meetings were like before, and what stands behind the links in mail.

CREATE TABLE taskflow_meetings (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- Who called it; nobody once that account is gone.
    created_by       TEXT    REFERENCES taskflow_users (id),
    -- How calendars know the organizer, whatever becomes of the account.
    organizer_name   TEXT,
    organizer_email  TEXT    NOT NULL,
    title            TEXT    NOT NULL,
    title_key        TEXT    NOT NULL,
    description      TEXT,
    -- Title, description and location, one line each and more, folded: where words are looked for.
    search_text      TEXT    NOT NULL,
    meeting_date     INTEGER NOT NULL,
    -- What the clock on the wall of the zone shows then: microseconds since it showed 1970-01-01T00:00:00.
    local_start      INTEGER NOT NULL,
    time_zone        TEXT    NOT NULL,
    -- The version of the time zone database that meeting_date was found with.
    tzdb             TEXT    NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes BETWEEN 1 AND 1440),
    location         TEXT,
    meeting_url      TEXT,
    meeting_type     TEXT    NOT NULL CHECK (meeting_type IN ('in_person', 'virtual', 'hybrid')),
    reminder_minutes INTEGER NOT NULL CHECK (reminder_minutes BETWEEN 0 AND 40320),
    ended_at         INTEGER,
    cancelled_at     INTEGER,
    sequence         INTEGER NOT NULL CHECK (sequence BETWEEN 0 AND 4294967295),
    burst_since      INTEGER,
    burst_due_at     INTEGER,
    burst_version    INTEGER CHECK (burst_version >= 1),
    version          INTEGER NOT NULL CHECK (version >= 1),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CHECK ((burst_since IS NULL) = (burst_due_at IS NULL)),
    CHECK ((burst_since IS NULL) = (burst_version IS NULL))
) STRICT;

CREATE INDEX taskflow_idx_meetings_created_by ON taskflow_meetings (created_by);
-- What takes place, in the order of time.
CREATE INDEX taskflow_idx_meetings_meeting_date ON taskflow_meetings (meeting_date, id)
    WHERE cancelled_at IS NULL AND ended_at IS NULL;
CREATE INDEX taskflow_idx_meetings_tzdb ON taskflow_meetings (tzdb, meeting_date)
    WHERE cancelled_at IS NULL AND ended_at IS NULL;

CREATE TABLE taskflow_meeting_participants (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    meeting_id      TEXT    NOT NULL REFERENCES taskflow_meetings (id),
    -- A guest has no account.
    user_id         TEXT    REFERENCES taskflow_users (id),
    email           TEXT    NOT NULL,
    email_key       TEXT    NOT NULL,
    name            TEXT,
    role            TEXT    NOT NULL CHECK (role IN ('organizer', 'attendee', 'optional')),
    response_status TEXT    NOT NULL CHECK (response_status IN ('pending', 'accepted', 'declined', 'tentative')),
    comment         TEXT,
    responded_at    INTEGER,
    -- Their own minutes as a JSON array; NULL: as the meeting says.
    reminders       TEXT
        CHECK (reminders IS NULL OR CASE WHEN json_valid(reminders)
            THEN json_type(reminders) = 'array' AND json_array_length(reminders) <= 5 ELSE 0 END),
    -- The version of the meeting that they were told of last, and whether it was on for them.
    told_version    INTEGER CHECK (told_version >= 1),
    told_on         INTEGER CHECK (told_on IN (0, 1)),
    removed_at      INTEGER,
    version         INTEGER NOT NULL CHECK (version >= 1),
    CHECK ((told_version IS NULL) = (told_on IS NULL))
) STRICT;

-- An address comes once in a meeting; also finds everybody in it.
CREATE UNIQUE INDEX taskflow_idx_meeting_participants_email
    ON taskflow_meeting_participants (meeting_id, email_key);
CREATE INDEX taskflow_idx_meeting_participants_user_id
    ON taskflow_meeting_participants (user_id, removed_at, meeting_id) WHERE user_id IS NOT NULL;
CREATE INDEX taskflow_idx_meeting_participants_guests ON taskflow_meeting_participants (email_key) WHERE user_id IS NULL;

-- What there was to know about a meeting from one of its versions on.
CREATE TABLE taskflow_meeting_revisions (
    meeting_id TEXT    NOT NULL REFERENCES taskflow_meetings (id),
    version    INTEGER NOT NULL CHECK (version >= 1),
    facts      TEXT    NOT NULL CHECK (json_valid(facts)),
    PRIMARY KEY (meeting_id, version)
) STRICT;

-- What stands behind the links in mail. No secrets: a link is a MAC over the id, made when the mail leaves.
CREATE TABLE taskflow_tokens (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id    TEXT    NOT NULL REFERENCES taskflow_users (id),
    email      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at >= created_at),
    used_at    INTEGER
) STRICT;

CREATE INDEX taskflow_idx_tokens_user_id ON taskflow_tokens (user_id);

-- The reminders of meetings for people with a SQL prompt.
CREATE VIEW taskflow_meeting_reminders AS
SELECT
    d.id,
    d.meeting_id,
    d.participant_id,
    p.email,
    d.minutes,
    strftime('%Y-%m-%dT%H:%M:%S', d.planned_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.planned_at % 1000000) AS planned_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.due_at / 1000000, 'unixepoch') || printf('.%06dZ', d.due_at % 1000000) AS due_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.next_at / 1000000, 'unixepoch') || printf('.%06dZ', d.next_at % 1000000) AS next_at,
    CASE d.state WHEN 'delivered' THEN strftime('%Y-%m-%dT%H:%M:%S', d.settled_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.settled_at % 1000000) END AS sent_at,
    d.state,
    d.attempts,
    d.last_error,
    d.reply,
    d.reason
FROM (
    SELECT *,
        -- A notice that is no JSON spoils nothing but its own row.
        CASE WHEN json_valid(notice) THEN notice ->> 'meeting' END AS meeting_id,
        CASE WHEN json_valid(notice) THEN notice ->> 'participant' END AS participant_id,
        CASE WHEN json_valid(notice) THEN notice ->> 'minutes' END AS minutes
    FROM taskflow_deliveries
    WHERE kind = 'meeting_reminder') AS d
LEFT JOIN taskflow_meeting_participants AS p ON p.id = d.participant_id;
