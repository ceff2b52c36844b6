-- Meetings, the people in them, and what stands behind links in mail.

CREATE TABLE IF NOT EXISTS taskflow.meetings (
    id               uuid        NOT NULL PRIMARY KEY,
    -- Absent once the account is gone; who calendars know as the organizer stays.
    created_by       uuid        REFERENCES taskflow.users (id),
    organizer_name   text,
    organizer_email  text        NOT NULL CHECK (char_length(organizer_email) BETWEEN 3 AND 254),
    title            text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 255),
    title_key        text        NOT NULL COLLATE "C",
    description      text        CHECK (char_length(description) <= 10000),
    -- Title, description and location, folded: where words are looked for.
    search_text      text        NOT NULL COLLATE "C",
    meeting_date     timestamptz NOT NULL,
    -- What the clock on the wall of time_zone shows then, by the rules that tzdb names.
    local_start      timestamp   NOT NULL,
    time_zone        text        NOT NULL,
    tzdb             text        NOT NULL COLLATE "C",
    duration_minutes integer     NOT NULL CHECK (duration_minutes BETWEEN 1 AND 1440),
    location         text        CHECK (char_length(location) BETWEEN 1 AND 255),
    meeting_url      text        CHECK (char_length(meeting_url) <= 500 AND meeting_url ~ '^https?://'),
    meeting_type     text        NOT NULL COLLATE "C" CHECK (meeting_type IN ('in_person', 'virtual', 'hybrid')),
    reminder_minutes integer     NOT NULL CHECK (reminder_minutes BETWEEN 0 AND 40320),
    ended_at         timestamptz,
    cancelled_at     timestamptz,
    -- As calendars count it (RFC 5545 section 3.8.7.4).
    sequence         bigint      NOT NULL CHECK (sequence BETWEEN 0 AND 4294967295),
    -- Changes of late that people are told of together.
    burst_since      timestamptz,
    burst_due_at     timestamptz,
    burst_version    bigint      CHECK (burst_version >= 1),
    version          bigint      NOT NULL CHECK (version >= 1),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT meetings_burst_check CHECK (
        num_nonnulls(burst_since, burst_due_at, burst_version) IN (0, 3)),
    CONSTRAINT meetings_local_start_check CHECK (
        local_start >= '0001-01-01 00:00:00' AND local_start < '10000-01-01 00:00:00'),
    CONSTRAINT meetings_instants_check CHECK (
        least(meeting_date, ended_at, cancelled_at, burst_since, burst_due_at, created_at, updated_at)
            >= '0001-01-01 00:00:00+00'
        AND greatest(meeting_date, ended_at, cancelled_at, burst_since, burst_due_at, created_at, updated_at)
            < '10000-01-01 00:00:00+00')
);

CREATE INDEX IF NOT EXISTS idx_meetings_created_by ON taskflow.meetings (created_by);
-- The order of the sweep that looks for what was left unplanned.
CREATE INDEX IF NOT EXISTS idx_meetings_meeting_date ON taskflow.meetings (meeting_date, id);
-- Finds the starts to look at after the rules of zones have changed, version by version.
CREATE INDEX IF NOT EXISTS idx_meetings_tzdb ON taskflow.meetings (tzdb, meeting_date, id)
    WHERE cancelled_at IS NULL AND ended_at IS NULL;

-- Everybody is told and answers at about the same time; room on each page keeps those updates there.
CREATE TABLE IF NOT EXISTS taskflow.meeting_participants (
    id              uuid        NOT NULL PRIMARY KEY,
    meeting_id      uuid        NOT NULL REFERENCES taskflow.meetings (id),
    -- Absent for guests.
    user_id         uuid        REFERENCES taskflow.users (id),
    email           text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    email_key       text        NOT NULL COLLATE "C",
    name            text        CHECK (char_length(name) BETWEEN 1 AND 100),
    role            text        NOT NULL COLLATE "C" CHECK (role IN ('organizer', 'attendee', 'optional')),
    response_status text        NOT NULL COLLATE "C"
        CHECK (response_status IN ('pending', 'accepted', 'declined', 'tentative')),
    comment         text        CHECK (char_length(comment) BETWEEN 1 AND 1000),
    responded_at    timestamptz,
    -- Minutes before the meeting; absent: as the meeting says, empty: none.
    reminders       integer[],
    -- The version of the meeting that they were told of last, and whether it was on for them.
    told_version    bigint      CHECK (told_version >= 0),
    told_on         boolean,
    removed_at      timestamptz,
    version         bigint      NOT NULL CHECK (version >= 1),
    CONSTRAINT meeting_participants_told_check CHECK ((told_version IS NULL) = (told_on IS NULL)),
    CONSTRAINT meeting_participants_reminders_check CHECK (
        cardinality(reminders) <= 5
        AND array_position(reminders, NULL) IS NULL
        AND 0 <= ALL (reminders)
        AND 40320 >= ALL (reminders)),
    CONSTRAINT meeting_participants_instants_check CHECK (
        least(responded_at, removed_at) >= '0001-01-01 00:00:00+00'
        AND greatest(responded_at, removed_at) < '10000-01-01 00:00:00+00')
) WITH (fillfactor = 70);

-- An address comes once in a meeting; also finds the people of a meeting.
CREATE UNIQUE INDEX IF NOT EXISTS idx_meeting_participants_email
    ON taskflow.meeting_participants (meeting_id, email_key);
CREATE INDEX IF NOT EXISTS idx_meeting_participants_user_id ON taskflow.meeting_participants (user_id, meeting_id)
    WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_meeting_participants_guests ON taskflow.meeting_participants (email_key)
    WHERE user_id IS NULL;

-- What meetings were like from one version on, so that people can be told what is different.
CREATE TABLE IF NOT EXISTS taskflow.meeting_revisions (
    meeting_id uuid   NOT NULL REFERENCES taskflow.meetings (id),
    version    bigint NOT NULL CHECK (version >= 1),
    -- As it was written: jsonb would refuse some texts and reorder fields.
    facts      json   NOT NULL,
    PRIMARY KEY (meeting_id, version)
);

-- What stands behind links in mail. No secret: a link is a code over the id, made when the mail leaves.
CREATE TABLE IF NOT EXISTS taskflow.tokens (
    id         uuid        NOT NULL PRIMARY KEY,
    purpose    text        NOT NULL COLLATE "C" CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id    uuid        NOT NULL REFERENCES taskflow.users (id),
    email      text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT tokens_instants_check CHECK (
        least(created_at, expires_at, used_at) >= '0001-01-01 00:00:00+00'
        AND greatest(created_at, expires_at, used_at) < '10000-01-01 00:00:00+00')
);

CREATE INDEX IF NOT EXISTS idx_tokens_user_id ON taskflow.tokens (user_id);

-- As for people and tasks. Who called a meeting and who its rules come from change without a version, and are no edits.
CREATE OR REPLACE TRIGGER meetings_updated_at BEFORE UPDATE ON taskflow.meetings FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.updated_at = OLD.updated_at AND NEW.tzdb = OLD.tzdb
        AND NEW.created_by IS NOT DISTINCT FROM OLD.created_by)
    EXECUTE FUNCTION taskflow.touch_updated_at();

-- The reminders of meetings in the ledger, for people with a SQL prompt.
CREATE OR REPLACE VIEW taskflow.meeting_reminders AS
SELECT
    d.id,
    (d.notice ->> 'meeting')::uuid AS meeting_id,
    (d.notice ->> 'participant')::uuid AS participant_id,
    p.email,
    (d.notice ->> 'minutes')::integer AS minutes,
    d.planned_at,
    d.due_at,
    d.next_at,
    CASE d.state WHEN 'delivered' THEN d.settled_at END AS sent_at,
    d.state,
    d.attempts,
    d.last_error,
    d.reply,
    d.reason
FROM taskflow.deliveries AS d
LEFT JOIN taskflow.meeting_participants AS p ON p.id = (d.notice ->> 'participant')::uuid
WHERE d.kind = 'meeting_reminder';
