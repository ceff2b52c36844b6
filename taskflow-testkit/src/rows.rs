//! Rows in the database of a server, for tests that bypass the server.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// A delivery as somebody with a SQL prompt sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LedgerRow {
    /// Identifier.
    pub id: String,
    /// The address it goes to.
    pub recipient: String,
    /// State, as the column holds it.
    pub state: String,
    /// Number of attempts that failed.
    pub attempts: i64,
    /// The answer to the last of them.
    pub last_error: Option<String>,
    /// The relay's answer when it took the mail.
    pub reply: Option<String>,
}

/// The answer to an attempt that failed, and to which attempt of which delivery.
pub type FailedAttempt = (String, i64, String);

/// A connection that is none of the server's, to either kind of database.
pub enum Rows {
    /// To a database of PostgreSQL.
    Postgres(PgConnection),
    /// To a file of SQLite.
    Sqlite(SqliteConnection),
}

impl Rows {
    /// Opens what `DATABASE_URL` names.
    pub async fn open(url: &str) -> Self {
        match url.starts_with("sqlite:") {
            true => Self::Sqlite(SqliteConnection::connect(url).await.expect("a database")),
            false => Self::Postgres(PgConnection::connect(url).await.expect("a database")),
        }
    }

    /// Returns the number of deliveries of a kind in each state.
    pub async fn states(&mut self, kind: &str) -> BTreeMap<String, i64> {
        let states = "SELECT state, count(*) FROM taskflow_deliveries WHERE kind = $1 GROUP BY state";
        let found: Vec<(String, i64)> = match self {
            Self::Postgres(rows) => {
                let states = AssertSqlSafe(in_schema(states));
                sqlx::query_as(states).bind(kind).fetch_all(rows).await.expect("states")
            }
            Self::Sqlite(rows) => sqlx::query_as(states).bind(kind).fetch_all(rows).await.expect("states"),
        };
        found.into_iter().collect()
    }

    /// Every delivery, oldest first.
    pub async fn ledger(&mut self) -> Vec<LedgerRow> {
        let ledger = "
            SELECT CAST(s.id AS text) AS id, s.recipient, s.state, CAST(s.attempts AS bigint) AS attempts, s.last_error,
                d.reply
            FROM taskflow_outbox_status AS s JOIN taskflow_deliveries AS d ON d.id = s.id
            ORDER BY s.id";
        match self {
            Self::Postgres(rows) => {
                let ledger = AssertSqlSafe(in_schema(ledger));
                sqlx::query_as(ledger).fetch_all(rows).await.expect("a ledger")
            }
            Self::Sqlite(rows) => sqlx::query_as(ledger).fetch_all(rows).await.expect("a ledger"),
        }
    }

    /// Every attempt that failed, by delivery.
    pub async fn failed_attempts(&mut self) -> Vec<FailedAttempt> {
        let attempts = "
            SELECT CAST(delivery_id AS text), CAST(attempt AS bigint), error FROM taskflow_delivery_attempts
            ORDER BY delivery_id, attempt";
        match self {
            Self::Postgres(rows) => {
                let attempts = AssertSqlSafe(in_schema(attempts));
                sqlx::query_as(attempts).fetch_all(rows).await.expect("attempts")
            }
            Self::Sqlite(rows) => sqlx::query_as(attempts).fetch_all(rows).await.expect("attempts"),
        }
    }

    /// Returns the states of the deliveries of a kind to these addresses, and the seconds from their due time to their
    /// settlement. For those that are open, returns the seconds that have passed by the clock of the database.
    pub async fn lateness(&mut self, kind: &str, recipients: &[String]) -> Vec<(String, f64)> {
        let rows: Vec<(String, String, f64)> = match self {
            Self::Postgres(rows) => {
                let lateness = "
                    SELECT s.recipient, s.state, EXTRACT(epoch FROM coalesce(d.settled_at, clock_timestamp()) - d.due_at)::float8
                    FROM taskflow.outbox_status AS s JOIN taskflow.deliveries AS d ON d.id = s.id
                    WHERE d.kind = $1";
                sqlx::query_as(lateness).bind(kind).fetch_all(rows).await.expect("deliveries")
            }
            Self::Sqlite(rows) => {
                let lateness = "
                    SELECT s.recipient, s.state, (coalesce(d.settled_at, unixepoch('now', 'subsec') * 1000000) - d.due_at) / 1e6
                    FROM taskflow_outbox_status AS s JOIN taskflow_deliveries AS d ON d.id = s.id
                    WHERE d.kind = $1";
                sqlx::query_as(lateness).bind(kind).fetch_all(rows).await.expect("deliveries")
            }
        };
        rows.into_iter().filter(|row| recipients.contains(&row.0)).map(|(_, state, late)| (state, late)).collect()
    }

    /// Changes rows by hand, as somebody with a SQL prompt might; tables have the names they have in SQLite.
    pub async fn edit(&mut self, statement: &str) -> u64 {
        match self {
            Self::Postgres(rows) => {
                let statement = AssertSqlSafe(in_schema(statement));
                sqlx::query(statement).execute(rows).await.expect("edited").rows_affected()
            }
            Self::Sqlite(rows) => {
                let statement = AssertSqlSafe(statement.to_owned());
                sqlx::query(statement).execute(rows).await.expect("edited").rows_affected()
            }
        }
    }
}

/// Tables have a prefix in SQLite and a schema in PostgreSQL.
fn in_schema(statement: &str) -> String {
    statement.replace("taskflow_", "taskflow.")
}
