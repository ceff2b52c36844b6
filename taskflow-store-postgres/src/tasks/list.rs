//! Lists of tasks: the only statement of this store whose text depends on what was asked. Every value is bound.

use sqlx::{Postgres, QueryBuilder};
use taskflow_core::{Page, Scope, StoreError, Task, TaskQuery, TaskSort, TaskSortKey, Timestamp};
use taskflow_store_sql::{Stored, read_all};

use super::TABLE;
use crate::error::Instant;
use crate::rows::Statement;
use crate::store::PgStore;

/// A page of the tasks of `owner`.
pub(crate) async fn tasks(
    store: &PgStore,
    scope: Scope,
    query: &TaskQuery,
    now: Timestamp,
) -> Result<Page<Task>, StoreError> {
    let rows: Vec<Stored<Task>> = store
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

static PAGE: Statement<Task> = Statement::new("SELECT {columns} FROM taskflow.tasks WHERE user_id = ");

const COUNT: &str = "SELECT count(*) FROM taskflow.tasks WHERE user_id = ";

fn page(scope: Scope, query: &TaskQuery, now: Timestamp) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(PAGE.text());
    push_conditions(&mut sql, scope, query, now);
    sql.push(" ORDER BY ");
    for sort in &query.sort {
        sql.push(order(*sort)).push(", ");
    }
    if query.sort.is_empty() {
        sql.push("created_at DESC, ");
    }
    sql.push("id DESC LIMIT ").push_bind(i64::from(query.page.size()));
    sql.push(" OFFSET ").push_bind(i64::try_from(query.page.offset()).unwrap_or(i64::MAX));
    sql
}

fn push_conditions(sql: &mut QueryBuilder<Postgres>, scope: Scope, query: &TaskQuery, now: Timestamp) {
    sql.push_bind(scope.owner().as_uuid());
    sql.push(if query.trash { " AND deleted_at IS NOT NULL" } else { " AND deleted_at IS NULL" });
    if !query.status.is_empty() {
        let mut words = sql.push(" AND status IN (").separated(", ");
        for status in &query.status {
            words.push_bind(status.as_str());
        }
        sql.push(")");
    }
    if !query.priority.is_empty() {
        let mut ranks = sql.push(" AND priority IN (").separated(", ");
        for priority in &query.priority {
            ranks.push_bind(priority.rank());
        }
        sql.push(")");
    }
    if let Some(before) = query.due_before {
        sql.push(" AND due_at < ").push_bind(Instant::from(before));
    }
    if let Some(after) = query.due_after {
        sql.push(" AND due_at >= ").push_bind(Instant::from(after));
    }
    if let Some(whole_day) = query.whole_day {
        sql.push(if whole_day { " AND due_on IS NOT NULL" } else { " AND due_on IS NULL" });
    }
    if let Some(overdue) = query.overdue {
        sql.push(" AND coalesce(deleted_at IS NULL AND status <> 'completed' AND due_at < ")
            .push_bind(Instant::from(now));
        sql.push(", false) = ").push_bind(overdue);
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

fn order(TaskSort { by, descending }: TaskSort) -> &'static str {
    match (by, descending) {
        (TaskSortKey::CreatedAt, false) => "created_at",
        (TaskSortKey::CreatedAt, true) => "created_at DESC",
        (TaskSortKey::UpdatedAt, false) => "updated_at",
        (TaskSortKey::UpdatedAt, true) => "updated_at DESC",
        (TaskSortKey::DueAt, false) => "due_at NULLS LAST",
        (TaskSortKey::DueAt, true) => "due_at DESC NULLS LAST",
        (TaskSortKey::Priority, false) => "priority",
        (TaskSortKey::Priority, true) => "priority DESC",
        (TaskSortKey::Status, false) => STATUS,
        (TaskSortKey::Status, true) => STATUS_DESCENDING,
        (TaskSortKey::Title, false) => "title_key",
        (TaskSortKey::Title, true) => "title_key DESC",
    }
}

const STATUS: &str = "CASE status WHEN 'pending' THEN 0 WHEN 'in_progress' THEN 1 ELSE 2 END";
const STATUS_DESCENDING: &str = "CASE status WHEN 'pending' THEN 2 WHEN 'in_progress' THEN 1 ELSE 0 END";
