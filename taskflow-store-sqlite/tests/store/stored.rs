//! The stored form of entities and the schema of a migrated database have the same columns.

use std::collections::BTreeSet;

use taskflow_store_sql::{Form, forms};

use crate::world::World;

#[tokio::test]
async fn every_column_of_the_schema_is_in_the_stored_form_and_the_other_way_round() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    for Form { table, columns, .. } in forms() {
        let query = sqlx::query_as("SELECT name, type FROM pragma_table_info(?1)").bind(table.sqlite);
        let schema: Vec<(String, String)> = query.fetch_all(&mut conn).await.expect("a table");
        let schema: BTreeSet<_> = schema.iter().map(|(name, type_name)| (name.as_str(), type_name.as_str())).collect();
        let stored: BTreeSet<_> = columns.iter().map(|column| (column.name, column.column_type.sqlite())).collect();
        assert_eq!(stored, schema, "{}", table.sqlite);
        assert_eq!(stored.len(), columns.len(), "{} has each column once", table.sqlite);
    }
}
