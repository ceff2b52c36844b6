//! The stored form in PostgreSQL: rows reach a statement as a JSON array that `json_to_recordset` unfolds.

use std::borrow::Cow;

use chrono::{Days, NaiveDate};
use serde::{Serialize, Serializer};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, ValueRef};
use taskflow_core::Timestamp;
use uuid::Uuid;

use crate::column::{Column, ColumnType, SqlValue};
use crate::dialect::Dialect;
use crate::entity::Table;

impl Dialect for Postgres {
    fn table(table: Table) -> &'static str {
        table.postgres
    }

    fn value<'r>(row: &'r PgRow, column: &'static str, column_type: ColumnType) -> Result<SqlValue<'r>, sqlx::Error> {
        let value = match column_type {
            ColumnType::Uuid => row.try_get::<Option<Uuid>, _>(column)?.map(SqlValue::Uuid),
            ColumnType::Text => row.try_get::<Option<&str>, _>(column)?.map(SqlValue::from),
            ColumnType::SmallInt => row.try_get::<Option<i16>, _>(column)?.map(|n| SqlValue::Integer(n.into())),
            ColumnType::Integer => row.try_get::<Option<i32>, _>(column)?.map(|n| SqlValue::Integer(n.into())),
            ColumnType::BigInt => row.try_get::<Option<i64>, _>(column)?.map(SqlValue::Integer),
            ColumnType::Boolean => row.try_get::<Option<bool>, _>(column)?.map(SqlValue::Boolean),
            ColumnType::Date => since_2000(row, column)?.map(|days| SqlValue::Date(day(days))),
            ColumnType::Timestamp | ColumnType::LocalTimestamp => {
                since_2000::<i64>(row, column)?.map(|micros| SqlValue::Micros(micros.saturating_add(EPOCH)))
            }
            ColumnType::Texts => row
                .try_get::<Option<Vec<String>>, _>(column)?
                .map(|texts| SqlValue::Texts(texts.into_iter().map(Cow::Owned).collect())),
            ColumnType::Integers => row
                .try_get::<Option<Vec<i32>>, _>(column)?
                .map(|numbers| SqlValue::Integers(numbers.into_iter().map(i64::from).collect())),
        };
        Ok(value.unwrap_or(SqlValue::Null))
    }

    fn set(column: &str) -> String {
        format!("{column} = r.{column}")
    }

    fn placeholder(placeholder: &str, _prefix: &str, column: Column) -> Option<String> {
        (placeholder == "record").then(|| format!("{} {}", column.name, column.column_type.postgres()))
    }

    fn serialize_micros<S: Serializer>(micros: i64, serializer: S) -> Result<S::Ok, S::Error> {
        Timestamp::from_micros(micros).serialize(serializer)
    }
}

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// Returns the number of days or microseconds since 2000 in a column, whatever it is: PostgreSQL knows days and instants
/// that nobody else can write.
fn since_2000<'r, N: Decode<'r, Postgres>>(row: &'r PgRow, column: &'static str) -> Result<Option<N>, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    let decoded = N::decode(value);
    decoded.map(Some).map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source })
}

/// Returns the day that lies this many days after 2000-01-01, within what a calendar can show.
fn day(days: i32) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
    let span = Days::new(days.unsigned_abs().into());
    if days < 0 {
        first.checked_sub_days(span).unwrap_or(NaiveDate::MIN)
    } else {
        first.checked_add_days(span).unwrap_or(NaiveDate::MAX)
    }
}
