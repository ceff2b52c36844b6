use async_trait::async_trait;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::types::Uuid;
use sqlx::{Executor, Row, ValueRef};

use super::{DATA, NOTICE, REPLY, ids};
use crate::{BATCH, Held, PAGE, READER, Subject, TASKS, WRITER};

/// sqlx alone on PostgreSQL.
#[derive(Clone)]
pub(crate) struct BarePostgres(PgPool);

impl BarePostgres {
    pub(crate) async fn new(url: &str) -> Self {
        // Asking a connection whether it is alive would be a round trip for each statement.
        let pool = PgPoolOptions::new().max_connections(2).test_before_acquire(false).connect(url).await;
        Self(pool.expect("a pool"))
    }
}

/// Microseconds since 2000, as PostgreSQL sends an instant.
fn instant(row: &PgRow, column: usize) -> Option<i64> {
    let value = row.try_get_raw(column).expect("a column");
    (!value.is_null()).then(|| i64::from_be_bytes(value.as_bytes().expect("bytes").try_into().expect("eight")))
}

fn text(row: &PgRow, column: usize) -> Option<String> {
    row.get(column)
}

#[async_trait]
impl Subject for BarePostgres {
    async fn commit(&self) {
        let (task, event) = (ids(1)[0], ids(1)[0]);
        let mut transaction = self.0.begin().await.expect("a transaction");
        sqlx::query(
            "INSERT INTO taskflow.tasks (id, user_id, title, title_key, search_text, status, priority, version, created_at,
                updated_at)
            VALUES ($1, $2, $3, $4, $4, 'pending', 2, 1, now(), now())",
        )
        .bind(task)
        .bind(WRITER)
        .bind("Water the plants")
        .bind("water the plants")
        .execute(&mut *transaction)
        .await
        .expect("a task");
        sqlx::query(
            "INSERT INTO taskflow.events (id, at, actor, entity_kind, entity_id, kind, data)
            VALUES ($1, now(), $2, 'task', $3, 'task_created', $4::json)",
        )
        .bind(event)
        .bind(WRITER)
        .bind(task)
        .bind(DATA)
        .execute(&mut *transaction)
        .await
        .expect("an event");
        let seq: i64 = sqlx::query_scalar(
            "INSERT INTO taskflow.feed_heads AS h (user_id, seq) VALUES ($1, 1)
            ON CONFLICT (user_id) DO UPDATE SET seq = h.seq + 1
            RETURNING seq",
        )
        .bind(WRITER)
        .fetch_one(&mut *transaction)
        .await
        .expect("a sequence");
        sqlx::query("INSERT INTO taskflow.feed (user_id, seq, event_id) VALUES ($1, $2, $3)")
            .bind(WRITER)
            .bind(seq)
            .bind(event)
            .execute(&mut *transaction)
            .await
            .expect("an entry");
        transaction.commit().await.expect("a commit");
    }

    async fn list(&self) {
        let tasks = sqlx::query(
            "SELECT id, user_id, title, description, status, priority, due_at, reminder_minutes, completed_at, deleted_at,
                version, created_at, updated_at
            FROM taskflow.tasks
            WHERE user_id = $1 AND deleted_at IS NULL
            ORDER BY created_at DESC, id DESC
            LIMIT $2 OFFSET $3",
        )
        .bind(READER)
        .bind(i64::from(PAGE))
        .bind(0_i64)
        .map(|row: PgRow| {
            let ids = [0, 1].map(|column| row.get::<Uuid, _>(column));
            let texts = [2, 3, 4].map(|column| text(&row, column));
            let instants = [6, 8, 9, 11, 12].map(|column| instant(&row, column));
            (ids, texts, instants, row.get::<i16, _>(5), row.get::<Option<i32>, _>(7), row.get::<i64, _>(10))
        })
        .fetch_all(&self.0)
        .await
        .expect("a page");
        let total: i64 =
            sqlx::query_scalar("SELECT count(*) FROM taskflow.tasks WHERE user_id = $1 AND deleted_at IS NULL")
                .bind(READER)
                .fetch_one(&self.0)
                .await
                .expect("a count");
        assert_eq!((tasks.len(), total), (PAGE as usize, TASKS.into()));
    }

    async fn plan(&self) {
        let ids = ids(BATCH);
        let keys: Vec<String> = ids.iter().map(|id| format!("bench/{id}")).collect();
        let all = |text| vec![text; ids.len()];
        sqlx::query(
            "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            SELECT id, dedupe_key, kind, notice::json, priority, recipient, 'scheduled', now(), now(), now(), 0, false,
                reason
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::uuid[], $7::text[])
                AS r (id, dedupe_key, kind, notice, priority, recipient, reason)
            ON CONFLICT (dedupe_key) DO NOTHING",
        )
        .bind(&ids)
        .bind(keys)
        .bind(all("welcome"))
        .bind(all(NOTICE))
        .bind(vec![0_i16; ids.len()])
        .bind(vec![READER; ids.len()])
        .bind(all("a bench"))
        .execute(&self.0)
        .await
        .expect("planned");
    }

    async fn claim(&self) -> Held {
        let lease = ids(1)[0];
        let claimed = sqlx::query(
            "UPDATE taskflow.deliveries
            SET state = 'claimed', lease = $1, lease_until = now() + interval '120 seconds', first_claimed_at = now()
            WHERE id = ANY (ARRAY (
                SELECT id
                FROM taskflow.deliveries
                WHERE state = 'scheduled' AND priority = 0 AND lap = 0 AND next_at <= now()
                ORDER BY next_at, id
                LIMIT $2
                FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING id, kind, notice::text, recipient_user, recipient_address, due_at, attempts, first_claimed_at",
        )
        .bind(lease)
        .bind(i64::from(BATCH))
        .map(|row: PgRow| {
            let texts = [1, 2, 4].map(|column| text(&row, column));
            let instants = [5, 7].map(|column| instant(&row, column));
            (row.get(0), texts, instants, row.get::<Option<Uuid>, _>(3), row.get::<i32, _>(6))
        })
        .fetch_all(&self.0)
        .await
        .expect("claimed");
        (lease, claimed.into_iter().map(|(id, ..)| id).collect())
    }

    async fn settle(&self, (lease, ids): Held) {
        let settled = sqlx::query(
            "UPDATE taskflow.deliveries AS d
            SET state = 'delivered', settled_at = now(), reply = r.reply, lease = NULL, lease_until = NULL
            FROM unnest($1::uuid[], $2::text[]) AS r (id, reply)
            WHERE d.id = r.id AND d.lease = $3",
        )
        .bind(&ids)
        .bind(vec![REPLY; ids.len()])
        .bind(lease)
        .execute(&self.0)
        .await
        .expect("settled");
        assert_eq!(settled.rows_affected(), u64::from(BATCH));
    }

    async fn reset(&self) {
        self.0.execute("TRUNCATE taskflow.deliveries CASCADE").await.expect("empty");
    }
}
