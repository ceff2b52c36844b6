//! Counting the whole service, a page of rows in the order of their ids at a time.

use sqlx::SqlitePool;
use taskflow_core::ports::{CountedPage, CountedPerson, TaskTally};
use taskflow_core::{DeliveryId, MeetingId, StoreError, UserId};
use taskflow_store_sql::or_record;

use crate::error::{Table, store_error};

const USERS: Table = Table("taskflow_users");
const STATISTICS: Table = Table("taskflow_user_statistics");
const MEETINGS: Table = Table("taskflow_meetings");
const DELIVERIES: Table = Table("taskflow_deliveries");
const PURGED: Table = Table("taskflow_ledger_totals");

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: String,
    is_active: bool,
    total: Option<i64>,
    completed: Option<i64>,
}

impl PersonRow {
    fn counted(self) -> Option<CountedPerson> {
        let tasks = match (self.total, self.completed) {
            (Some(total), Some(completed)) => {
                let total = or_record(&self.id, STATISTICS.number("total", total));
                let completed = or_record(&self.id, STATISTICS.number("completed", completed));
                total.zip(completed).map(|(total, completed)| TaskTally { total, completed })
            }
            _ => None,
        };
        let user_id = or_record(&self.id, USERS.value("id", &self.id))?;
        Some(CountedPerson { user_id, is_active: self.is_active, tasks })
    }
}

pub(super) async fn people(
    pool: &SqlitePool,
    after: Option<UserId>,
    size: u32,
) -> Result<Vec<CountedPerson>, StoreError> {
    let query = sqlx::query_as(PEOPLE).bind(from(after)).bind(size);
    let rows: Vec<PersonRow> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().filter_map(PersonRow::counted).collect())
}

const PEOPLE: &str = "
    SELECT u.id, u.is_active, s.total, s.completed
    FROM taskflow_users AS u
    LEFT JOIN taskflow_user_statistics AS s ON s.user_id = u.id
    WHERE u.id > ?1
    ORDER BY u.id
    LIMIT +?2";

/// Count of a page, number of its rows, and the id of its last row.
type PageRow = (i64, i64, Option<String>);

pub(super) async fn meetings(
    pool: &SqlitePool,
    after: Option<MeetingId>,
    size: u32,
) -> Result<CountedPage<MeetingId>, StoreError> {
    let query = sqlx::query_as(MEETINGS_PAGE).bind(from(after)).bind(size);
    let (count, seen, last): PageRow = query.fetch_one(pool).await.map_err(store_error)?;
    let next = last.filter(|_| seen == i64::from(size)).map(|last| MEETINGS.value("id", &last)).transpose()?;
    Ok(CountedPage { count: MEETINGS.number("id", count)?, next })
}

const MEETINGS_PAGE: &str = "
    SELECT count(*) FILTER (WHERE cancelled_at IS NULL), count(*), max(id)
    FROM (SELECT id, cancelled_at FROM taskflow_meetings WHERE id > ?1 ORDER BY id LIMIT +?2)";

pub(super) async fn deliveries(
    pool: &SqlitePool,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<CountedPage<DeliveryId>, StoreError> {
    let query = sqlx::query_as(DELIVERIES_PAGE).bind(from(after)).bind(size);
    let (count, seen, last): PageRow = query.fetch_one(pool).await.map_err(store_error)?;
    let next = last.filter(|_| seen == i64::from(size)).map(|last| DELIVERIES.value("id", &last)).transpose()?;
    Ok(CountedPage { count: DELIVERIES.number("id", count)?, next })
}

/// In an index alone.
const DELIVERIES_PAGE: &str = "
    SELECT count(*), count(*), max(id)
    FROM (SELECT id FROM taskflow_deliveries WHERE id > ?1 ORDER BY id LIMIT +?2)";

pub(super) async fn purged_deliveries(pool: &SqlitePool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(PURGED_DELIVERIES).fetch_one(pool).await.map_err(store_error)?;
    Ok(PURGED.number("count", count)?)
}

const PURGED_DELIVERIES: &str = "SELECT coalesce(sum(count), 0) FROM taskflow_ledger_totals";

/// Every id is greater than the empty text.
fn from(after: Option<impl ToString>) -> String {
    after.map(|id| id.to_string()).unwrap_or_default()
}
