//! Lists of meetings: text that depends on what was asked. Every value is bound.

use sqlx::{Postgres, QueryBuilder};
use taskflow_core::{
    Meeting, MeetingId, MeetingQuery, MeetingSort, MeetingSortKey, MeetingStatus, Page, Scope, StoreError, Timestamp,
    UserId,
};
use taskflow_store_sql::{Stored, read_all};

use uuid::Uuid;

use super::TABLE;
use crate::error::Instant;
use crate::rows::Statement;
use crate::store::PgStore;

/// A page of the meetings that `viewer` is in.
pub(crate) async fn meetings(
    store: &PgStore,
    scope: Scope,
    query: &MeetingQuery,
    now: Timestamp,
) -> Result<Page<Meeting>, StoreError> {
    let rows: Vec<Stored<Meeting>> = store
        .read(|conn| {
            let mut page = page(scope, query, now);
            Box::pin(async move { page.build_query_as().fetch_all(conn).await })
        })
        .await?;

    // A page that is neither full nor beyond the end is the last one and tells the total.
    let (offset, seen) = (query.page.offset(), rows.len() as u64);
    let total = if seen < u64::from(query.page.size()) && (seen > 0 || offset == 0) {
        offset + seen
    } else {
        let total: i64 = store
            .read(|conn| {
                let mut count = QueryBuilder::new(COUNT);
                push_conditions(&mut count, scope, query, now);
                Box::pin(async move { count.build_query_scalar().fetch_one(conn).await })
            })
            .await?;
        TABLE.number("id", total)?
    };
    Ok(Page { items: read_all(rows), total, request: query.page })
}

/// The list begins with the people, because one person is in few meetings.
static PAGE: Statement<Meeting> = Statement::new(
    "\
    SELECT {columns}
    FROM taskflow.meetings
    WHERE id IN (SELECT meeting_id FROM taskflow.meeting_participants WHERE removed_at IS NULL AND user_id =",
);

const COUNT: &str = "\
    SELECT count(*)
    FROM taskflow.meetings
    WHERE id IN (SELECT meeting_id FROM taskflow.meeting_participants WHERE removed_at IS NULL AND user_id =";

fn page(scope: Scope, query: &MeetingQuery, now: Timestamp) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(PAGE.text());
    push_conditions(&mut sql, scope, query, now);
    sql.push(" ORDER BY ");
    for sort in &query.sort {
        sql.push(order(*sort)).push(", ");
    }
    if query.sort.is_empty() {
        sql.push("meeting_date DESC, ");
    }
    sql.push("id DESC LIMIT ").push_bind(i64::from(query.page.size()));
    sql.push(" OFFSET ").push_bind(i64::try_from(query.page.offset()).unwrap_or(i64::MAX));
    sql
}

fn push_conditions(sql: &mut QueryBuilder<Postgres>, scope: Scope, query: &MeetingQuery, now: Timestamp) {
    sql.push(" ").push_bind(scope.owner().as_uuid()).push(")");
    push_statuses(sql, &query.status, now);
    if let Some(before) = query.starts_before {
        sql.push(" AND meeting_date < ").push_bind(Instant::from(before));
    }
    if let Some(after) = query.starts_after {
        sql.push(" AND meeting_date >= ").push_bind(Instant::from(after));
    }
    for word in &query.words {
        if word.contains('\0') {
            // No text here has one, and the parameter of a statement cannot.
            sql.push(" AND false");
        } else {
            sql.push(" AND strpos(search_text, ").push_bind(word.clone()).push(") > 0");
        }
    }
}

/// Any of these statuses; without one, all but cancelled meetings.
fn push_statuses(sql: &mut QueryBuilder<Postgres>, statuses: &[MeetingStatus], now: Timestamp) {
    if statuses.is_empty() {
        sql.push(" AND cancelled_at IS NULL");
        return;
    }
    for (n, status) in statuses.iter().enumerate() {
        sql.push(if n == 0 { " AND ((" } else { ") OR (" });
        push_status(sql, *status, now);
    }
    sql.push("))");
}

/// Appends the condition for [`Meeting::status`] in SQL.
fn push_status(sql: &mut QueryBuilder<Postgres>, status: MeetingStatus, now: Timestamp) {
    let now = Instant::from(now);
    match status {
        MeetingStatus::Cancelled => sql.push("cancelled_at IS NOT NULL"),
        MeetingStatus::Completed => {
            sql.push("cancelled_at IS NULL AND (ended_at IS NOT NULL OR ").push(ENDS).push(" <= ");
            sql.push_bind(now).push(")")
        }
        MeetingStatus::InProgress => {
            sql.push("cancelled_at IS NULL AND ended_at IS NULL AND meeting_date <= ").push_bind(now);
            sql.push(" AND ").push(ENDS).push(" > ").push_bind(now)
        }
        MeetingStatus::Scheduled => {
            sql.push("cancelled_at IS NULL AND ended_at IS NULL AND meeting_date > ").push_bind(now)
        }
    };
}

/// Returns meetings that somebody is in and that may still take place, by id.
pub(crate) async fn meetings_to_leave(
    store: &PgStore,
    user: UserId,
    now: Timestamp,
    after: Option<MeetingId>,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    // Every id is greater than the nil UUID, which is none.
    let after = after.map_or(Uuid::nil(), MeetingId::as_uuid);
    let query = || {
        let query = sqlx::query_scalar(TO_LEAVE).bind(user.as_uuid()).bind(Instant::from(now));
        query.bind(after).bind(i64::from(limit))
    };
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(MeetingId::from_uuid).collect())
}

const TO_LEAVE: &str = "
    SELECT DISTINCT p.meeting_id
    FROM taskflow.meeting_participants AS p
    JOIN taskflow.meetings AS m ON m.id = p.meeting_id
    WHERE p.user_id = $1 AND p.removed_at IS NULL AND p.meeting_id > $3 AND m.cancelled_at IS NULL
        AND (m.meeting_date >= $2
            OR m.ended_at IS NULL AND m.meeting_date + m.duration_minutes * interval '1 minute' > $2)
    ORDER BY p.meeting_id
    LIMIT $4";

const ENDS: &str = "meeting_date + duration_minutes * interval '1 minute'";

fn order(MeetingSort { by, descending }: MeetingSort) -> &'static str {
    match (by, descending) {
        (MeetingSortKey::MeetingDate, false) => "meeting_date",
        (MeetingSortKey::MeetingDate, true) => "meeting_date DESC",
        (MeetingSortKey::CreatedAt, false) => "created_at",
        (MeetingSortKey::CreatedAt, true) => "created_at DESC",
        (MeetingSortKey::UpdatedAt, false) => "updated_at",
        (MeetingSortKey::UpdatedAt, true) => "updated_at DESC",
        (MeetingSortKey::Title, false) => "title_key",
        (MeetingSortKey::Title, true) => "title_key DESC",
    }
}
