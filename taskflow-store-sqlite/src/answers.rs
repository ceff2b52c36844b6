//! Answers that are kept, so that a request that was sent twice is done once.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{ANSWER_LIFETIME, Answer, IdempotencyKey, StoreError, UniqueField, UserId};

use crate::commit::Rows;
use crate::error::{Table, store_error};

const TABLE: Table = Table("taskflow_answers");

/// An answer as the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct Params<'a> {
    user_id: UserId,
    key: &'a str,
    fingerprint: &'a str,
    body: &'a str,
    created_at: i64,
    /// What was answered before that no longer stands.
    kept_since: i64,
}

impl<'a> Params<'a> {
    pub(crate) fn new(answer: &'a Answer) -> Self {
        Self {
            user_id: answer.owner,
            key: answer.key.as_str(),
            fingerprint: &answer.fingerprint,
            body: &answer.body,
            created_at: answer.created_at.as_micros(),
            kept_since: (answer.created_at - ANSWER_LIFETIME).as_micros(),
        }
    }
}

/// What names an answer among the rows of a statement.
pub(crate) fn id(answer: &Answer) -> String {
    format!("{}/{}", answer.owner, answer.key)
}

#[derive(sqlx::FromRow)]
struct AnswerRow {
    fingerprint: String,
    body: String,
    created_at: i64,
}

pub(crate) async fn answer(
    pool: &SqlitePool,
    owner: UserId,
    key: &IdempotencyKey,
) -> Result<Option<Answer>, StoreError> {
    let row: Option<AnswerRow> = sqlx::query_as(ANSWER)
        .bind(owner.to_string())
        .bind(key.as_str())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    let Some(row) = row else { return Ok(None) };
    let created_at = TABLE.instant("created_at", row.created_at)?;
    Ok(Some(Answer { owner, key: key.clone(), fingerprint: row.fingerprint, body: row.body, created_at }))
}

const ANSWER: &str = "SELECT fingerprint, body, created_at FROM taskflow_answers WHERE user_id = ?1 AND key = ?2";

pub(crate) async fn remember(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let kept: Vec<String> =
        sqlx::query_scalar(REMEMBER).bind(rows.json()).fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    match rows.first_missing(&kept) {
        Some(write) => Err(StoreError::Taken { field: UniqueField::IdempotencyKey, write }),
        None => Ok(()),
    }
}

const REMEMBER: &str = "
    INSERT INTO taskflow_answers (user_id, key, fingerprint, body, created_at)
    SELECT j.value ->> 'user_id', j.value ->> 'key', j.value ->> 'fingerprint', j.value ->> 'body',
        j.value ->> 'created_at'
    FROM json_each(?1) AS j
    WHERE NOT EXISTS (
        SELECT 1 FROM taskflow_answers AS a
        WHERE a.user_id = j.value ->> 'user_id' AND a.key = j.value ->> 'key' AND a.created_at > j.value ->> 'kept_since')
    ON CONFLICT (user_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, body = excluded.body, created_at = excluded.created_at
    RETURNING user_id || '/' || key";
