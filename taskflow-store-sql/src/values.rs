//! Column formats of values that several entities share. Those of one entity are in its file.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use taskflow_core::{Description, EmailAddress, Locale, ReminderMinutes, Timestamp, UserId, Zone};

use crate::column::{ColumnType, SqlValue};
use crate::entity::ColumnValue;

impl<T: ColumnValue> ColumnValue for Option<T> {
    const TYPE: ColumnType = T::TYPE;

    fn to_sql(&self) -> SqlValue<'_> {
        self.as_ref().map_or(SqlValue::Null, T::to_sql)
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        if value == SqlValue::Null { Ok(None) } else { T::from_sql(value).map(Some) }
    }

    fn stand_in(value: &SqlValue<'_>) -> Option<Self> {
        T::stand_in(value).map(Some)
    }
}

/// The error of a value of another type, which only a database with another schema has.
fn unexpected<T>(value: &SqlValue<'_>) -> Result<T, String> {
    Err(if *value == SqlValue::Null { "must not be null" } else { "has another type" }.to_owned())
}

pub(crate) fn text<T>(value: &SqlValue<'_>, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    match value {
        SqlValue::Text(text) => read(text),
        other => unexpected(other),
    }
}

pub(crate) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(crate) fn number<N: TryFrom<i64>>(value: &SqlValue<'_>) -> Result<N, String> {
    match value {
        SqlValue::Integer(number) => N::try_from(*number).map_err(|_| "is out of range".to_owned()),
        other => unexpected(other),
    }
}

fn instant(value: &SqlValue<'_>) -> Result<Timestamp, String> {
    let SqlValue::Micros(micros) = *value else { return unexpected(value) };
    let at = Timestamp::from_micros(micros);
    if at.as_micros() == micros { Ok(at) } else { Err("must be an instant from year 1 to 9999".to_owned()) }
}

/// Ids: the UUID, hyphenated where there is no type for it.
macro_rules! ids {
    ($($id:ident),+) => {$(
        impl $crate::entity::ColumnValue for $id {
            const TYPE: $crate::column::ColumnType = $crate::column::ColumnType::Uuid;

            fn to_sql(&self) -> $crate::column::SqlValue<'_> {
                $crate::column::SqlValue::Uuid(self.as_uuid())
            }

            fn from_sql(value: $crate::column::SqlValue<'_>) -> Result<Self, String> {
                match value {
                    $crate::column::SqlValue::Uuid(id) => Ok(Self::from_uuid(id)),
                    value => $crate::values::text(&value, $crate::values::parsed),
                }
            }
        }
    )+};
}

ids!(UserId);

/// Texts, read by `FromStr`, or by a function that is named; perhaps with what stands in for a text that is refused.
macro_rules! texts {
    ($($value:ident: $as_str:ident $(or $stand_in:expr)?),+) => {$(
        impl $crate::entity::ColumnValue for $value {
            const TYPE: $crate::column::ColumnType = $crate::column::ColumnType::Text;

            fn to_sql(&self) -> $crate::column::SqlValue<'_> {
                $crate::column::SqlValue::from(self.$as_str())
            }

            fn from_sql(value: $crate::column::SqlValue<'_>) -> Result<Self, String> {
                $crate::values::text(&value, $crate::values::parsed)
            }

            $(fn stand_in(value: &$crate::column::SqlValue<'_>) -> Option<Self> {
                let stand_in: fn(&str) -> Self = $stand_in;
                $crate::values::text(value, |text| Ok(stand_in(text))).ok()
            })?
        }
    )+};
}

texts!(
    Description: as_str or Description::from_unreadable,
    EmailAddress: as_str or EmailAddress::from_unreadable,
    Locale: as_str or |_| Locale::en(),
    String: as_str or str::to_owned,
    Zone: name or Zone::from_stored
);

/// Texts that people entered, perhaps under the rules of an earlier release; read by `from_stored`, and what fits of a
/// refused one stands in for it.
macro_rules! entered {
    ($($value:ident),+) => {$(
        impl $crate::entity::ColumnValue for $value {
            const TYPE: $crate::column::ColumnType = $crate::column::ColumnType::Text;

            fn to_sql(&self) -> $crate::column::SqlValue<'_> {
                $crate::column::SqlValue::from(self.as_str())
            }

            fn from_sql(value: $crate::column::SqlValue<'_>) -> Result<Self, String> {
                $crate::values::text(&value, |text| Self::from_stored(text).map_err(|error| error.to_string()))
            }

            fn stand_in(value: &$crate::column::SqlValue<'_>) -> Option<Self> {
                $crate::values::text(value, |text| Ok(Self::from_unreadable(text))).ok()
            }
        }
    )+};
}

/// Texts that core takes as they are.
macro_rules! opaque {
    ($($value:ident: $as_str:ident),+) => {$(
        impl $crate::entity::ColumnValue for $value {
            const TYPE: $crate::column::ColumnType = $crate::column::ColumnType::Text;

            fn to_sql(&self) -> $crate::column::SqlValue<'_> {
                $crate::column::SqlValue::from(self.$as_str())
            }

            fn from_sql(value: $crate::column::SqlValue<'_>) -> Result<Self, String> {
                $crate::values::text(&value, |text| Ok(Self::new(text)))
            }
        }
    )+};
}

/// Numbers: the type of the column, how the number is had from the value, and the value from the number.
macro_rules! numbers {
    ($($value:ty: $column_type:ident, $get:expr, $new:expr;)+) => {$(
        impl $crate::entity::ColumnValue for $value {
            const TYPE: $crate::column::ColumnType = $crate::column::ColumnType::$column_type;

            fn to_sql(&self) -> $crate::column::SqlValue<'_> {
                $crate::column::SqlValue::Integer(i64::try_from($get(*self)).unwrap_or(i64::MAX))
            }

            fn from_sql(value: $crate::column::SqlValue<'_>) -> Result<Self, String> {
                $new($crate::values::number(&value)?).map_err(|error| error.to_string())
            }
        }
    )+};
}

numbers! {
    u64: BigInt, u64::from, Ok::<u64, String>;
    u32: BigInt, u32::from, Ok::<u32, String>;
    ReminderMinutes: Integer, ReminderMinutes::get, ReminderMinutes::new;
}

impl ColumnValue for Timestamp {
    const TYPE: ColumnType = ColumnType::Timestamp;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Micros(self.as_micros())
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        instant(&value)
    }

    /// The nearest instant that there is.
    fn stand_in(value: &SqlValue<'_>) -> Option<Self> {
        if let SqlValue::Micros(micros) = *value { Some(Self::from_micros(micros)) } else { None }
    }
}

impl ColumnValue for NaiveDate {
    const TYPE: ColumnType = ColumnType::Date;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Date(*self)
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        let day: Self = match value {
            SqlValue::Date(day) => day,
            value => text(&value, parsed)?,
        };
        if (1..=9999).contains(&day.year()) { Ok(day) } else { Err("must be a day from year 1 to 9999".to_owned()) }
    }

    /// The last day that there is.
    fn stand_in(_value: &SqlValue<'_>) -> Option<Self> {
        Self::from_ymd_opt(9999, 12, 31)
    }
}

impl ColumnValue for NaiveDateTime {
    const TYPE: ColumnType = ColumnType::LocalTimestamp;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Micros(Timestamp::from(self.and_utc()).as_micros())
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        Ok(instant(&value)?.to_chrono().naive_utc())
    }

    /// The nearest one that there is.
    fn stand_in(value: &SqlValue<'_>) -> Option<Self> {
        Timestamp::stand_in(value).map(|nearest| nearest.to_chrono().naive_utc())
    }
}

impl ColumnValue for bool {
    const TYPE: ColumnType = ColumnType::Boolean;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Boolean(*self)
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        match value {
            SqlValue::Boolean(truth) => Ok(truth),
            other => unexpected(&other),
        }
    }
}

pub(crate) use {entered, ids, numbers, opaque, texts};
