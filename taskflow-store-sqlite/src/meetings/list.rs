//! Lists of meetings: statements whose text depends on what was asked. Every value is bound.

use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use taskflow_core::{
    Meeting, MeetingId, MeetingQuery, MeetingSort, MeetingSortKey, MeetingStatus, Page, Scope, StoreError, Timestamp,
    UserId,
};
use taskflow_store_sql::{Stored, or_record, read_all};

use super::TABLE;
use crate::error::store_error;
use crate::rows::Statement;

/// A page of the meetings that `viewer` is in.
pub(crate) async fn meetings(
    pool: &SqlitePool,
    scope: Scope,
    query: &MeetingQuery,
    now: Timestamp,
) -> Result<Page<Meeting>, StoreError> {
    let rows: Vec<Stored<Meeting>> =
        page_of(scope, query, now).build_query_as().fetch_all(pool).await.map_err(store_error)?;

    // A page that is neither full nor beyond the end is the last one and tells the total.
    let (seen, offset) = (rows.len() as u64, query.page.offset());
    let total = if seen < u64::from(query.page.size()) && (seen > 0 || offset == 0) {
        offset + seen
    } else {
        let mut count = count_of(scope, query, now);
        let total: i64 = count.build_query_scalar().fetch_one(pool).await.map_err(store_error)?;
        TABLE.number("id", total)?
    };
    Ok(Page { items: read_all(rows), total, request: query.page })
}

/// Returns meetings that somebody is in and that may still take place, by id.
pub(crate) async fn meetings_to_leave(
    pool: &SqlitePool,
    user: UserId,
    now: Timestamp,
    after: Option<MeetingId>,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    // Every id is greater than the empty text.
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query = sqlx::query_scalar(TO_LEAVE).bind(user.to_string()).bind(now.as_micros()).bind(after).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("id", id))).collect())
}

const TO_LEAVE: &str = "
    SELECT DISTINCT p.meeting_id
    FROM taskflow_meeting_participants AS p
    CROSS JOIN taskflow_meetings AS m ON m.id = p.meeting_id
    WHERE p.user_id = ?1 AND p.removed_at IS NULL AND p.meeting_id > ?3 AND m.cancelled_at IS NULL
        AND (m.meeting_date >= ?2 OR m.ended_at IS NULL AND m.meeting_date + m.duration_minutes * 60000000 > ?2)
    ORDER BY p.meeting_id
    LIMIT +?4";

fn page_of(scope: Scope, query: &MeetingQuery, now: Timestamp) -> QueryBuilder<Sqlite> {
    let mut page = QueryBuilder::new(PAGE.text());
    push_conditions(&mut page, scope, query, now);
    page.push(" ORDER BY ");
    for sort in &query.sort {
        page.push(order(*sort)).push(", ");
    }
    if query.sort.is_empty() {
        page.push("m.meeting_date DESC, ");
    }
    page.push("m.id DESC LIMIT +").push_bind(query.page.size());
    page.push(" OFFSET ").push_bind(i64::try_from(query.page.offset()).unwrap_or(i64::MAX));
    page
}

fn count_of(scope: Scope, query: &MeetingQuery, now: Timestamp) -> QueryBuilder<Sqlite> {
    let mut count = QueryBuilder::new(COUNT);
    push_conditions(&mut count, scope, query, now);
    count
}

/// From the meetings of one person to their rows, in this order: no index over the meetings of everybody is of use.
static PAGE: Statement<Meeting> = Statement::new(
    "\
    SELECT {m.columns}
    FROM (
        SELECT DISTINCT p.meeting_id
        FROM taskflow_meeting_participants AS p
        WHERE p.removed_at IS NULL AND p.user_id = ",
);

const COUNT: &str = "\
    SELECT count(*)
    FROM (
        SELECT DISTINCT p.meeting_id
        FROM taskflow_meeting_participants AS p
        WHERE p.removed_at IS NULL AND p.user_id = ";

fn push_conditions(sql: &mut QueryBuilder<Sqlite>, scope: Scope, query: &MeetingQuery, now: Timestamp) {
    sql.push_bind(scope.owner().to_string());
    sql.push(") AS mine CROSS JOIN taskflow_meetings AS m ON m.id = mine.meeting_id WHERE ");
    push_statuses(sql, &query.status, now);
    if let Some(before) = query.starts_before {
        sql.push(" AND m.meeting_date < ").push_bind(before.as_micros());
    }
    if let Some(after) = query.starts_after {
        sql.push(" AND m.meeting_date >= ").push_bind(after.as_micros());
    }
    for word in &query.words {
        sql.push(" AND instr(m.search_text, ").push_bind(word.clone()).push(") > 0");
    }
}

/// Any of these statuses; without one, all but cancelled meetings.
fn push_statuses(sql: &mut QueryBuilder<Sqlite>, statuses: &[MeetingStatus], now: Timestamp) {
    if statuses.is_empty() {
        sql.push("m.cancelled_at IS NULL");
        return;
    }
    for (n, status) in statuses.iter().enumerate() {
        sql.push(if n == 0 { "((" } else { ") OR (" });
        push_status(sql, *status, now);
    }
    sql.push("))");
}

/// Appends the condition for [`Meeting::status`] in SQL.
fn push_status(sql: &mut QueryBuilder<Sqlite>, status: MeetingStatus, now: Timestamp) {
    let now = now.as_micros();
    match status {
        MeetingStatus::Cancelled => sql.push("m.cancelled_at IS NOT NULL"),
        MeetingStatus::Scheduled => {
            sql.push("m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.meeting_date > ").push_bind(now)
        }
        MeetingStatus::InProgress => sql
            .push("m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.meeting_date <= ")
            .push_bind(now)
            .push(" AND m.meeting_date + m.duration_minutes * 60000000 > ")
            .push_bind(now),
        MeetingStatus::Completed => sql
            .push("m.cancelled_at IS NULL AND (m.ended_at IS NOT NULL OR m.meeting_date + m.duration_minutes * 60000000 <= ")
            .push_bind(now)
            .push(")"),
    };
}

fn order(MeetingSort { by, descending }: MeetingSort) -> &'static str {
    match (by, descending) {
        (MeetingSortKey::MeetingDate, false) => "m.meeting_date",
        (MeetingSortKey::MeetingDate, true) => "m.meeting_date DESC",
        (MeetingSortKey::CreatedAt, false) => "m.created_at",
        (MeetingSortKey::CreatedAt, true) => "m.created_at DESC",
        (MeetingSortKey::UpdatedAt, false) => "m.updated_at",
        (MeetingSortKey::UpdatedAt, true) => "m.updated_at DESC",
        (MeetingSortKey::Title, false) => "m.title_key",
        (MeetingSortKey::Title, true) => "m.title_key DESC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    /// The steps of the plan for a statement that was put together.
    async fn plan(store: &SqliteStore, sql: QueryBuilder<Sqlite>) -> Vec<String> {
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.into_string()));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explained).fetch_all(&store.reader().expect("the store")).await.expect("a plan");
        steps.into_iter().map(|(_, _, _, step)| step).collect()
    }

    #[tokio::test]
    async fn every_list_reads_the_meetings_of_one_person_alone() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let somebody = Scope::own("0198c0de-0000-7000-8000-000000000001".parse().expect("an id"));
        let upcoming = MeetingQuery {
            status: vec![MeetingStatus::Scheduled],
            starts_after: Some(now),
            starts_before: Some(now + std::time::Duration::from_hours(24)),
            sort: vec!["meeting_date".parse().expect("a sort")],
            ..MeetingQuery::default()
        };
        let mut queries = vec![MeetingQuery::default(), upcoming];
        queries.extend(MeetingStatus::ALL.map(|status| MeetingQuery {
            status: vec![status],
            words: vec!["board".to_owned()],
            sort: MeetingSortKey::ALL.map(|by| MeetingSort { by, descending: true }).to_vec(),
            ..MeetingQuery::default()
        }));
        for query in queries {
            for sql in [page_of(somebody, &query, now), count_of(somebody, &query, now)] {
                let steps = plan(&store, sql).await;
                let theirs = "taskflow_idx_meeting_participants_user_id (user_id=? AND removed_at=?)";
                assert!(steps.iter().any(|step| step.starts_with("SEARCH p ") && step.ends_with(theirs)), "{steps:#?}");
                let one_by_one = "SEARCH m USING INDEX sqlite_autoindex_taskflow_meetings_1 (id=?)";
                assert!(steps.iter().any(|step| step == one_by_one), "{steps:#?}");
                assert!(!steps.iter().any(|step| step == "SCAN m" || step == "SCAN p"), "{steps:#?}");
            }
        }
    }
}
