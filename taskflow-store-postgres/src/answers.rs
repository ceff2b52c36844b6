//! Answers that are kept, so that a request that was sent twice is done once.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{ANSWER_LIFETIME, Answer, IdempotencyKey, StoreError, Timestamp, UniqueField, UserId};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.answers");

/// What names an answer among the rows of a statement: whose it is, and the key.
pub(crate) type Name = (Uuid, String);

/// An answer as the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct Params<'a> {
    user_id: UserId,
    key: &'a str,
    fingerprint: &'a str,
    body: &'a str,
    created_at: Timestamp,
}

impl<'a> Params<'a> {
    pub(crate) fn new(answer: &'a Answer) -> Self {
        Self {
            user_id: answer.owner,
            key: answer.key.as_str(),
            fingerprint: &answer.fingerprint,
            body: &answer.body,
            created_at: answer.created_at,
        }
    }
}

pub(crate) fn name(answer: &Answer) -> Name {
    (answer.owner.as_uuid(), answer.key.as_str().to_owned())
}

#[derive(sqlx::FromRow)]
struct AnswerRow {
    fingerprint: String,
    body: String,
    created_at: Instant,
}

pub(crate) async fn answer(store: &PgStore, owner: UserId, key: &IdempotencyKey) -> Result<Option<Answer>, StoreError> {
    let query = || sqlx::query_as(ANSWER).bind(owner.as_uuid()).bind(key.as_str().to_owned());
    let row: Option<AnswerRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    let Some(row) = row else { return Ok(None) };
    let created_at = TABLE.instant("created_at", row.created_at)?;
    Ok(Some(Answer { owner, key: key.clone(), fingerprint: row.fingerprint, body: row.body, created_at }))
}

const ANSWER: &str = "SELECT fingerprint, body, created_at FROM taskflow.answers WHERE user_id = $1 AND key = $2";

pub(crate) async fn remember(conn: &mut PgConnection, rows: &Rows<Name>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let lifetime = i64::try_from(ANSWER_LIFETIME.as_micros()).unwrap_or(i64::MAX);
    let query = sqlx::query_as(REMEMBER).bind(rows.json()).bind(lifetime);
    let kept: Vec<Name> = query.fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    match rows.first_missing(&kept) {
        Some(write) => Err(StoreError::Taken { field: UniqueField::IdempotencyKey, write }),
        None => Ok(()),
    }
}

/// Whoever comes second waits for the first, and then finds the key taken.
const REMEMBER: &str = "
    INSERT INTO taskflow.answers AS a (user_id, key, fingerprint, body, created_at)
    SELECT user_id, key, fingerprint, body, created_at
    FROM json_to_recordset($1::json) AS r (user_id uuid, key text, fingerprint text, body text,
        created_at timestamptz)
    ORDER BY user_id, key COLLATE \"C\"
    ON CONFLICT (user_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, body = excluded.body, created_at = excluded.created_at
    WHERE a.created_at <= excluded.created_at - $2 * interval '1 microsecond'
    RETURNING user_id, key";

pub(crate) const DELETE_ANSWERS: &str = "DELETE FROM taskflow.answers WHERE user_id = ANY ($1)";
