//! Marks what earlier releases planned as [gathered](NoticeKind::is_gathered), after the migrations.

use sqlx::PgConnection;
use taskflow_core::{NoticeKind, StoreError};

use crate::error::store_error;

/// Rows of one statement: locks are short, and other nodes go on.
const PAGE: i64 = 1_000;

/// Marks scheduled deliveries that an earlier release planned, before the migration or beside this release. Writes nothing
/// when there are none: the role may only read.
pub(crate) async fn mark_gathered(conn: &mut PgConnection) -> Result<(), StoreError> {
    let gathered = NoticeKind::known().into_iter().filter(|kind| kind.is_gathered());
    let (kinds, ranks): (Vec<_>, Vec<_>) = gathered.map(|kind| (kind.as_str(), kind.priority().rank())).unzip();
    loop {
        let unmarked: Vec<uuid::Uuid> = sqlx::query_scalar(UNMARKED)
            .bind(&kinds)
            .bind(&ranks)
            .bind(PAGE)
            .fetch_all(&mut *conn)
            .await
            .map_err(store_error)?;
        if unmarked.is_empty() {
            return Ok(());
        }
        sqlx::query(MARK).bind(&unmarked).execute(&mut *conn).await.map_err(store_error)?;
        if (unmarked.len() as i64) < PAGE {
            return Ok(());
        }
    }
}

const UNMARKED: &str = "
    SELECT id
    FROM taskflow.deliveries
    WHERE state = 'scheduled' AND priority = ANY ($2) AND kind = ANY ($1) AND NOT gathered
    LIMIT $3";

const MARK: &str = "
    UPDATE taskflow.deliveries
    SET gathered = true
    WHERE id IN (SELECT id FROM taskflow.deliveries WHERE id = ANY ($1) ORDER BY dedupe_key FOR NO KEY UPDATE)";
