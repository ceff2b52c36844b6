//! Statistics of users, as they were last counted.

use sqlx::PgConnection;
use taskflow_core::{Scope, StatisticsWrite, StoreError, TaskStatistics};
use taskflow_store_sql::Stored;

use crate::rows::{Rows, Statement};
use crate::store::PgStore;

/// The writes of statistics as the parameters of statements.
#[derive(Default)]
pub(crate) struct StatisticsWrites {
    changed: Rows,
}

impl StatisticsWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &StatisticsWrite) -> Result<(), StoreError> {
        match write {
            StatisticsWrite::Set(counted) => self.changed.push_entity(index, counted.user_id.as_uuid(), counted),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        set(conn, &self.changed).await
    }
}

pub(crate) async fn statistics(store: &PgStore, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
    let query = || sqlx::query_as(STATISTICS.text()).bind(scope.owner().as_uuid());
    let row: Option<Stored<TaskStatistics>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static STATISTICS: Statement<TaskStatistics> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.user_statistics
    WHERE user_id = $1",
);

async fn set(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, SET.text()).await.map(drop)
}

/// Waits for a concurrent deletion of a user, and then skips that user.
static SET: Statement<TaskStatistics> = Statement::new(
    "
    INSERT INTO taskflow.user_statistics ({all})
    SELECT {r.all}
    FROM (
        SELECT {all}
        FROM json_to_recordset($1::json) AS r ({record})
        ORDER BY user_id) AS r
    CROSS JOIN LATERAL (
        SELECT id FROM taskflow.users WHERE id = r.user_id AND deleted_at IS NULL FOR KEY SHARE) AS u
    ON CONFLICT (user_id) DO UPDATE
    SET {excluded}
    RETURNING user_id",
);

pub(crate) const DELETE_STATISTICS: &str = "DELETE FROM taskflow.user_statistics WHERE user_id = ANY ($1)";
