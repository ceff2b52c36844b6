//! Statistics of users, as they were last counted.

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{Scope, StatisticsWrite, StoreError, TaskStatistics};
use taskflow_store_sql::Stored;

use crate::error::store_error;
use crate::rows::{Rows, Statement};

/// The writes of statistics as the parameters of statements.
#[derive(Default)]
pub(crate) struct StatisticsWrites {
    changed: Rows,
}

impl StatisticsWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &StatisticsWrite) -> Result<(), StoreError> {
        match write {
            StatisticsWrite::Set(counted) => self.changed.push_entity(index, counted.user_id, counted),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        set(conn, &self.changed).await
    }
}

pub(crate) async fn statistics(pool: &SqlitePool, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
    let row: Option<Stored<TaskStatistics>> = sqlx::query_as(STATISTICS.text())
        .bind(scope.owner().to_string())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static STATISTICS: Statement<TaskStatistics> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_user_statistics
    WHERE user_id = ?1",
);

async fn set(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SET.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

/// The join leaves out people who are gone.
static SET: Statement<TaskStatistics> = Statement::new(
    "
    INSERT INTO taskflow_user_statistics ({all})
    SELECT {j.values}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    WHERE true
    ON CONFLICT (user_id) DO UPDATE
    SET {excluded}",
);
