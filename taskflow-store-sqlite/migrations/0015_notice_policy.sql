-- The policy of a notice is written with its delivery, so that no statement and no index needs to know a kind.

-- Whether mail of this kind comes again and again by itself. Such mail makes up most of the ledger. Rows of earlier releases
-- say no, which is always safe: they have an entry in the index below that is not needed, until they are purged.
ALTER TABLE taskflow_deliveries ADD COLUMN recurring INTEGER NOT NULL DEFAULT 0 CHECK (recurring IN (0, 1));
-- Whether several that are due in one minute are one mail. Rows of earlier releases are marked after the migrations.
ALTER TABLE taskflow_deliveries ADD COLUMN gathered INTEGER NOT NULL DEFAULT 0 CHECK (gathered IN (0, 1));

-- Takes the place of taskflow_idx_deliveries_kind, for operators who list a kind. Two of them would cost each mail twice; a
-- process of an earlier release still lists everything, but reads more.
CREATE INDEX taskflow_idx_deliveries_by_kind ON taskflow_deliveries (kind, id) WHERE NOT recurring;
DROP INDEX taskflow_idx_deliveries_kind;
-- Takes the place of taskflow_idx_deliveries_task_due, which stays for processes of earlier releases; a later release drops it.
CREATE INDEX taskflow_idx_deliveries_gathered ON taskflow_deliveries (recipient_user, next_at)
    WHERE gathered AND state = 'scheduled';
