//! Entities, and how a store reads and writes them.

use std::cell::Cell;

use taskflow_core::CorruptRow;

use crate::column::{Column, ColumnType, Role, SqlValue};
use crate::dialect::Dialect;
use crate::unreadable::{forget, record};

/// The name of a table in each dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name in SQLite.
    pub sqlite: &'static str,
    /// Its name in PostgreSQL, with its schema.
    pub postgres: &'static str,
}

/// A value of core that is kept in one column.
pub trait ColumnValue: Sized {
    /// The type of the column.
    const TYPE: ColumnType;

    /// Returns the value as it is stored.
    fn to_sql(&self) -> SqlValue<'_>;

    /// Reads a stored value.
    ///
    /// # Errors
    ///
    /// Returns the reason why the value is invalid, without the value itself.
    fn from_sql(value: SqlValue<'_>) -> Result<Self, String>;

    /// Returns the value that stands in for a stored one that [`from_sql`](Self::from_sql) refuses, if there is one that
    /// harms nobody: its owner goes on with it and can choose another, and nobody gets a mail that they should not get.
    fn stand_in(_value: &SqlValue<'_>) -> Option<Self> {
        None
    }
}

/// A value of core that is kept in several columns of an entity's table.
pub(crate) trait Part: Sized {
    /// Its columns.
    fn columns() -> Vec<Column>;

    /// Hands each column and its value to `put`.
    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E>;

    /// Reads the value.
    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError>;
}

/// An entity that both SQL stores keep as one row of a table.
pub trait Entity: Sized {
    /// Identifier of a row.
    type Key: ColumnValue;

    /// Its name in core.
    const NAME: &'static str;

    /// Its table.
    const TABLE: Table;

    /// Its columns, the key first.
    fn columns() -> &'static [Column];

    /// Hands each column and its value to `put`.
    ///
    /// # Errors
    ///
    /// The first error of `put`.
    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E>;

    /// Reads a row.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when a column cannot be read or core refuses its value.
    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError>;
}

/// The reason a row cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The driver cannot read a column.
    Driver(sqlx::Error),
    /// A column holds what core refuses.
    Corrupt(CorruptRow),
}

/// A row with columns of a table. Errors name table and column, never the value.
#[derive(Debug)]
pub struct Row<'r, D: Dialect> {
    row: &'r D::Row,
    table: Table,
    key: Column,
    /// Whether something stands in for one of its values.
    flawed: Cell<bool>,
}

impl<'r, D: Dialect> Row<'r, D> {
    pub(crate) fn new(row: &'r D::Row, table: Table, key: Column) -> Self {
        Self { row, table, key, flawed: Cell::new(false) }
    }

    /// Reads the value of a column, or records that it cannot be read and returns what stands in for it.
    pub(crate) fn get<T: ColumnValue>(&self, column: &'static str) -> Result<T, ReadError> {
        let value = match D::value(self.row, column, T::TYPE) {
            Ok(value) => value,
            // What is there is not even text; other errors concern the statement.
            Err(sqlx::Error::ColumnDecode { .. }) => {
                return self.stand_in(column, T::stand_in(&SqlValue::from("")), "cannot be decoded");
            }
            Err(error) => return Err(ReadError::Driver(error)),
        };
        T::from_sql(value.clone()).or_else(|message| self.stand_in(column, T::stand_in(&value), message))
    }

    fn stand_in<T>(&self, column: &'static str, value: Option<T>, message: impl Into<String>) -> Result<T, ReadError> {
        match (value, self.corrupt(column, message)) {
            (Some(value), ReadError::Corrupt(error)) => {
                record(&self.id(), &error);
                self.flawed.set(true);
                Ok(value)
            }
            (_, error) => Err(error),
        }
    }

    /// Returns the id of the row; empty unless its key is one, because other keys are somebody's address.
    pub(crate) fn id(&self) -> String {
        match D::value(self.row, self.key.name, self.key.column_type) {
            Ok(SqlValue::Uuid(id)) => id.to_string(),
            Ok(SqlValue::Text(text)) if self.key.column_type == ColumnType::Uuid => text.into_owned(),
            _ => String::new(),
        }
    }

    /// Records what a part lacks, and goes on without it.
    pub(crate) fn without<T>(&self, column: &'static str, message: impl Into<String>) -> Result<Option<T>, ReadError> {
        self.stand_in(column, Some(None), message)
    }

    /// Forgets what was recorded of the row if nothing stands in for anything.
    pub(crate) fn was_read(&self) {
        if !self.flawed.get() {
            forget(D::table(self.table), || self.id());
        }
    }

    /// Returns the error that says what is wrong with a column.
    pub(crate) fn corrupt(&self, column: &'static str, message: impl Into<String>) -> ReadError {
        ReadError::Corrupt(CorruptRow { table: D::table(self.table), column, message: message.into() })
    }
}

/// A column that keeps what `_field` returns.
pub(crate) fn column<T, V: ColumnValue>(name: &'static str, role: Role, _field: fn(&T) -> &V) -> Column {
    Column::of::<V>(name, role)
}

/// The columns that keep what `_field` returns.
pub(crate) fn part<T, P: Part>(_field: fn(&T) -> &P) -> Vec<Column> {
    P::columns()
}

/// Declares the stored form of an entity: its table, and each of its columns once. A column is called like its field unless
/// `as` says otherwise.
///
/// * `key`: the field that identifies it.
/// * `fixed`: fields that updates leave as they are.
/// * `changing`: fields that updates write.
/// * `parts`: fields that take several columns ([`Part`]).
/// * `derived`: columns that follow from the entity and are never read back.
/// * `then`: a function that puts right what was read.
macro_rules! stored {
    ($entity:ident in $table:literal {
        key $key:ident: $key_type:ty;
        $(fixed $($fixed:ident $(as $fixed_column:ident)?),+;)?
        changing $($field:ident $(as $column:ident)?),+;
        $(parts $($part:ident),+;)?
        $(derived $($derived:ident = $derive:expr),+;)?
        $(then $then:expr;)?
    }) => {
        impl $crate::entity::Entity for $entity {
            type Key = $key_type;

            const NAME: &'static str = stringify!($entity);

            const TABLE: $crate::entity::Table = $crate::entity::Table {
                sqlite: concat!("taskflow_", $table),
                postgres: concat!("taskflow.", $table),
            };

            fn columns() -> &'static [$crate::column::Column] {
                use $crate::column::{Column, Role};
                use $crate::entity::{column, column_name};

                static COLUMNS: std::sync::LazyLock<Vec<Column>> = std::sync::LazyLock::new(|| {
                    let mut columns = vec![column(stringify!($key), Role::Key, |entity: &$entity| &entity.$key)];
                    $($(columns.push(column(
                        column_name!($fixed $($fixed_column)?), Role::Fixed, |entity: &$entity| &entity.$fixed,
                    ));)+)?
                    $(columns.push(column(
                        column_name!($field $($column)?), Role::Changing, |entity: &$entity| &entity.$field,
                    ));)+
                    $($(columns.extend($crate::entity::part(|entity: &$entity| &entity.$part));)+)?
                    $($(columns.push(Column {
                        name: stringify!($derived),
                        column_type: $crate::column::ColumnType::Text,
                        role: Role::Derived,
                    });)+)?
                    columns
                });
                &COLUMNS
            }

            fn write<E>(
                &self,
                put: &mut impl FnMut(&'static str, $crate::column::SqlValue<'_>) -> Result<(), E>,
            ) -> Result<(), E> {
                use $crate::entity::{ColumnValue, column_name};

                put(stringify!($key), self.$key.to_sql())?;
                $($(put(column_name!($fixed $($fixed_column)?), self.$fixed.to_sql())?;)+)?
                $(put(column_name!($field $($column)?), self.$field.to_sql())?;)+
                $($($crate::entity::Part::write(&self.$part, put)?;)+)?
                $($(
                    let derive: fn(&$entity) -> String = $derive;
                    put(stringify!($derived), $crate::column::SqlValue::from(derive(self).as_str()))?;
                )+)?
                Ok(())
            }

            fn read<D: $crate::dialect::Dialect>(
                row: &$crate::entity::Row<'_, D>,
            ) -> Result<Self, $crate::entity::ReadError> {
                use $crate::entity::column_name;

                let entity = Self {
                    $key: row.get(stringify!($key))?,
                    $($($fixed: row.get(column_name!($fixed $($fixed_column)?))?,)+)?
                    $($field: row.get(column_name!($field $($column)?))?,)+
                    $($($part: $crate::entity::Part::read(row)?,)+)?
                };
                $(let entity = $then(entity);)?
                Ok(entity)
            }
        }
    };
}

/// The column of a field: called like the field unless another name is given.
macro_rules! column_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:ident) => {
        stringify!($column)
    };
}

pub(crate) use {column_name, stored};
