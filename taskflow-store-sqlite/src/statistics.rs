//! What people have done, as it was counted last.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CorruptRow, Scope, StatisticsWrite, StoreError, TaskCounts, TaskStatistics, UserId};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_user_statistics");

/// What was counted as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    user_id: UserId,
    counted_at: i64,
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
            counted_at: counted.counted_at.as_micros(),
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
            StatisticsWrite::Set(counted) => self.changed.push(index, counted.user_id, &Params::new(counted)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        set(conn, &self.changed).await
    }
}

#[derive(sqlx::FromRow)]
struct StatisticsRow {
    counted_at: i64,
    total: i64,
    pending: i64,
    in_progress: i64,
    completed: i64,
    overdue: i64,
    lead_seconds: i64,
    streak_days: i64,
}

impl StatisticsRow {
    fn of(self, user_id: UserId) -> Result<TaskStatistics, CorruptRow> {
        Ok(TaskStatistics {
            user_id,
            counted_at: TABLE.instant("counted_at", self.counted_at)?,
            counts: TaskCounts {
                total: TABLE.number("total", self.total)?,
                pending: TABLE.number("pending", self.pending)?,
                in_progress: TABLE.number("in_progress", self.in_progress)?,
                completed: TABLE.number("completed", self.completed)?,
                overdue: TABLE.number("overdue", self.overdue)?,
                lead_seconds: TABLE.number("lead_seconds", self.lead_seconds)?,
            },
            streak_days: TABLE.number("streak_days", self.streak_days)?,
        })
    }
}

pub(crate) async fn statistics(pool: &SqlitePool, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
    let row: Option<StatisticsRow> =
        sqlx::query_as(STATISTICS).bind(scope.owner().to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(|row| row.of(scope.owner())).transpose()?)
}

const STATISTICS: &str = "
    SELECT counted_at, total, pending, in_progress, completed, overdue, lead_seconds, streak_days
    FROM taskflow_user_statistics
    WHERE user_id = ?1";

async fn set(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SET).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

/// The join leaves out people who are gone.
const SET: &str = "
    INSERT INTO taskflow_user_statistics (user_id, counted_at, total, pending, in_progress, completed, overdue,
        lead_seconds, streak_days)
    SELECT u.id, j.value ->> 'counted_at', j.value ->> 'total', j.value ->> 'pending', j.value ->> 'in_progress',
        j.value ->> 'completed', j.value ->> 'overdue', j.value ->> 'lead_seconds', j.value ->> 'streak_days'
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'
    WHERE true
    ON CONFLICT (user_id) DO UPDATE
    SET counted_at = excluded.counted_at,
        total = excluded.total,
        pending = excluded.pending,
        in_progress = excluded.in_progress,
        completed = excluded.completed,
        overdue = excluded.overdue,
        lead_seconds = excluded.lead_seconds,
        streak_days = excluded.streak_days";
