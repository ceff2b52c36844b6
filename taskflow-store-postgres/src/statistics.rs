//! What people have done, as it was counted last.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{CorruptRow, Scope, StatisticsWrite, StoreError, TaskCounts, TaskStatistics, Timestamp, UserId};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.user_statistics");

/// What was counted as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    user_id: UserId,
    counted_at: Timestamp,
    total: u64,
    pending: u64,
    in_progress: u64,
    completed: u64,
    overdue: u64,
    lead_seconds: u64,
    streak_days: u32,
}

impl Params {
    fn new(counted: &TaskStatistics) -> Self {
        let TaskCounts { total, pending, in_progress, completed, overdue, lead_seconds } = counted.counts;
        Self {
            user_id: counted.user_id,
            counted_at: counted.counted_at,
            total,
            pending,
            in_progress,
            completed,
            overdue,
            lead_seconds,
            streak_days: counted.streak_days,
        }
    }
}

/// The writes of statistics as the parameters of statements.
#[derive(Default)]
pub(crate) struct StatisticsWrites {
    changed: Rows,
}

impl StatisticsWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &StatisticsWrite) -> Result<(), StoreError> {
        match write {
            StatisticsWrite::Set(counted) => self.changed.push(index, counted.user_id.as_uuid(), &Params::new(counted)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        set(conn, &self.changed).await
    }
}

#[derive(sqlx::FromRow)]
struct StatisticsRow {
    user_id: Uuid,
    counted_at: Instant,
    total: i64,
    pending: i64,
    in_progress: i64,
    completed: i64,
    overdue: i64,
    lead_seconds: i64,
    streak_days: i64,
}

impl TryFrom<StatisticsRow> for TaskStatistics {
    type Error = CorruptRow;

    fn try_from(row: StatisticsRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            user_id: UserId::from_uuid(row.user_id),
            counted_at: TABLE.instant("counted_at", row.counted_at)?,
            counts: TaskCounts {
                total: TABLE.number("total", row.total)?,
                pending: TABLE.number("pending", row.pending)?,
                in_progress: TABLE.number("in_progress", row.in_progress)?,
                completed: TABLE.number("completed", row.completed)?,
                overdue: TABLE.number("overdue", row.overdue)?,
                lead_seconds: TABLE.number("lead_seconds", row.lead_seconds)?,
            },
            streak_days: TABLE.number("streak_days", row.streak_days)?,
        })
    }
}

pub(crate) async fn statistics(store: &PgStore, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
    let query = || sqlx::query_as(STATISTICS).bind(scope.owner().as_uuid());
    let row: Option<StatisticsRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(TaskStatistics::try_from).transpose()?)
}

const STATISTICS: &str = "
    SELECT user_id, counted_at, total, pending, in_progress, completed, overdue, lead_seconds, streak_days
    FROM taskflow.user_statistics
    WHERE user_id = $1";

async fn set(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, SET).await.map(drop)
}

/// Who is about to leave is waited for, and then not found.
const SET: &str = "
    INSERT INTO taskflow.user_statistics (user_id, counted_at, total, pending, in_progress, completed, overdue,
        lead_seconds, streak_days)
    SELECT u.id, r.counted_at, r.total, r.pending, r.in_progress, r.completed, r.overdue, r.lead_seconds, r.streak_days
    FROM (
        SELECT user_id, counted_at, total, pending, in_progress, completed, overdue, lead_seconds, streak_days
        FROM json_to_recordset($1::json) AS r (user_id uuid, counted_at timestamptz, total bigint, pending bigint,
            in_progress bigint, completed bigint, overdue bigint, lead_seconds bigint, streak_days bigint)
        ORDER BY user_id) AS r
    CROSS JOIN LATERAL (SELECT id FROM taskflow.users WHERE id = r.user_id FOR KEY SHARE) AS u
    ON CONFLICT (user_id) DO UPDATE
    SET counted_at = excluded.counted_at,
        total = excluded.total,
        pending = excluded.pending,
        in_progress = excluded.in_progress,
        completed = excluded.completed,
        overdue = excluded.overdue,
        lead_seconds = excluded.lead_seconds,
        streak_days = excluded.streak_days
    RETURNING user_id";

pub(crate) const DELETE_STATISTICS: &str = "DELETE FROM taskflow.user_statistics WHERE user_id = ANY ($1)";
