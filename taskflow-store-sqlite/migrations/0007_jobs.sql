-- The recurring duties, what they count, and what they need to find what has served its time.

CREATE TABLE taskflow_jobs (
    name      TEXT    NOT NULL PRIMARY KEY,
    -- Everything up to here is taken care of.
    slot      INTEGER NOT NULL,
    -- Since when the schedule is not followed.
    paused_at INTEGER,
    -- What the last run left for the next.
    memo      TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE taskflow_job_runs (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    job         TEXT    NOT NULL REFERENCES taskflow_jobs (name),
    slot        INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    trigger     TEXT    NOT NULL CHECK (trigger IN ('schedule', 'slot', 'now')),
    dry_run     INTEGER NOT NULL CHECK (dry_run IN (0, 1)),
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    node        TEXT,
    tries       INTEGER NOT NULL CHECK (tries >= 0),
    cursor      TEXT,
    counts      TEXT    NOT NULL CHECK (json_valid(counts)),
    error       TEXT,
    -- Who holds it, and until when by the clock of the database.
    lease       TEXT,
    lease_until INTEGER,
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK (finished_at IS NULL OR lease IS NULL)
) STRICT;

-- Whoever comes second finds the slot taken: this row decides which node acts.
CREATE UNIQUE INDEX taskflow_idx_job_runs_slot ON taskflow_job_runs (job, slot) WHERE dry_run = 0;
-- What is not over; hardly ever more than one for each job.
CREATE INDEX taskflow_idx_job_runs_open ON taskflow_job_runs (job, id) WHERE finished_at IS NULL;
-- The list of a job's runs, from either end.
CREATE INDEX taskflow_idx_job_runs_job ON taskflow_job_runs (job, id);

-- What people have done, as it was counted last.
CREATE TABLE taskflow_user_statistics (
    user_id      TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    counted_at   INTEGER NOT NULL,
    total        INTEGER NOT NULL CHECK (total >= 0),
    pending      INTEGER NOT NULL CHECK (pending >= 0),
    in_progress  INTEGER NOT NULL CHECK (in_progress >= 0),
    completed    INTEGER NOT NULL CHECK (completed >= 0),
    overdue      INTEGER NOT NULL CHECK (overdue >= 0),
    -- From making to completing, of all completed tasks together.
    lead_seconds INTEGER NOT NULL CHECK (lead_seconds >= 0),
    streak_days  INTEGER NOT NULL CHECK (streak_days BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;

-- What became of deliveries that are no longer kept, by the day (UTC) on which they were settled. The ledger goes on
-- counting them.
CREATE TABLE taskflow_ledger_totals (
    day   TEXT    NOT NULL CHECK (length(day) = 10),
    kind  TEXT    NOT NULL,
    state TEXT    NOT NULL CHECK (state IN ('delivered', 'discarded', 'cancelled', 'expired')),
    count INTEGER NOT NULL CHECK (count >= 1),
    PRIMARY KEY (day, kind, state)
) STRICT, WITHOUT ROWID;

-- When a feed's newest event happened, so that who has changed something is found by the heads alone. A head is written
-- with each event in any case.
ALTER TABLE taskflow_feed_heads ADD COLUMN changed_at INTEGER;

-- What is done, person by person: yesterday's for their summary, a year's for their streak. Making a task costs nothing
-- more; completing one is an entry more, in an update that writes to the index of the status in any case.
CREATE INDEX taskflow_idx_tasks_user_completed_at ON taskflow_tasks (user_id, completed_at)
    WHERE completed_at IS NOT NULL;
-- What is done for long enough to go to the trash, of everybody; again an entry with each completion.
CREATE INDEX taskflow_idx_tasks_completed_at ON taskflow_tasks (completed_at, id)
    WHERE completed_at IS NOT NULL AND deleted_at IS NULL;
-- The trash by age, and cancelled meetings: paid for by what goes there.
CREATE INDEX taskflow_idx_tasks_deleted_at ON taskflow_tasks (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX taskflow_idx_meetings_cancelled_at ON taskflow_meetings (cancelled_at) WHERE cancelled_at IS NOT NULL;

-- The settled part of the ledger by age. A settlement writes an entry to it, always at the end: a third of a microsecond
-- and a hundred bytes of log for each mail. Ids would do without it (what was settled long ago was planned before that),
-- but each slice would read again all that was planned long ago for a time to come.
CREATE INDEX taskflow_idx_deliveries_settled_at ON taskflow_deliveries (settled_at) WHERE settled_at IS NOT NULL;

-- What could not be sent and waits for its next try, by its age: a few rows but in an outage of the relay, and those are
-- written to two indexes at each try in any case.
CREATE INDEX taskflow_idx_deliveries_failed ON taskflow_deliveries (due_at)
    WHERE state = 'scheduled' AND last_error IS NOT NULL;

-- When sessions and tokens were over, one way or the other. A session is refreshed once in the lifetime of an access
-- token, and a token is used once, so neither is written often.
CREATE INDEX taskflow_idx_sessions_over_at ON taskflow_sessions (coalesce(min(expires_at, ended_at), expires_at));
CREATE INDEX taskflow_idx_tokens_over_at ON taskflow_tokens (coalesce(min(expires_at, used_at), expires_at));
-- Answers by age: an entry with each request that carries a key, always at the end.
CREATE INDEX taskflow_idx_answers_created_at ON taskflow_answers (created_at);
-- Runs that are over by age; a run is a rare thing.
CREATE INDEX taskflow_idx_job_runs_finished_at ON taskflow_job_runs (finished_at) WHERE finished_at IS NOT NULL;
