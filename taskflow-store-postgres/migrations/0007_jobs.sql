-- The recurring duties, what they count, and what they need to find what has served its time.

CREATE TABLE IF NOT EXISTS taskflow.jobs (
    name      text        NOT NULL COLLATE "C" PRIMARY KEY,
    -- Everything up to here is taken care of.
    slot      timestamptz NOT NULL,
    -- Since when the schedule is not followed.
    paused_at timestamptz,
    -- What the last run left for the next.
    memo      text,
    CONSTRAINT jobs_instants_check CHECK (
        least(slot, paused_at) >= '0001-01-01 00:00:00+00'
        AND greatest(slot, paused_at) < '10000-01-01 00:00:00+00')
);

-- A run changes with each of its pages; room on each page keeps those updates there.
CREATE TABLE IF NOT EXISTS taskflow.job_runs (
    id          uuid        NOT NULL PRIMARY KEY,
    job         text        NOT NULL COLLATE "C" REFERENCES taskflow.jobs (name),
    slot        timestamptz NOT NULL,
    since       timestamptz NOT NULL,
    trigger     text        NOT NULL COLLATE "C" CHECK (trigger IN ('schedule', 'slot', 'now')),
    dry_run     boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz,
    node        text,
    tries       integer     NOT NULL CHECK (tries >= 0),
    cursor      text,
    -- As it was written: jsonb would reorder fields.
    counts      json        NOT NULL,
    error       text,
    -- Who holds it, and until when by the clock of the database.
    lease       uuid,
    lease_until timestamptz,
    CONSTRAINT job_runs_lease_check CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CONSTRAINT job_runs_finished_check CHECK (finished_at IS NULL OR lease IS NULL),
    CONSTRAINT job_runs_instants_check CHECK (
        least(slot, since, created_at, started_at, finished_at) >= '0001-01-01 00:00:00+00'
        AND greatest(slot, since, created_at, started_at, finished_at) < '10000-01-01 00:00:00+00')
) WITH (fillfactor = 50);

-- Whoever comes second finds the slot taken: this row decides which node acts.
CREATE UNIQUE INDEX IF NOT EXISTS idx_job_runs_slot ON taskflow.job_runs (job, slot) WHERE NOT dry_run;
-- What is not over; hardly ever more than one for each job.
CREATE INDEX IF NOT EXISTS idx_job_runs_open ON taskflow.job_runs (job, id) WHERE finished_at IS NULL;
-- The list of a job's runs, from either end.
CREATE INDEX IF NOT EXISTS idx_job_runs_job ON taskflow.job_runs (job, id);

-- What people have done, as it was counted last.
CREATE TABLE IF NOT EXISTS taskflow.user_statistics (
    user_id      uuid        NOT NULL PRIMARY KEY REFERENCES taskflow.users (id),
    counted_at   timestamptz NOT NULL,
    total        bigint      NOT NULL CHECK (total >= 0),
    pending      bigint      NOT NULL CHECK (pending >= 0),
    in_progress  bigint      NOT NULL CHECK (in_progress >= 0),
    completed    bigint      NOT NULL CHECK (completed >= 0),
    overdue      bigint      NOT NULL CHECK (overdue >= 0),
    -- From making to completing, of all completed tasks together.
    lead_seconds bigint      NOT NULL CHECK (lead_seconds >= 0),
    streak_days  bigint      NOT NULL CHECK (streak_days BETWEEN 0 AND 4294967295),
    CONSTRAINT user_statistics_instants_check CHECK (
        counted_at >= '0001-01-01 00:00:00+00' AND counted_at < '10000-01-01 00:00:00+00')
);

-- What became of deliveries that are no longer kept, by the day (UTC) on which they were settled. The ledger goes on
-- counting them.
CREATE TABLE IF NOT EXISTS taskflow.ledger_totals (
    day   date   NOT NULL,
    kind  text   NOT NULL COLLATE "C",
    state text   NOT NULL COLLATE "C" CHECK (state IN ('delivered', 'discarded', 'cancelled', 'expired')),
    count bigint NOT NULL CHECK (count >= 1),
    PRIMARY KEY (day, kind, state)
);

-- The newest event that a feed was told of: statistics are counted anew of whom it concerns. No index, so that a head goes
-- on being written in its place; absent until the next event.
ALTER TABLE taskflow.feed_heads ADD COLUMN IF NOT EXISTS changed_at timestamptz
    CONSTRAINT feed_heads_changed_at_check CHECK (
        changed_at >= '0001-01-01 00:00:00+00' AND changed_at < '10000-01-01 00:00:00+00');

-- What is done, person by person: yesterday's for their summary, a year's for their streak. Making a task costs nothing
-- more; completing one is an entry more, in an update that writes to the indexes of the status in any case.
CREATE INDEX IF NOT EXISTS idx_tasks_user_completed_at ON taskflow.tasks (user_id, completed_at)
    WHERE completed_at IS NOT NULL;
-- What is done for long enough to go to the trash, of everybody; again an entry with each completion.
CREATE INDEX IF NOT EXISTS idx_tasks_completed_at ON taskflow.tasks (completed_at, id)
    WHERE completed_at IS NOT NULL AND deleted_at IS NULL;
-- The trash by age, and cancelled meetings: paid for by what goes there.
CREATE INDEX IF NOT EXISTS idx_tasks_deleted_at ON taskflow.tasks (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_meetings_cancelled_at ON taskflow.meetings (cancelled_at)
    WHERE cancelled_at IS NOT NULL;

-- The settled part of the ledger by age. A settlement writes an entry to it, always at the end, beside the entries that
-- leaving the queue costs it in four other indexes. Ids would do without it (what was settled long ago was planned before
-- that), but each slice would read again all that was planned long ago for a time to come.
CREATE INDEX IF NOT EXISTS idx_deliveries_settled_at ON taskflow.deliveries (settled_at) WHERE settled_at IS NOT NULL;

-- What could not be sent and waits for its next try, by its age: a few rows but in an outage of the relay, and those are
-- written to two indexes at each try in any case.
CREATE INDEX IF NOT EXISTS idx_deliveries_failed ON taskflow.deliveries (due_at)
    WHERE state = 'scheduled' AND last_error IS NOT NULL;

-- When sessions and tokens were over, one way or the other. A session is refreshed once in the lifetime of an access
-- token, and a token is used once, so neither is written often.
CREATE INDEX IF NOT EXISTS idx_sessions_over_at ON taskflow.sessions (least(expires_at, ended_at));
CREATE INDEX IF NOT EXISTS idx_tokens_over_at ON taskflow.tokens (least(expires_at, used_at));
-- Answers by age: an entry with each request that carries a key, always at the end.
CREATE INDEX IF NOT EXISTS idx_answers_created_at ON taskflow.answers (created_at);
