//! The use that accounts have made of their quotas.

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::{Quota, QuotaSubject, QuotaWrite, StoreError, Timestamp, UserId};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_quotas");

/// More of a quota as the parameters of a statement.
#[derive(Serialize)]
struct Take {
    subject: String,
    quota: &'static str,
    amount: u64,
    most: u64,
    at: i64,
}

/// The writes of quotas as the parameters of statements.
#[derive(Default)]
pub(crate) struct QuotaWrites {
    taken: Rows,
    writes: Vec<(usize, QuotaWrite)>,
}

impl QuotaWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &QuotaWrite) -> Result<(), StoreError> {
        match write {
            QuotaWrite::Take { subject, quota, amount, limit, at, .. } => {
                let params = Take {
                    subject: subject.to_string(),
                    quota: quota.as_str(),
                    amount: *amount,
                    most: *limit,
                    at: at.as_micros(),
                };
                self.writes.push((index, write.clone()));
                self.taken.push(index, id(subject, *quota), &params)
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let taken: Vec<String> =
            sqlx::query_scalar(TAKE).bind(self.taken.json()).fetch_all(&mut *conn).await.map_err(store_error)?;
        for (index, write) in &self.writes {
            let QuotaWrite::Take { subject, quota, .. } = write;
            if !taken.contains(&id(subject, *quota)) {
                count(conn, *index, write).await?;
            }
        }
        Ok(())
    }
}

fn id(subject: &QuotaSubject, quota: Quota) -> String {
    format!("{subject}/{quota}")
}

/// Leaves out what does not fit, and what was not counted yet in this time.
const TAKE: &str = "
    UPDATE taskflow_quotas
    SET used = used + (j.value ->> 'amount')
    FROM json_each(?1) AS j
    WHERE subject = j.value ->> 'subject' AND quota = j.value ->> 'quota' AND until > (j.value ->> 'at')
        AND used + (j.value ->> 'amount') <= (j.value ->> 'most')
    RETURNING subject || '/' || quota";

/// Counts what the first statement left out: from nothing in a new time, and by the rows that are there.
async fn count(conn: &mut SqliteConnection, index: usize, write: &QuotaWrite) -> Result<(), StoreError> {
    let QuotaWrite::Take { subject, quota, amount, limit, at, until } = write;
    let user = subject.user().map(|user| user.to_string());
    let begun: Option<(i64, i64)> = sqlx::query_as(BEGIN)
        .bind(subject.to_string())
        .bind(quota.as_str())
        .bind(user)
        .bind(at.as_micros())
        .bind(until.as_micros())
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

/// Finds no account that is gone.
const BEGIN: &str = "
    INSERT INTO taskflow_quotas (subject, quota, used, until)
    SELECT ?1, ?2, 0, ?5
    WHERE ?3 IS NULL OR EXISTS (SELECT 1 FROM taskflow_users WHERE id = ?3)
    ON CONFLICT (subject, quota) DO UPDATE
    SET used = iif(until > ?4, used, 0), until = iif(until > ?4, until, excluded.until)
    RETURNING used, until";

const SET: &str = "
    UPDATE taskflow_quotas
    SET used = ?3
    WHERE subject = ?1 AND quota = ?2";

/// Returns how many rows of an account a quota counts, and no more than one above its limit.
async fn rows(
    conn: &mut SqliteConnection,
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
        .bind(user.to_string())
        .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
        .bind(now.as_micros())
        .fetch_one(conn)
        .await
        .map_err(store_error)?;
    Ok(TABLE.number("used", count)?)
}

const TASKS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow_tasks WHERE user_id = ?1 AND deleted_at IS NULL AND ?3 IS NOT NULL LIMIT +?2)";

const STORED_TASKS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow_tasks WHERE user_id = ?1 AND ?3 IS NOT NULL LIMIT +?2)";

const MEETINGS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow_meetings
        WHERE created_by = ?1 AND cancelled_at IS NULL AND ended_at IS NULL AND meeting_date > ?3
        LIMIT +?2)";
