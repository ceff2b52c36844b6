//! Columns and the values in them.

use std::borrow::Cow;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::entity::ColumnValue;

/// A column of an entity's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name, the same in every dialect.
    pub name: &'static str,
    /// The type of the values.
    pub column_type: ColumnType,
    /// Whether and when the column is written and read.
    pub role: Role,
}

/// Whether and when a column is written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Identifies the entity: written by inserts, read.
    Key,
    /// Written by inserts only, read.
    Fixed,
    /// Written by inserts and updates, read.
    Changing,
    /// Follows from other fields: written by inserts and updates, never read back.
    Derived,
}

impl Column {
    /// A column that keeps values of this type.
    pub(crate) fn of<V: ColumnValue>(name: &'static str, role: Role) -> Self {
        Self { name, column_type: V::TYPE, role }
    }

    /// Returns whether the entity is made of this column when its row is read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.role != Role::Derived
    }

    /// Returns whether an update writes this column.
    #[must_use]
    pub fn is_updated(&self) -> bool {
        matches!(self.role, Role::Changing | Role::Derived)
    }
}

/// The type of a column, by PostgreSQL's names. SQLite keeps numbers, instants and booleans as `INTEGER`, the rest as
/// `TEXT`: lists as JSON, dates and UUIDs in their usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `uuid`
    Uuid,
    /// `text`
    Text,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamptz`
    Timestamp,
    /// `timestamp`: what a clock on the wall shows.
    LocalTimestamp,
    /// `text[]`
    Texts,
    /// `integer[]`
    Integers,
}

impl ColumnType {
    /// Returns the name of the type in PostgreSQL.
    #[must_use]
    pub fn postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamptz",
            Self::LocalTimestamp => "timestamp",
            Self::Texts => "text[]",
            Self::Integers => "integer[]",
        }
    }

    /// Returns the name of the type in SQLite.
    #[must_use]
    pub fn sqlite(self) -> &'static str {
        match self {
            Self::Uuid | Self::Text | Self::Date | Self::Texts | Self::Integers => "TEXT",
            Self::SmallInt | Self::Integer | Self::BigInt | Self::Boolean | Self::Timestamp | Self::LocalTimestamp => {
                "INTEGER"
            }
        }
    }
}

/// A value on its way into a column or out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlValue<'a> {
    /// `NULL`
    Null,
    /// A text; also a UUID, a date or a list when it is read from SQLite.
    Text(Cow<'a, str>),
    /// A whole number of any width.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A UUID.
    Uuid(Uuid),
    /// A day.
    Date(NaiveDate),
    /// Microseconds since 1970, of an instant or of what a clock on the wall shows.
    Micros(i64),
    /// A list of texts.
    Texts(Vec<Cow<'a, str>>),
    /// A list of numbers.
    Integers(Vec<i64>),
}

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}
