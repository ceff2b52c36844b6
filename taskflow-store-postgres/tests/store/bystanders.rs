//! A value that nobody can read, in any column of any table: everybody else goes on.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, PgConnection};
use taskflow_conformance::bystanders::Bystanders;
use taskflow_store_sql::forms;

use crate::world::World;

/// What a hand or another release may have left behind in a column of a type.
fn values(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "text" => &["NULL", "''", "'Mars/Olympus'", "'{'", "'[-1]'", "E'\\x07x'", "repeat('x', 300)"],
        "uuid" => &["NULL", "'0198c0de-dead-7000-8000-000000000001'"],
        "boolean" => &["NULL", "true", "false"],
        "smallint" => &["NULL", "-1", "7", "32767"],
        "integer" => &["NULL", "-1", "7", "2147483647"],
        "bigint" => &["NULL", "-1", "7", "9223372036854775807"],
        "double precision" => &["NULL", "-1", "'NaN'", "'infinity'"],
        "date" | "timestamp with time zone" | "timestamp without time zone" => {
            &["NULL", "'infinity'", "'-infinity'", "'4000-01-01 BC'", "'20000-01-01'"]
        }
        "text[]" => &["NULL", "'{}'", "'{x,NULL}'", "'{x}'"],
        "integer[]" => &["NULL", "'{}'", "'{NULL}'", "'{-1}'", "'{1,2,3,4,5,6,7}'"],
        _ => &["NULL"],
    }
}

/// Tables that belong to the store itself, or that hold nothing of anybody.
const OTHERS: [&str; 2] = ["migrations", "search_keys"];

async fn tables(conn: &mut PgConnection) -> Vec<String> {
    let tables =
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'taskflow'::regnamespace AND relkind = 'r' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(conn).await.expect("tables");
    tables
        .into_iter()
        .filter(|table| !OTHERS.contains(&table.as_str()))
        .map(|table| format!("taskflow.{table}"))
        .collect()
}

async fn one(conn: &mut PgConnection, statement: String) -> Option<String> {
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_optional(conn).await.expect("a value")
}

#[tokio::test]
async fn a_value_that_cannot_be_read_in_any_column_stops_nobody_else() {
    let world = World::new().await;
    let bystanders = Bystanders::new(Arc::new(world.store.clone())).await;
    let mut conn = world.connection().await;
    assert_eq!(bystanders.complaints(None).await, [""; 0], "all is well");
    let (mut damaged, mut wrong) = (0, Vec::new());
    for table in tables(&mut conn).await {
        let columns = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
            WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum";
        let columns: Vec<(String, String)> =
            sqlx::query_as(columns).bind(&table).fetch_all(&mut conn).await.expect("columns");
        let key = columns[0].0.clone();
        let first = format!("SELECT quote_nullable({key}::text) FROM {table} ORDER BY ctid LIMIT 1");
        let Some(first) = one(&mut conn, first).await else { continue };
        let stored = forms().into_iter().find(|form| form.table.postgres == table);
        for (column, type_name) in &columns {
            for value in values(type_name) {
                let due = "UPDATE taskflow.deliveries SET state = 'scheduled', lease = NULL, lease_until = NULL, \
                    settled_at = NULL WHERE id = (SELECT id FROM taskflow.deliveries ORDER BY id LIMIT 1)";
                conn.execute(due).await.expect("due again");
                let row = format!("FROM {table} WHERE {key} = {first}");
                let Some(before) = one(&mut conn, format!("SELECT quote_nullable({column}::text) {row} LIMIT 1")).await
                else {
                    break;
                };
                let damage = format!("UPDATE {table} SET {column} = {value} WHERE {key} = {first}");
                if *value == before || conn.execute(AssertSqlSafe(damage)).await.is_err() {
                    continue;
                }
                damaged += 1;
                let what = format!("{table}.{column} = {value}");
                let job = (table == "taskflow.jobs").then(|| first.trim_matches('\''));
                wrong.extend(
                    bystanders.complaints(job).await.into_iter().map(|complaint| format!("{what}: {complaint}")),
                );
                // Without a user a participant is a guest, which can be read and is not hers any more.
                let is_given_up = column == "user_id" && *value == "NULL";
                if stored.is_some() && *column != key && !is_given_up {
                    wrong.extend(bystanders.losses().await.into_iter().map(|loss| format!("{what}: {loss}")));
                }
                let is_key = *column == key;
                let now = if is_key { (*value).to_owned() } else { first.clone() };
                let restore = format!("UPDATE {table} SET {column} = {before} WHERE {key} = {now}");
                let restored = conn.execute(AssertSqlSafe(restore)).await.expect("as before").rows_affected();
                assert!(restored > 0, "{what} is as before");
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {damaged} damages:\n{}", wrong.len(), wrong.join("\n"));
    assert!(damaged > 100, "{damaged}");
}
