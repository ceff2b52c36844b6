//! Counting the whole service, a page of rows in the order of their ids at a time.

use taskflow_core::ports::{CountedPage, CountedPerson, TaskTally};
use taskflow_core::{DeliveryId, MeetingId, StoreError, UserId};
use uuid::Uuid;

use crate::error::Table;
use crate::store::PgStore;

const STATISTICS: Table = Table("taskflow.user_statistics");
const MEETINGS: Table = Table("taskflow.meetings");
const DELIVERIES: Table = Table("taskflow.deliveries");
const PURGED: Table = Table("taskflow.ledger_totals");

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: Uuid,
    is_active: bool,
    total: Option<i64>,
    completed: Option<i64>,
}

impl PersonRow {
    fn counted(self) -> Result<CountedPerson, StoreError> {
        let tasks = match (self.total, self.completed) {
            (Some(total), Some(completed)) => Some(TaskTally {
                total: STATISTICS.number("total", total)?,
                completed: STATISTICS.number("completed", completed)?,
            }),
            _ => None,
        };
        Ok(CountedPerson { user_id: UserId::from_uuid(self.id), is_active: self.is_active, tasks })
    }
}

pub(super) async fn people(
    store: &PgStore,
    after: Option<UserId>,
    size: u32,
) -> Result<Vec<CountedPerson>, StoreError> {
    let query = || sqlx::query_as(PEOPLE).bind(from(after.map(UserId::as_uuid))).bind(i64::from(size));
    let rows: Vec<PersonRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    rows.into_iter().map(PersonRow::counted).collect()
}

/// Whatever statistics of the tables say, what was counted is looked up person by person.
const PEOPLE: &str = "
    SELECT u.id, u.is_active, s.total, s.completed
    FROM (SELECT id, is_active FROM taskflow.users WHERE id > $1 ORDER BY id LIMIT $2) AS u
    LEFT JOIN LATERAL (
        SELECT total, completed FROM taskflow.user_statistics WHERE user_id = u.id OFFSET 0) AS s ON true
    ORDER BY u.id";

/// Count of a page, number of its rows, and the id of its last row.
type PageRow = (i64, i64, Option<Uuid>);

pub(super) async fn meetings(
    store: &PgStore,
    after: Option<MeetingId>,
    size: u32,
) -> Result<CountedPage<MeetingId>, StoreError> {
    let query = || sqlx::query_as(MEETINGS_PAGE).bind(from(after.map(MeetingId::as_uuid))).bind(i64::from(size));
    let (count, seen, last): PageRow = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    let next = last.filter(|_| seen == i64::from(size)).map(MeetingId::from_uuid);
    Ok(CountedPage { count: MEETINGS.number("id", count)?, next })
}

/// There is no greatest UUID before PostgreSQL 18; as text in the order of bytes it is the same.
const MEETINGS_PAGE: &str = "
    SELECT count(*) FILTER (WHERE cancelled_at IS NULL), count(*), max(id::text COLLATE \"C\")::uuid
    FROM (SELECT id, cancelled_at FROM taskflow.meetings WHERE id > $1 ORDER BY id LIMIT $2) AS page";

pub(super) async fn deliveries(
    store: &PgStore,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<CountedPage<DeliveryId>, StoreError> {
    let query = || sqlx::query_as(DELIVERIES_PAGE).bind(from(after.map(DeliveryId::as_uuid))).bind(i64::from(size));
    let (count, seen, last): PageRow = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    let next = last.filter(|_| seen == i64::from(size)).map(DeliveryId::from_uuid);
    Ok(CountedPage { count: DELIVERIES.number("id", count)?, next })
}

/// In an index alone, but for what was written lately.
const DELIVERIES_PAGE: &str = "
    SELECT count(*), count(*), max(id::text COLLATE \"C\")::uuid
    FROM (SELECT id FROM taskflow.deliveries WHERE id > $1 ORDER BY id LIMIT $2) AS page";

pub(super) async fn purged_deliveries(store: &PgStore) -> Result<u64, StoreError> {
    let query = || sqlx::query_scalar(PURGED_DELIVERIES);
    let count: i64 = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    Ok(PURGED.number("count", count)?)
}

const PURGED_DELIVERIES: &str = "SELECT coalesce(sum(count), 0)::bigint FROM taskflow.ledger_totals";

/// Every id is greater than the nil UUID, which is none.
fn from(after: Option<Uuid>) -> Uuid {
    after.unwrap_or(Uuid::nil())
}
