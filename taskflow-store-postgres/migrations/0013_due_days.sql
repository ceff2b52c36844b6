-- Tasks that are due on a day. due_at is the last instant of that day where their owner lives, so that whatever goes by it
-- goes on.

ALTER TABLE taskflow.tasks ADD COLUMN IF NOT EXISTS due_on date;
