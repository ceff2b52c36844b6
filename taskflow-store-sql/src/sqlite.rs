//! The stored form in SQLite: rows reach a statement as a JSON array that `json_each` unfolds.

use serde::Serializer;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite};

use crate::column::{Column, ColumnType, SqlValue};
use crate::dialect::Dialect;
use crate::entity::Table;

impl Dialect for Sqlite {
    fn table(table: Table) -> &'static str {
        table.sqlite
    }

    fn value<'r>(
        row: &'r SqliteRow,
        column: &'static str,
        column_type: ColumnType,
    ) -> Result<SqlValue<'r>, sqlx::Error> {
        let value = match column_type {
            ColumnType::Uuid | ColumnType::Text | ColumnType::Date | ColumnType::Texts | ColumnType::Integers => {
                row.try_get::<Option<&str>, _>(column)?.map(SqlValue::from)
            }
            ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => {
                row.try_get::<Option<i64>, _>(column)?.map(SqlValue::Integer)
            }
            ColumnType::Boolean => row.try_get::<Option<bool>, _>(column)?.map(SqlValue::Boolean),
            ColumnType::Timestamp | ColumnType::LocalTimestamp => {
                row.try_get::<Option<i64>, _>(column)?.map(SqlValue::Micros)
            }
        };
        Ok(value.unwrap_or(SqlValue::Null))
    }

    fn set(column: &str) -> String {
        format!("{column} = j.value ->> '{column}'")
    }

    fn placeholder(placeholder: &str, prefix: &str, column: Column) -> Option<String> {
        (placeholder == "values").then(|| format!("{prefix}value ->> '{}'", column.name))
    }

    fn serialize_micros<S: Serializer>(micros: i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(micros)
    }
}
