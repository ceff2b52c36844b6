-- Accounts whose deletion has begun: absent for everybody, until a job has removed what they leave.

ALTER TABLE taskflow.users ADD COLUMN IF NOT EXISTS deleted_at timestamptz
    CONSTRAINT users_deleted_at_check CHECK (
        deleted_at >= '0001-01-01 00:00:00+00' AND deleted_at < '10000-01-01 00:00:00+00');

CREATE INDEX IF NOT EXISTS idx_users_deleted ON taskflow.users (id) WHERE deleted_at IS NOT NULL;
