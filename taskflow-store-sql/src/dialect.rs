//! The differences between the databases, and the use that both make of an entity.

use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sqlx::{Database, FromRow};
use taskflow_core::CorruptRow;

use crate::column::{Column, ColumnType, SqlValue};
use crate::entity::{Entity, ReadError, Row, Table};
use crate::unreadable::{or_record, record};

/// A database, as far as values and names in it differ from those in the other.
pub trait Dialect: Database {
    /// Returns the name of a table.
    fn table(table: Table) -> &'static str;

    /// Returns the value of a column.
    ///
    /// # Errors
    ///
    /// When there is no such column, or it has another type.
    fn value<'r>(
        row: &'r Self::Row,
        column: &'static str,
        column_type: ColumnType,
    ) -> Result<SqlValue<'r>, sqlx::Error>;

    /// Returns what an update sets a column to.
    fn set(column: &str) -> String;

    /// Returns what stands for a column in the list of a placeholder that only this dialect has.
    fn placeholder(placeholder: &str, prefix: &str, column: Column) -> Option<String>;

    /// Writes an instant, in microseconds since 1970, as a parameter.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn serialize_micros<S: Serializer>(micros: i64, serializer: S) -> Result<S::Ok, S::Error>;
}

/// An entity as it was read from a row, perhaps a wider one. What core refuses spoils this entity, not the whole result.
#[derive(Debug)]
pub struct Stored<T: Entity> {
    /// `None` when not even the key can be read.
    key: Option<T::Key>,
    id: String,
    entity: Result<T, CorruptRow>,
}

impl<T: Entity> Stored<T> {
    /// Returns the entity.
    ///
    /// # Errors
    ///
    /// The column that core refuses.
    pub fn read(self) -> Result<T, CorruptRow> {
        self.entity
    }

    /// Returns the entity; `None`, and records it, when it cannot be read.
    pub fn readable(self) -> Option<T> {
        or_record(&self.id, self.entity)
    }

    /// Returns the key beside the entity; `None` when not even the key can be read.
    pub fn keyed(self) -> Option<(T::Key, Result<T, CorruptRow>)> {
        if let Err(error) = &self.entity {
            record(&self.id, error);
        }
        Some((self.key?, self.entity))
    }
}

/// Reads every row of a result. What cannot be read is recorded and left out.
pub fn read_all<T: Entity, C: FromIterator<T>>(rows: Vec<Stored<T>>) -> C {
    rows.into_iter().filter_map(Stored::readable).collect()
}

impl<'r, T: Entity, R: sqlx::Row> FromRow<'r, R> for Stored<T>
where
    R::Database: Dialect<Row = R>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let row: Row<'r, R::Database> = Row::new(row, T::TABLE, T::columns()[0]);
        let key = match row.get(T::columns()[0].name) {
            Ok(key) => Some(key),
            Err(ReadError::Corrupt(_)) => None,
            Err(ReadError::Driver(error)) => return Err(error),
        };
        match T::read(&row) {
            Ok(entity) => {
                row.was_read();
                Ok(Self { key, id: String::new(), entity: Ok(entity) })
            }
            Err(ReadError::Corrupt(error)) => Ok(Self { key, id: row.id(), entity: Err(error) }),
            Err(ReadError::Driver(error)) => Err(error),
        }
    }
}

/// An entity as the parameters of a statement: an object with all its columns.
#[derive(Debug)]
pub struct Params<'a, D, T> {
    entity: &'a T,
    dialect: PhantomData<D>,
}

impl<'a, D: Dialect, T: Entity> Params<'a, D, T> {
    /// Takes the columns of an entity as parameters.
    pub fn new(entity: &'a T) -> Self {
        Self { entity, dialect: PhantomData }
    }
}

impl<D: Dialect, T: Entity> Serialize for Params<'_, D, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        self.entity.write(&mut |column, value| {
            let dialect: PhantomData<D> = PhantomData;
            object.serialize_entry(column, &Param { value, dialect })
        })?;
        object.end()
    }
}

struct Param<'a, D> {
    value: SqlValue<'a>,
    dialect: PhantomData<D>,
}

impl<D: Dialect> Serialize for Param<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            SqlValue::Null => serializer.serialize_none(),
            SqlValue::Text(text) => serializer.serialize_str(text),
            SqlValue::Integer(number) => serializer.serialize_i64(*number),
            SqlValue::Boolean(truth) => serializer.serialize_bool(*truth),
            SqlValue::Uuid(id) => id.serialize(serializer),
            SqlValue::Date(day) => day.serialize(serializer),
            SqlValue::Micros(micros) => D::serialize_micros(*micros, serializer),
            SqlValue::Texts(texts) => texts.serialize(serializer),
            SqlValue::Integers(numbers) => numbers.serialize(serializer),
        }
    }
}
