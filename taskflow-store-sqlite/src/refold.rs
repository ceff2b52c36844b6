//! Brings what earlier releases stored for searches under the present rule ([`search_key`]), after the migrations.

use sqlx::SqliteConnection;
use taskflow_core::{StoreError, search_key};

use crate::error::store_error;

/// Rows of one transaction: other writers wait no longer than for these.
const PAGE: i64 = 1_000;

const TABLES: [(&str, &str, &str); 2] =
    [("tasks", TASKS_PAGE, REFOLD_TASKS), ("meetings", MEETINGS_PAGE, REFOLD_MEETINGS)];

/// Returns whether work is left, without writing anything.
pub(crate) async fn is_pending(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar(PENDING).fetch_one(conn).await.map_err(store_error)
}

/// Goes on where an earlier step stopped, inside of a transaction.
pub(crate) async fn refold_page(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    for (name, page, update) in TABLES {
        if step(conn, name, page, update).await.map_err(store_error)? {
            break;
        }
    }
    Ok(())
}

async fn step(
    conn: &mut SqliteConnection,
    name: &'static str,
    page: &'static str,
    update: &'static str,
) -> Result<bool, sqlx::Error> {
    let after: Option<String> = sqlx::query_scalar(AFTER).bind(name).fetch_optional(&mut *conn).await?;
    let Some(after) = after else { return Ok(false) };
    let rows: Vec<(String, String)> = sqlx::query_as(page).bind(after).bind(PAGE).fetch_all(&mut *conn).await?;
    let last = rows.last().map(|(id, _)| id.clone()).filter(|_| rows.len() as i64 == PAGE);
    for (id, old) in &rows {
        let new = search_key(old);
        if new != *old {
            sqlx::query(update).bind(id).bind(new).execute(&mut *conn).await?;
        }
    }
    let more = last.is_some();
    sqlx::query(GO_ON).bind(name).bind(last).execute(conn).await?;
    Ok(more)
}

const PENDING: &str = "SELECT EXISTS (SELECT 1 FROM taskflow_search_refolds WHERE after IS NOT NULL)";

const AFTER: &str = "SELECT after FROM taskflow_search_refolds WHERE name = ?1 AND after IS NOT NULL";

const GO_ON: &str = "UPDATE taskflow_search_refolds SET after = ?2 WHERE name = ?1";

const TASKS_PAGE: &str = "SELECT id, search_text FROM taskflow_tasks WHERE id > ?1 ORDER BY id LIMIT +?2";

const MEETINGS_PAGE: &str = "SELECT id, search_text FROM taskflow_meetings WHERE id > ?1 ORDER BY id LIMIT +?2";

const REFOLD_TASKS: &str = "UPDATE taskflow_tasks SET search_text = ?2 WHERE id = ?1";

const REFOLD_MEETINGS: &str = "UPDATE taskflow_meetings SET search_text = ?2 WHERE id = ?1";
