//! The yardsticks: the barest statements that do what the stores do, to the same tables. They are given what differs from row
//! to row, and rows are taken apart as far as a caller needs them; nothing is put together at run time, and nothing is checked.

mod postgres;
mod sqlite;

pub(crate) use postgres::BarePostgres;
pub(crate) use sqlite::BareSqlite;

use std::sync::LazyLock;

use sqlx::types::Uuid;
use taskflow::ports::{Clock, Ids, RandomIds, SystemClock};

/// What the event of a new task says.
const DATA: &str = r#"{"id":"0198c0de-0000-7000-8000-000000000000","changes":{"title":{"was":null,"is":"Water the plants"},
    "status":{"was":null,"is":"pending"},"priority":{"was":null,"is":"medium"}}}"#;

/// What a welcome says.
const NOTICE: &str = r#"{"kind":"welcome"}"#;

/// What the relay answered.
const REPLY: &str = "250 2.0.0 queued";

/// New ids that sort by the time they were made, as those of the stores do: random ones would cost the indexes more.
fn ids(many: u32) -> Vec<Uuid> {
    static IDS: LazyLock<RandomIds> = LazyLock::new(RandomIds::new);
    let now = SystemClock::new().now();
    (0..many).map(|_| IDS.next(now)).collect()
}
