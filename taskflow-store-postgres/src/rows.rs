//! Rows on their way into one statement.

use std::collections::HashSet;
use std::hash::Hash;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use sqlx::{PgConnection, Postgres};
use taskflow_core::StoreError;
use taskflow_store_sql::{Entity, Params};
use uuid::Uuid;

use crate::error::store_error;

/// A statement about an entity, with lists of its columns.
pub(crate) type Statement<T> = taskflow_store_sql::Statement<Postgres, T>;

/// Rows for one statement: a JSON array that `json_to_recordset` unfolds, and where each came from.
pub(crate) struct Rows<Id = Uuid> {
    json: Vec<u8>,
    ids: Vec<Id>,
    writes: Vec<usize>,
}

impl<Id> Default for Rows<Id> {
    fn default() -> Self {
        Self { json: Vec::new(), ids: Vec::new(), writes: Vec::new() }
    }
}

impl<Id: Eq + Hash> Rows<Id> {
    pub(crate) fn push(&mut self, write: usize, id: Id, row: &impl Serialize) -> Result<(), StoreError> {
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        write_json(&mut self.json, row)?;
        self.ids.push(id);
        self.writes.push(write);
        Ok(())
    }

    /// Adds an entity that the write of this index inserts or updates.
    pub(crate) fn push_entity<T: Entity>(&mut self, write: usize, id: Id, entity: &T) -> Result<(), StoreError> {
        self.push(write, id, &Params::<Postgres, T>::new(entity))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The array.
    pub(crate) fn json(&self) -> String {
        if self.is_empty() {
            return "[]".to_owned();
        }
        // What serde_json wrote is UTF-8.
        format!("{}]", String::from_utf8_lossy(&self.json))
    }

    /// The ids of the rows.
    pub(crate) fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// The write that a row, counted from 0, came from.
    pub(crate) fn write(&self, row: usize) -> Option<usize> {
        self.writes.get(row).copied()
    }

    /// Converts an error from inserting rows. A row whose owner was deleted in the meantime is `Stale`. The rows have
    /// one owner in practice, so the first row is reported.
    pub(crate) fn refused(&self, error: sqlx::Error) -> StoreError {
        let ownerless = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation);
        match self.write(0) {
            Some(write) if ownerless => StoreError::Stale { write },
            _ => store_error(error),
        }
    }

    /// `Stale` unless every row was found.
    pub(crate) fn all_found(&self, found: &[Id]) -> Result<(), StoreError> {
        self.first_missing(found).map_or(Ok(()), |write| Err(StoreError::Stale { write }))
    }

    /// The first write whose row was not found.
    pub(crate) fn first_missing(&self, found: &[Id]) -> Option<usize> {
        let found: HashSet<&Id> = found.iter().collect();
        self.ids.iter().zip(&self.writes).find(|(id, _)| !found.contains(id)).map(|(_, write)| *write)
    }
}

impl Rows {
    /// Runs a statement over the rows, if there are any, and tells the ids it returned.
    pub(crate) async fn run(&self, conn: &mut PgConnection, statement: &'static str) -> Result<Vec<Uuid>, StoreError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query_scalar(statement).bind(self.json()).fetch_all(conn).await.map_err(store_error)
    }
}

/// A value as JSON that PostgreSQL takes.
pub(crate) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    let mut json = Vec::new();
    write_json(&mut json, value)?;
    // What serde_json wrote is UTF-8.
    Ok(String::from_utf8_lossy(&json).into_owned())
}

fn write_json(json: &mut Vec<u8>, value: &impl Serialize) -> Result<(), StoreError> {
    let mut serializer = serde_json::Serializer::with_formatter(json, WithoutNul(CompactFormatter));
    value.serialize(&mut serializer).map_err(|error| StoreError::Internal(error.into()))
}

/// Writes U+FFFD for U+0000, the one character that PostgreSQL cannot keep: a relay that says it must not be able to stop
/// the ledger.
struct WithoutNul(CompactFormatter);

impl Formatter for WithoutNul {
    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => writer.write_all(b"\\ufffd"),
            other => self.0.write_char_escape(writer, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_and_everything_else_is_kept() {
        let text = "a\0b \u{1} \\u0000 \u{1f600} \"";
        let back: String = serde_json::from_str(&json(&text).expect("JSON")).expect("JSON");
        assert_eq!(back, "a\u{fffd}b \u{1} \\u0000 \u{1f600} \"");
    }

    #[test]
    fn the_first_row_that_is_missing_is_stale() {
        let mut rows = Rows::default();
        assert_eq!(rows.json(), "[]");
        for n in [5, 7, 9] {
            rows.push(n, Uuid::from_u128(n as u128), &n).expect("a row");
        }
        assert_eq!(rows.json(), "[5,7,9]");
        assert!(rows.all_found(&[9, 7, 5].map(Uuid::from_u128)).is_ok());
        let error = rows.all_found(&[Uuid::from_u128(5)]).expect_err("two are missing");
        assert!(matches!(error, StoreError::Stale { write: 7 }), "{error:?}");
    }
}
