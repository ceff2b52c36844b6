//! A value that nobody can read, in any column of any table: everybody else goes on.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};
use taskflow_conformance::bystanders::Bystanders;
use taskflow_store_sql::forms;

use crate::world::World;

/// What a hand or another release may have left behind.
const TEXTS: [&str; 7] = ["NULL", "''", "'Mars/Olympus'", "'{'", "'[-1]'", "char(7) || 'x'", "CAST(x'ff' AS TEXT)"];
const NUMBERS: [&str; 5] = ["NULL", "-1", "7", "9223372036854775807", "-9223372036854775808"];
const REALS: [&str; 3] = ["NULL", "-1.0", "1e999"];

/// Tables that belong to the store itself, or that hold nothing of anybody.
const OTHERS: [&str; 3] = ["taskflow_migrations", "taskflow_schema", "taskflow_search_keys"];

async fn tables(conn: &mut SqliteConnection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'taskflow_*' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(conn).await.expect("tables");
    tables.into_iter().filter(|table| !OTHERS.contains(&table.as_str())).collect()
}

async fn one(conn: &mut SqliteConnection, statement: String) -> Option<String> {
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
        let columns: Vec<(String, String)> = sqlx::query_as("SELECT name, type FROM pragma_table_info(?1)")
            .bind(&table)
            .fetch_all(&mut conn)
            .await
            .expect("columns");
        let key = columns[0].0.clone();
        let without = format!("SELECT 'yes' FROM sqlite_schema WHERE name = '{table}' AND sql LIKE '%WITHOUT ROWID%'");
        let order = if one(&mut conn, without).await.is_some() { &key } else { "rowid" };
        let first = format!("SELECT quote({key}) FROM {table} ORDER BY {order} LIMIT 1");
        let Some(first) = one(&mut conn, first).await else { continue };
        let stored = forms().into_iter().find(|form| form.table.sqlite == table);
        for (column, type_name) in &columns {
            let values = match type_name.as_str() {
                // Bytes that are no text are read as one only where the form of a table is declared.
                "TEXT" if stored.is_none() => &TEXTS[..TEXTS.len() - 1],
                "TEXT" => &TEXTS[..],
                "REAL" => &REALS[..],
                _ => &NUMBERS[..],
            };
            for value in values {
                let due = "UPDATE taskflow_deliveries SET state = 'scheduled', lease = NULL, lease_until = NULL, \
                    settled_at = NULL WHERE rowid = (SELECT min(rowid) FROM taskflow_deliveries)";
                conn.execute(due).await.expect("due again");
                let row = format!("FROM {table} WHERE {key} = {first}");
                let Some(before) = one(&mut conn, format!("SELECT quote({column}) {row} LIMIT 1")).await else { break };
                let damage = format!("UPDATE {table} SET {column} = {value} WHERE {key} = {first}");
                if *value == before || conn.execute(AssertSqlSafe(damage)).await.is_err() {
                    continue;
                }
                damaged += 1;
                let what = format!("{table}.{column} = {value}");
                let job = (table == "taskflow_jobs").then(|| first.trim_matches('\''));
                wrong.extend(
                    bystanders.complaints(job).await.into_iter().map(|complaint| format!("{what}: {complaint}")),
                );
                // What is removed, and a participant without a user, can be read and is not hers any more.
                let is_given_up =
                    matches!(column.as_str(), "deleted_at" | "removed_at") || column == "user_id" && *value == "NULL";
                if stored.is_some() && *column != key && !is_given_up {
                    wrong.extend(bystanders.losses().await.into_iter().map(|loss| format!("{what}: {loss}")));
                }
                let is_key = *column == key;
                let now = if is_key { (*value).to_owned() } else { first.clone() };
                let restore = format!("UPDATE {table} SET {column} = {before} WHERE {key} IS {now}");
                let restored = conn.execute(AssertSqlSafe(restore)).await.expect("as before").rows_affected();
                assert!(restored > 0, "{what} is as before");
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {damaged} damages:\n{}", wrong.len(), wrong.join("\n"));
    assert!(damaged > 100, "{damaged}");
}
