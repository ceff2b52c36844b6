use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::types::Uuid;
use sqlx::{Executor, Row};
use taskflow::ports::{Clock, SystemClock};

use super::{DATA, NOTICE, REPLY, ids};
use crate::{BATCH, Held, PAGE, READER, Subject, TASKS, WRITER};

/// sqlx alone on SQLite, over one connection.
#[derive(Clone)]
pub(crate) struct BareSqlite(SqlitePool);

impl BareSqlite {
    /// On a file that has the schema, as durable as the store.
    pub(crate) async fn new(file: &str) -> Self {
        let target = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false).connect_with(target).await;
        Self(pool.expect("a pool"))
    }
}

fn text(row: &SqliteRow, column: usize) -> Option<String> {
    row.get(column)
}

fn number(row: &SqliteRow, column: usize) -> Option<i64> {
    row.get(column)
}

/// Microseconds since 1970.
fn now() -> i64 {
    SystemClock::new().now().as_micros()
}

#[async_trait]
impl Subject for BareSqlite {
    async fn commit(&self) {
        let (task, event, writer) = (ids(1)[0].to_string(), ids(1)[0].to_string(), WRITER.to_string());
        let mut transaction = self.0.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
        sqlx::query(
            "INSERT INTO taskflow_tasks (id, user_id, title, title_key, search_text, status, priority, version, created_at,
                updated_at)
            VALUES (?1, ?2, ?3, ?4, ?4, 'pending', 2, 1, ?5, ?5)",
        )
        .bind(&task)
        .bind(&writer)
        .bind("Water the plants")
        .bind("water the plants")
        .bind(now())
        .execute(&mut *transaction)
        .await
        .expect("a task");
        sqlx::query(
            "INSERT INTO taskflow_events (id, at, actor, entity_kind, entity_id, kind, data)
            VALUES (?1, ?2, ?3, 'task', ?4, 'task_created', ?5)",
        )
        .bind(&event)
        .bind(now())
        .bind(&writer)
        .bind(&task)
        .bind(DATA)
        .execute(&mut *transaction)
        .await
        .expect("an event");
        let seq: i64 = sqlx::query_scalar(
            "INSERT INTO taskflow_feed_heads (user_id, seq) VALUES (?1, 1)
            ON CONFLICT (user_id) DO UPDATE SET seq = seq + 1
            RETURNING seq",
        )
        .bind(&writer)
        .fetch_one(&mut *transaction)
        .await
        .expect("a sequence");
        sqlx::query("INSERT INTO taskflow_feed (user_id, seq, event_id) VALUES (?1, ?2, ?3)")
            .bind(&writer)
            .bind(seq)
            .bind(&event)
            .execute(&mut *transaction)
            .await
            .expect("an entry");
        transaction.commit().await.expect("a commit");
    }

    async fn list(&self) {
        let tasks = sqlx::query(
            "SELECT id, user_id, title, description, status, priority, due_at, reminder_minutes, completed_at, deleted_at,
                version, created_at, updated_at
            FROM taskflow_tasks
            WHERE user_id = ?1 AND deleted_at IS NULL
            ORDER BY created_at DESC, id DESC
            LIMIT ?2 OFFSET ?3",
        )
        .bind(READER.to_string())
        .bind(PAGE)
        .bind(0_i64)
        .map(|row: SqliteRow| {
            let texts = [0, 1, 2, 3, 4].map(|column| text(&row, column));
            (texts, [5, 6, 7, 8, 9, 10, 11, 12].map(|column| number(&row, column)))
        })
        .fetch_all(&self.0)
        .await
        .expect("a page");
        let total: i64 =
            sqlx::query_scalar("SELECT count(*) FROM taskflow_tasks WHERE user_id = ?1 AND deleted_at IS NULL")
                .bind(READER.to_string())
                .fetch_one(&self.0)
                .await
                .expect("a count");
        assert_eq!((tasks.len(), total), (PAGE as usize, TASKS.into()));
    }

    async fn plan(&self) {
        let row = |id: Uuid| json!([id, format!("bench/{id}"), "welcome", NOTICE, 0, READER, now(), "a bench"]);
        let rows: Value = ids(BATCH).into_iter().map(row).collect();
        sqlx::query(
            "INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'scheduled', value ->> 6,
                value ->> 6, value ->> 6, 0, 0, value ->> 7
            FROM json_each(?1)
            WHERE true
            ON CONFLICT (dedupe_key) DO NOTHING",
        )
        .bind(rows.to_string())
        .execute(&self.0)
        .await
        .expect("planned");
    }

    async fn claim(&self) -> Held {
        let lease = ids(1)[0];
        let claimed = sqlx::query(
            "UPDATE taskflow_deliveries
            SET state = 'claimed', lease = ?1, lease_until = ?2 + 120000000, first_claimed_at = ?2
            WHERE rowid IN (
                SELECT rowid
                FROM taskflow_deliveries
                WHERE state = 'scheduled' AND priority = 0 AND lap = 0 AND next_at <= ?2
                ORDER BY next_at, id
                LIMIT ?3)
            RETURNING id, kind, notice, recipient_user, recipient_address, due_at, attempts, first_claimed_at",
        )
        .bind(lease.to_string())
        .bind(now())
        .bind(BATCH)
        .map(|row: SqliteRow| {
            let id: Uuid = row.get::<String, _>(0).parse().expect("an id");
            (id, [1, 2, 3, 4].map(|column| text(&row, column)), [5, 6, 7].map(|column| number(&row, column)))
        })
        .fetch_all(&self.0)
        .await
        .expect("claimed");
        (lease, claimed.into_iter().map(|(id, ..)| id).collect())
    }

    async fn settle(&self, (lease, ids): Held) {
        let rows: Value = ids.into_iter().map(|id| json!([id, REPLY])).collect();
        let settled = sqlx::query(
            "UPDATE taskflow_deliveries
            SET state = 'delivered', settled_at = ?2, reply = j.value ->> 1, lease = NULL, lease_until = NULL
            FROM json_each(?1) AS j
            WHERE taskflow_deliveries.id = j.value ->> 0 AND lease = ?3",
        )
        .bind(rows.to_string())
        .bind(now())
        .bind(lease.to_string())
        .execute(&self.0)
        .await
        .expect("settled");
        assert_eq!(settled.rows_affected(), u64::from(BATCH));
    }

    async fn reset(&self) {
        self.0.execute("DELETE FROM taskflow_deliveries").await.expect("empty");
    }
}
