//! Marks what earlier releases planned as [gathered](NoticeKind::is_gathered), after the migrations.

use sqlx::SqliteConnection;
use taskflow_core::{NoticeKind, StoreError};

use crate::error::store_error;

/// Rows of one transaction: other writers wait no longer than for these.
const PAGE: i64 = 1_000;

/// Marks scheduled deliveries that an earlier release planned, before the migration or beside this release, inside of a
/// transaction. Returns whether there may be more.
pub(crate) async fn mark_gathered_page(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    let gathered = NoticeKind::known().into_iter().filter(|kind| kind.is_gathered());
    let (kinds, ranks): (Vec<_>, Vec<_>) = gathered.map(|kind| (kind, kind.priority().rank())).unzip();
    let json = |value: serde_json::Result<String>| value.map_err(|error| StoreError::Internal(error.into()));
    let marked = sqlx::query(MARK_GATHERED)
        .bind(json(serde_json::to_string(&kinds))?)
        .bind(json(serde_json::to_string(&ranks))?)
        .bind(PAGE)
        .execute(conn)
        .await
        .map_err(store_error)?;
    Ok(marked.rows_affected() as i64 == PAGE)
}

const MARK_GATHERED: &str = "
    UPDATE taskflow_deliveries
    SET gathered = 1
    WHERE rowid IN (
        SELECT rowid
        FROM taskflow_deliveries
        WHERE state = 'scheduled' AND priority IN (SELECT value FROM json_each(?2))
            AND kind IN (SELECT value FROM json_each(?1)) AND NOT gathered
        LIMIT +?3)";
