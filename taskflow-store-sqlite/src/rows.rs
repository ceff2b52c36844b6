//! Rows on their way into one statement.

use std::collections::HashSet;
use std::fmt::Display;

use serde::Serialize;
use sqlx::{Sqlite, SqliteConnection};
use taskflow_core::StoreError;
use taskflow_store_sql::{Entity, Params};

use crate::error::store_error;

/// A statement about an entity, with lists of its columns.
pub(crate) type Statement<T> = taskflow_store_sql::Statement<Sqlite, T>;

/// Rows for one statement: a JSON array that `json_each` unfolds, and where each came from.
#[derive(Default)]
pub(crate) struct Rows {
    json: Vec<u8>,
    ids: Vec<String>,
    writes: Vec<usize>,
}

impl Rows {
    /// Adds a row that the write of this index asks for; the id is what its statement tells when it was reached.
    pub(crate) fn push(&mut self, write: usize, id: impl Display, row: &impl Serialize) -> Result<(), StoreError> {
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, row).map_err(|error| StoreError::Internal(error.into()))?;
        self.ids.push(id.to_string());
        self.writes.push(write);
        Ok(())
    }

    /// Adds an entity that the write of this index inserts or updates.
    pub(crate) fn push_entity<T: Entity>(
        &mut self,
        write: usize,
        id: impl Display,
        entity: &T,
    ) -> Result<(), StoreError> {
        self.push(write, id, &Params::<Sqlite, T>::new(entity))
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

    /// The write that a row, counted from 0, came from.
    pub(crate) fn write(&self, row: usize) -> Option<usize> {
        self.writes.get(row).copied()
    }

    /// Converts an error from inserting rows. A row whose owner was deleted in the meantime is `Stale`. SQLite does not
    /// name the row. The rows have one owner in practice, so the first row is reported.
    pub(crate) fn refused(&self, error: sqlx::Error) -> StoreError {
        let ownerless = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation);
        match self.write(0) {
            Some(write) if ownerless => StoreError::Stale { write },
            _ => store_error(error),
        }
    }

    /// Runs a statement over the rows, if there are any, and is `Stale` unless it tells the ids of all of them: it leaves out
    /// those whose condition does not hold.
    pub(crate) async fn apply_all(
        &self,
        conn: &mut SqliteConnection,
        statement: &'static str,
    ) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        let query = sqlx::query_scalar(statement).bind(self.json());
        let found: Vec<String> = query.fetch_all(conn).await.map_err(|error| self.refused(error))?;
        self.all_found(&found)
    }

    /// `Stale` unless every row was found.
    pub(crate) fn all_found(&self, found: &[String]) -> Result<(), StoreError> {
        self.first_missing(found).map_or(Ok(()), |write| Err(StoreError::Stale { write }))
    }

    /// The first write whose row was not found.
    pub(crate) fn first_missing(&self, found: &[String]) -> Option<usize> {
        let found: HashSet<&str> = found.iter().map(String::as_str).collect();
        self.ids.iter().zip(&self.writes).find(|(id, _)| !found.contains(id.as_str())).map(|(_, write)| *write)
    }
}
