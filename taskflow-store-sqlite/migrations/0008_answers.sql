-- Answers belong to what was shown, one person is one participant, and guests have a language and a zone.

-- The version of the meeting that they answered last.
ALTER TABLE taskflow_meeting_participants ADD COLUMN answered_version INTEGER CHECK (answered_version >= 1);
-- The answer that a later change of the meeting made void.
ALTER TABLE taskflow_meeting_participants ADD COLUMN reset_response TEXT
    CHECK (reset_response IN ('accepted', 'declined', 'tentative'));
-- The start they proposed instead.
ALTER TABLE taskflow_meeting_participants ADD COLUMN proposed_start INTEGER;
-- For guests; NULL: the organizer's.
ALTER TABLE taskflow_meeting_participants ADD COLUMN locale TEXT;
ALTER TABLE taskflow_meeting_participants ADD COLUMN time_zone TEXT;
-- Why mail about the meeting does not reach them.
ALTER TABLE taskflow_meeting_participants ADD COLUMN delivery_problem TEXT;
-- The participant who turned out to be the same person.
ALTER TABLE taskflow_meeting_participants ADD COLUMN merged_into TEXT;

-- As calendars count it; NULL in rows from before it was kept.
ALTER TABLE taskflow_meeting_revisions ADD COLUMN sequence INTEGER CHECK (sequence BETWEEN 0 AND 4294967295);
