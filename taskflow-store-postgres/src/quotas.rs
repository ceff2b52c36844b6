//! The use that accounts have made of their quotas.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{Quota, QuotaSubject, QuotaWrite, StoreError, Timestamp, UserId};

use crate::error::{Instant, Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow.quotas");

/// More of a quota as the parameters of a statement.
#[derive(Serialize)]
struct Take {
    subject: String,
    user_id: Option<UserId>,
    quota: &'static str,
    amount: u64,
    most: u64,
    at: Timestamp,
}

/// The writes of quotas as the parameters of statements.
#[derive(Default)]
pub(crate) struct QuotaWrites {
    taken: Rows<String>,
    writes: Vec<(usize, QuotaWrite)>,
}

impl QuotaWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &QuotaWrite) -> Result<(), StoreError> {
        match write {
            QuotaWrite::Take { subject, quota, amount, limit, at, .. } => {
                let params = Take {
                    subject: subject.to_string(),
                    user_id: subject.user(),
                    quota: quota.as_str(),
                    amount: *amount,
                    most: *limit,
                    at: *at,
                };
                self.writes.push((index, write.clone()));
                self.taken.push(index, id(subject, *quota), &params)
            }
        }
    }

    /// Runs the statements. Of two commits that count the same the second waits for the first.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let taken: Vec<String> =
            sqlx::query_scalar(TAKE).bind(self.taken.json()).fetch_all(&mut *conn).await.map_err(store_error)?;
        let mut left: Vec<_> = self
            .writes
            .iter()
            .filter(|(_, QuotaWrite::Take { subject, quota, .. })| !taken.contains(&id(subject, *quota)))
            .collect();
        left.sort_by_key(|(_, QuotaWrite::Take { subject, quota, .. })| (subject.to_string(), quota.as_str()));
        for (index, write) in left {
            count(conn, *index, write).await?;
        }
        Ok(())
    }
}

fn id(subject: &QuotaSubject, quota: Quota) -> String {
    format!("{subject}/{quota}")
}

/// Leaves out what does not fit, what was not counted yet in this time, and people who are about to leave. Accounts are locked
/// before their figures, as by those who delete them.
const TAKE: &str = "
    UPDATE taskflow.quotas AS q
    SET used = q.used + r.amount
    FROM (
        SELECT l.subject, l.quota, r.amount, r.most
        FROM json_to_recordset($1::json)
            AS r (subject text, user_id uuid, quota text, amount bigint, most bigint, at timestamptz)
        LEFT JOIN LATERAL (SELECT id FROM taskflow.users WHERE id = r.user_id FOR KEY SHARE) AS u ON true
        JOIN taskflow.quotas AS l ON l.subject = r.subject AND l.quota = r.quota
        WHERE (r.user_id IS NULL OR u.id IS NOT NULL) AND l.until > r.at AND l.used + r.amount <= r.most
        ORDER BY l.subject, l.quota
        FOR NO KEY UPDATE OF l) AS r
    WHERE q.subject = r.subject AND q.quota = r.quota AND q.used + r.amount <= r.most
    RETURNING q.subject || '/' || q.quota";

/// Counts what the first statement left out: from nothing in a new time, and by the rows that are there.
async fn count(conn: &mut PgConnection, index: usize, write: &QuotaWrite) -> Result<(), StoreError> {
    let QuotaWrite::Take { subject, quota, amount, limit, at, until } = write;
    let begun: Option<(i64, Instant)> = sqlx::query_as(BEGIN)
        .bind(subject.to_string())
        .bind(quota.as_str())
        .bind(subject.user().map(UserId::as_uuid))
        .bind(Instant::from(*at))
        .bind(Instant::from(*until))
        .fetch_optional(&mut *conn)
        .await
        .map_err(store_error)?;
    let (used, until) = begun.ok_or(StoreError::Stale { write: index })?;
    let used = match subject.user().filter(|_| quota.counts_rows()) {
        Some(user) => rows(conn, *quota, user, *limit, *at).await?,
        None => TABLE.number("used", used)?,
    };
    if used.saturating_add(*amount) > *limit {
        let until = TABLE.instant("until", until)?;
        return Err(StoreError::OverQuota { over: write.refused(used, until), write: index });
    }
    sqlx::query(SET)
        .bind(subject.to_string())
        .bind(quota.as_str())
        .bind(i64::try_from(used.saturating_add(*amount)).unwrap_or(i64::MAX))
        .execute(conn)
        .await
        .map(drop)
        .map_err(store_error)
}

/// Locks the figure until the commit is done. Whoever is about to leave is waited for, and then not found.
const BEGIN: &str = "
    INSERT INTO taskflow.quotas AS q (subject, quota, used, until)
    SELECT $1, $2, 0, $5
    FROM (SELECT 1) AS one
    LEFT JOIN LATERAL (SELECT id FROM taskflow.users WHERE id = $3 FOR KEY SHARE) AS u ON true
    WHERE $3 IS NULL OR u.id IS NOT NULL
    ON CONFLICT (subject, quota) DO UPDATE
    SET used = CASE WHEN q.until > $4 THEN q.used ELSE 0 END,
        until = CASE WHEN q.until > $4 THEN q.until ELSE excluded.until END
    RETURNING used, until";

const SET: &str = "
    UPDATE taskflow.quotas
    SET used = $3
    WHERE subject = $1 AND quota = $2";

/// Returns how many rows of an account a quota counts, and no more than one above its limit.
async fn rows(
    conn: &mut PgConnection,
    quota: Quota,
    user: UserId,
    limit: u64,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let statement = match quota {
        Quota::Tasks => TASKS,
        Quota::StoredTasks => STORED_TASKS,
        Quota::Meetings => MEETINGS,
        _ => return Ok(0),
    };
    let count: i64 = sqlx::query_scalar(statement)
        .bind(user.as_uuid())
        .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
        .bind(Instant::from(now))
        .fetch_one(conn)
        .await
        .map_err(store_error)?;
    Ok(TABLE.number("used", count)?)
}

const TASKS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow.tasks
        WHERE user_id = $1 AND deleted_at IS NULL AND $3::timestamptz IS NOT NULL
        LIMIT $2) AS t";

const STORED_TASKS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow.tasks WHERE user_id = $1 AND $3::timestamptz IS NOT NULL LIMIT $2) AS t";

const MEETINGS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow.meetings
        WHERE created_by = $1 AND cancelled_at IS NULL AND ended_at IS NULL AND meeting_date > $3
        LIMIT $2) AS m";

/// Subjects that are accounts are their ids as text.
pub(crate) const DELETE_QUOTAS: &str = "
    DELETE FROM taskflow.quotas
    WHERE subject IN (SELECT id::text FROM unnest($1::uuid[]) AS id)";
