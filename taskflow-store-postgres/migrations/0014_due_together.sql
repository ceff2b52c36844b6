-- Reminders of tasks that wait for their time, by person: several that are due in one minute are claimed together, and each
-- looks for the ones before it. An entry with each task that asks for a reminder, until it has left.

CREATE INDEX IF NOT EXISTS idx_deliveries_task_due ON taskflow.deliveries (recipient_user, next_at)
    WHERE kind = 'task_due' AND state = 'scheduled';
