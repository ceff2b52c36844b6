-- Accounts whose deletion has begun: absent for everybody, until a job has removed what they leave.

ALTER TABLE taskflow_users ADD COLUMN deleted_at INTEGER;

CREATE INDEX taskflow_idx_users_deleted ON taskflow_users (id) WHERE deleted_at IS NOT NULL;
