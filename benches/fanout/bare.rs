//! The yardstick of planning: one plain statement, in the same database and with the same indexes.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::types::Uuid;
use taskflow::ports::CohortPosition;
use taskflow::{LocalMinute, UserId};

use crate::PAGE;

/// sqlx alone.
pub(crate) enum Bare {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Bare {
    pub(crate) async fn sqlite(file: &str) -> Self {
        // As durable as the store is.
        let full = "PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000";
        let pool = SqlitePoolOptions::new().max_connections(1).after_connect(move |connection, _| {
            Box::pin(async move { sqlx::Executor::execute(connection, full).await.map(drop) })
        });
        Self::Sqlite(pool.connect(&format!("sqlite://{file}")).await.expect("a pool"))
    }

    pub(crate) async fn postgres(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(url).await;
        Self::Postgres(pool.expect("a pool"))
    }

    /// Lets the database know what it has.
    pub(crate) async fn analyze(&self) {
        self.execute("ANALYZE", "VACUUM ANALYZE").await;
    }

    /// Forgets all deliveries.
    pub(crate) async fn reset(&self) {
        self.execute("DELETE FROM taskflow_deliveries", "TRUNCATE taskflow.deliveries CASCADE").await;
    }

    async fn execute(&self, sqlite: &'static str, postgres: &'static str) {
        match self {
            Self::Sqlite(pool) => {
                sqlx::query(sqlite).execute(pool).await.expect("done");
            }
            Self::Postgres(pool) => {
                sqlx::query(postgres).execute(pool).await.expect("done");
            }
        }
    }

    /// Plans a page after `after`, and says where to go on.
    pub(crate) async fn plan(&self, after: Option<CohortPosition>) -> Option<CohortPosition> {
        let after = after.map_or(Uuid::nil(), |(_, id)| id.as_uuid());
        let planned: Vec<Uuid> = match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query_scalar::<_, String>(SQLITE).bind(after.to_string()).bind(PAGE);
                let rows = rows.fetch_all(pool).await.expect("planned");
                rows.iter().map(|id| id.parse().expect("an id")).collect()
            }
            Self::Postgres(pool) => {
                let rows = sqlx::query_scalar(POSTGRES).bind(after).bind(i64::from(PAGE));
                rows.fetch_all(pool).await.expect("planned")
            }
        };
        assert_eq!(planned.len(), PAGE as usize);
        let last = UserId::from_uuid(planned.into_iter().max()?);
        let more: bool = match self {
            Self::Sqlite(pool) => {
                let more = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM taskflow_users WHERE id > ?1)");
                more.bind(last.to_string()).fetch_one(pool).await.expect("an answer")
            }
            Self::Postgres(pool) => {
                let more = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM taskflow.users WHERE id > $1)");
                more.bind(last.as_uuid()).fetch_one(pool).await.expect("an answer")
            }
        };
        more.then_some((LocalMinute::FIRST, last))
    }
}

/// A delivery has the id of its person: as new, and in the same order, as those of the store.
const SQLITE: &str = "
    INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at, due_at,
        next_at, attempts, cancel_requested, reason)
    SELECT id, 'daily-summary/2026-11-23/' || id, 'daily_summary', '{\"kind\":\"daily_summary\",\"date\":\"2026-11-23\"}', 3,
        id, 'scheduled', 1795420800000000, 1795420800000000, 1795420800000000, 0, 0, 'it was time for the daily summary'
    FROM taskflow_users
    WHERE time_zone = 'UTC' AND (summary_minute, id) > (540, ?1)
    ORDER BY summary_minute, id
    LIMIT ?2
    RETURNING recipient_user";

const POSTGRES: &str = "
    INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at, due_at,
        next_at, attempts, cancel_requested, reason)
    SELECT id, 'daily-summary/2026-11-23/' || id, 'daily_summary', '{\"kind\":\"daily_summary\",\"date\":\"2026-11-23\"}', 3,
        id, 'scheduled', now(), now(), now(), 0, false, 'it was time for the daily summary'
    FROM taskflow.users
    WHERE time_zone = 'UTC' AND (summary_minute, id) > (540, $1)
    ORDER BY summary_minute, id
    LIMIT $2
    RETURNING recipient_user";
