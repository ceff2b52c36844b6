//! What stands in the database of a server, for whoever does not ask the server.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// A connection that is none of the server's, to either kind of database.
pub(crate) enum Rows {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Rows {
    /// Opens what `DATABASE_URL` names.
    pub(crate) async fn open(url: &str) -> Self {
        match url.starts_with("sqlite:") {
            true => Self::Sqlite(SqliteConnection::connect(url).await.expect("a database")),
            false => Self::Postgres(PgConnection::connect(url).await.expect("a database")),
        }
    }

    /// How many deliveries of a kind there are in each state.
    pub(crate) async fn states(&mut self, kind: &str) -> BTreeMap<String, i64> {
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

    /// Changes rows by hand, as somebody with a SQL prompt might; tables have the names they have in SQLite.
    pub(crate) async fn edit(&mut self, statement: &str) -> u64 {
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
