//! Rows that cannot be read: they never stop anybody else.
//!
//! A value that core refuses is read as the closest one that harms nobody ([`ColumnValue::stand_in`]); without such a value
//! its row is left out of what is read. Both are recorded here once a row, for the log and for monitoring.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskflow_core::CorruptRow;
use taskflow_core::ports::UnreadableRow;

#[cfg(doc)]
use crate::entity::ColumnValue;

/// The most rows that are recorded.
const MOST: usize = 1_000;
/// The number of calls of [`unreadable_rows`] after which a row that was not met again is dropped.
const LIFETIME: u32 = 12;

type Recorded = BTreeMap<(&'static str, String, &'static str), Entry>;

struct Entry {
    message: String,
    /// Calls of [`unreadable_rows`] since the row was met.
    age: u32,
}

/// The unreadable rows that this process has met, of all databases that a host opens.
static RECORDED: Mutex<Recorded> = Mutex::new(BTreeMap::new());
/// Whether anything is recorded: rows that can be read cost no lock while nothing is.
static ANY: AtomicBool = AtomicBool::new(false);

fn recorded() -> MutexGuard<'static, Recorded> {
    RECORDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records that a row could not be read, or not as it is, and logs it the first time. `id` is empty for a row without one.
pub fn record(id: &str, error: &CorruptRow) {
    let CorruptRow { table, column, ref message } = *error;
    let mut rows = recorded();
    ANY.store(true, Ordering::Relaxed);
    if let Some(entry) = rows.get_mut(&(table, id.to_owned(), column)) {
        entry.age = 0;
    } else if rows.len() < MOST {
        rows.insert((table, id.to_owned(), column), Entry { message: message.clone(), age: 0 });
        drop(rows);
        tracing::error!(table, id, column, problem = message, "a stored value cannot be read");
    }
}

/// Forgets a row that could be read.
pub(crate) fn forget(table: &'static str, id: impl FnOnce() -> String) {
    if ANY.load(Ordering::Relaxed) {
        let (id, mut rows) = (id(), recorded());
        rows.retain(|(bad, row, _), _| *bad != table || *row != id);
        ANY.store(!rows.is_empty(), Ordering::Relaxed);
    }
}

/// Returns what [`Maintenance::unreadable_rows`](taskflow_core::ports::Maintenance::unreadable_rows) does.
#[must_use]
pub fn unreadable_rows() -> Vec<UnreadableRow> {
    let mut rows = recorded();
    rows.values_mut().for_each(|entry| entry.age += 1);
    rows.retain(|_, entry| entry.age <= LIFETIME);
    let row = |((table, id, column), entry): (&(&'static str, String, &'static str), &Entry)| UnreadableRow {
        table,
        id: id.clone(),
        column,
        message: entry.message.clone(),
    };
    rows.iter().map(row).collect()
}

/// Reads rows, each of which `id` names. What cannot be read is recorded and left out.
pub fn readable<R, T: TryFrom<R, Error = CorruptRow>, C: FromIterator<T>>(
    rows: impl IntoIterator<Item = R>,
    id: impl Fn(&R) -> String,
) -> C {
    let read = |row: R| {
        let id = id(&row);
        or_record(&id, T::try_from(row))
    };
    rows.into_iter().filter_map(read).collect()
}

/// Returns what was read; records a row that cannot be.
pub fn or_record<T>(id: &str, read: Result<T, CorruptRow>) -> Option<T> {
    read.inspect_err(|error| record(id, error)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_recorded_once_dropped_when_it_is_mended_and_after_a_while() {
        let bad = |column| CorruptRow { table: "unreadable_test", column, message: "is bad".to_owned() };
        let ours = || unreadable_rows().into_iter().filter(|row| row.table == "unreadable_test").count();
        record("a", &bad("x"));
        record("a", &bad("x"));
        record("a", &bad("y"));
        record("b", &bad("x"));
        assert_eq!(ours(), 3);
        forget("unreadable_test", || "a".to_owned());
        assert_eq!(ours(), 1);
        for _ in 0..LIFETIME {
            ours();
        }
        assert_eq!(ours(), 0);
    }
}
