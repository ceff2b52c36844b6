//! Lists of tasks: statements whose text depends on what was asked. Every value is bound.

use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use taskflow_core::{Page, Scope, StoreError, Task, TaskQuery, TaskSort, TaskSortKey, Timestamp};
use taskflow_store_sql::{Stored, read_all};

use super::TABLE;
use crate::error::store_error;
use crate::rows::Statement;

/// A page of the tasks of `owner`.
pub(crate) async fn tasks(
    pool: &SqlitePool,
    scope: Scope,
    query: &TaskQuery,
    now: Timestamp,
) -> Result<Page<Task>, StoreError> {
    let mut page = QueryBuilder::new(PAGE.text());
    push_conditions(&mut page, scope, query, now);
    page.push(" ORDER BY ");
    for sort in &query.sort {
        page.push(order(*sort)).push(", ");
    }
    if query.sort.is_empty() {
        page.push("created_at DESC, ");
    }
    let offset = query.page.offset();
    page.push("id DESC LIMIT +").push_bind(query.page.size());
    page.push(" OFFSET ").push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
    let rows: Vec<Stored<Task>> = page.build_query_as().fetch_all(pool).await.map_err(store_error)?;

    // A page that is neither full nor beyond the end is the last one and tells the total.
    let seen = rows.len() as u64;
    let total = if seen < u64::from(query.page.size()) && (seen > 0 || offset == 0) {
        offset + seen
    } else {
        let mut count = QueryBuilder::new(COUNT);
        push_conditions(&mut count, scope, query, now);
        let total: i64 = count.build_query_scalar().fetch_one(pool).await.map_err(store_error)?;
        TABLE.number("id", total)?
    };
    Ok(Page { items: read_all(rows), total, request: query.page })
}

static PAGE: Statement<Task> = Statement::new("SELECT {columns} FROM taskflow_tasks WHERE user_id = ");

const COUNT: &str = "SELECT count(*) FROM taskflow_tasks WHERE user_id = ";

fn push_conditions(sql: &mut QueryBuilder<Sqlite>, scope: Scope, query: &TaskQuery, now: Timestamp) {
    sql.push_bind(scope.owner().to_string());
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
        sql.push(" AND due_at < ").push_bind(before.as_micros());
    }
    if let Some(after) = query.due_after {
        sql.push(" AND due_at >= ").push_bind(after.as_micros());
    }
    if let Some(whole_day) = query.whole_day {
        sql.push(if whole_day { " AND due_on IS NOT NULL" } else { " AND due_on IS NULL" });
    }
    if let Some(overdue) = query.overdue {
        sql.push(" AND coalesce(deleted_at IS NULL AND status <> 'completed' AND due_at < ").push_bind(now.as_micros());
        sql.push(", 0) = ").push_bind(overdue);
    }
    for word in &query.words {
        sql.push(" AND instr(search_text, ").push_bind(word.clone()).push(") > 0");
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
