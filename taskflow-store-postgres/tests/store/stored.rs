//! The stored form of entities and the schema of a migrated database have the same columns.

use std::collections::BTreeSet;

use taskflow_store_sql::{ColumnType, Form, forms};

use crate::world::World;

/// Returns the name that PostgreSQL has for the type of a column.
fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Timestamp => "timestamp with time zone",
        ColumnType::LocalTimestamp => "timestamp without time zone",
        other => other.postgres(),
    }
}

#[tokio::test]
async fn every_column_of_the_schema_is_in_the_stored_form_and_the_other_way_round() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    for Form { table, columns, .. } in forms() {
        let schema: Vec<(String, String)> = sqlx::query_as(
            "SELECT attname::text, format_type(atttypid, NULL)
            FROM pg_attribute
            WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
        )
        .bind(table.postgres)
        .fetch_all(&mut conn)
        .await
        .expect("a table");
        let schema: BTreeSet<_> = schema.iter().map(|(name, type_name)| (name.as_str(), type_name.as_str())).collect();
        let stored: BTreeSet<_> = columns.iter().map(|column| (column.name, type_name(column.column_type))).collect();
        assert_eq!(stored, schema, "{}", table.postgres);
        assert_eq!(stored.len(), columns.len(), "{} has each column once", table.postgres);
    }
}
