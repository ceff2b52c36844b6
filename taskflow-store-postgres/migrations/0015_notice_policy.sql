-- The policy of a notice is written with its delivery, so that no statement and no index needs to know a kind.

-- Whether mail of this kind comes again and again by itself. Such mail makes up most of the ledger. Rows of earlier releases
-- say `false`, which is always safe: they have an entry in the index below that is not needed, until they are purged.
ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS recurring boolean NOT NULL DEFAULT false;
-- Whether several that are due in one minute are one mail. Rows of earlier releases are marked after the migrations.
ALTER TABLE taskflow.deliveries ADD COLUMN IF NOT EXISTS gathered boolean NOT NULL DEFAULT false;

-- Takes the place of idx_deliveries_kind, for operators who list a kind. Two of them would cost each mail twice; a process of
-- an earlier release still lists everything, but reads more.
CREATE INDEX IF NOT EXISTS idx_deliveries_by_kind ON taskflow.deliveries (kind, id) WHERE NOT recurring;
DROP INDEX IF EXISTS taskflow.idx_deliveries_kind;
-- Takes the place of idx_deliveries_task_due, which stays for processes of earlier releases; a later release drops it.
CREATE INDEX IF NOT EXISTS idx_deliveries_gathered ON taskflow.deliveries (recipient_user, next_at)
    WHERE gathered AND state = 'scheduled';
