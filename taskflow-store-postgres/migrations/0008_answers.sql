-- Answers belong to what was shown, one person is one participant, and guests have a language and a zone.

ALTER TABLE taskflow.meeting_participants
    -- The version of the meeting that they answered last.
    ADD COLUMN IF NOT EXISTS answered_version bigint CHECK (answered_version >= 1),
    -- The answer that a later change of the meeting made void.
    ADD COLUMN IF NOT EXISTS reset_response text COLLATE "C"
        CHECK (reset_response IN ('accepted', 'declined', 'tentative')),
    -- The start they proposed instead.
    ADD COLUMN IF NOT EXISTS proposed_start timestamptz
        CHECK (proposed_start >= '0001-01-01 00:00:00+00' AND proposed_start < '10000-01-01 00:00:00+00'),
    -- For guests; absent: the organizer's.
    ADD COLUMN IF NOT EXISTS locale text CHECK (char_length(locale) BETWEEN 2 AND 35),
    ADD COLUMN IF NOT EXISTS time_zone text,
    -- Why mail about the meeting does not reach them.
    ADD COLUMN IF NOT EXISTS delivery_problem text CHECK (char_length(delivery_problem) BETWEEN 1 AND 500),
    -- The participant who turned out to be the same person.
    ADD COLUMN IF NOT EXISTS merged_into uuid;

-- As calendars count it; absent in rows from before it was kept.
ALTER TABLE taskflow.meeting_revisions
    ADD COLUMN IF NOT EXISTS sequence bigint CHECK (sequence BETWEEN 0 AND 4294967295);
