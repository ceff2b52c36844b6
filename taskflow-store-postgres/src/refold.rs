//! Brings what earlier releases stored for searches under the present rule ([`search_key`]), after the migrations.

use sqlx::{Connection, PgConnection};
use taskflow_core::{StoreError, search_key};
use uuid::Uuid;

use crate::error::store_error;

/// Rows of one transaction: locks are short, and other nodes go on.
const PAGE: i64 = 1_000;

const TABLES: [(&str, &str, &str); 2] =
    [("tasks", TASKS_PAGE, REFOLD_TASKS), ("meetings", MEETINGS_PAGE, REFOLD_MEETINGS)];

/// Goes on where an earlier run stopped, until nothing is left. Writes nothing when nothing is: the role may only read.
pub(crate) async fn refold(conn: &mut PgConnection) -> Result<(), StoreError> {
    let is_pending: bool = sqlx::query_scalar(PENDING).fetch_one(&mut *conn).await.map_err(store_error)?;
    if !is_pending {
        return Ok(());
    }
    for (name, page, update) in TABLES {
        while refold_page(conn, name, page, update).await.map_err(store_error)? {}
    }
    Ok(())
}

/// Returns whether there may be more.
async fn refold_page(
    conn: &mut PgConnection,
    name: &'static str,
    page: &'static str,
    update: &'static str,
) -> Result<bool, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let after: Option<Uuid> = sqlx::query_scalar(AFTER).bind(name).fetch_optional(&mut *tx).await?;
    let Some(after) = after else { return Ok(false) };
    let rows: Vec<(Uuid, String)> = sqlx::query_as(page).bind(after).bind(PAGE).fetch_all(&mut *tx).await?;
    let last = rows.last().map(|(id, _)| *id).filter(|_| rows.len() as i64 == PAGE);
    let changed = rows.into_iter().map(|(id, old)| (id, search_key(&old), old)).filter(|(_, new, old)| new != old);
    let (mut ids, mut news, mut olds) = (Vec::new(), Vec::new(), Vec::new());
    for (id, new, old) in changed {
        ids.push(id);
        news.push(new);
        olds.push(old);
    }
    if !ids.is_empty() {
        sqlx::query(update).bind(ids).bind(news).bind(olds).execute(&mut *tx).await?;
    }
    sqlx::query(GO_ON).bind(name).bind(last).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(last.is_some())
}

const PENDING: &str = "SELECT EXISTS (SELECT 1 FROM taskflow.search_refolds WHERE after IS NOT NULL)";

/// Waits for another node that is at it.
const AFTER: &str = "SELECT after FROM taskflow.search_refolds WHERE name = $1 AND after IS NOT NULL FOR UPDATE";

const GO_ON: &str = "UPDATE taskflow.search_refolds SET after = $2 WHERE name = $1";

const TASKS_PAGE: &str = "SELECT id, search_text FROM taskflow.tasks WHERE id > $1 ORDER BY id LIMIT $2";

const MEETINGS_PAGE: &str = "SELECT id, search_text FROM taskflow.meetings WHERE id > $1 ORDER BY id LIMIT $2";

/// Skips tasks that were changed in the meantime: they already follow the present rule.
const REFOLD_TASKS: &str = "
    UPDATE taskflow.tasks AS t
    SET search_text = r.new
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (id, new, old)
    WHERE t.id = r.id AND t.search_text = r.old";

const REFOLD_MEETINGS: &str = "
    UPDATE taskflow.meetings AS m
    SET search_text = r.new
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (id, new, old)
    WHERE m.id = r.id AND m.search_text = r.old";
