//! The processes that share the database: the port [`Nodes`]. What is long ago and what is live the database's clock says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::Nodes;
use taskflow_core::{CorruptRow, Heartbeat, Node, NodeId, StoreError, Timestamp};
use taskflow_store_sql::readable;

use crate::error::{Instant, Table, store_error};
use crate::outbox::micros;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.nodes");

#[derive(sqlx::FromRow)]
struct NodeRow {
    id: String,
    version: String,
    started_at: Instant,
    sends_mail: bool,
    mail_rate: Option<f64>,
    clock_ahead: Option<i64>,
    silent_for: i64,
    is_live: bool,
}

impl TryFrom<NodeRow> for Node {
    type Error = CorruptRow;

    fn try_from(row: NodeRow) -> Result<Self, CorruptRow> {
        let said = Heartbeat {
            id: TABLE.value("id", &row.id)?,
            version: row.version,
            started_at: TABLE.instant("started_at", row.started_at)?,
            sends_mail: row.sends_mail,
            mail_rate: row.mail_rate,
            clock_ahead: row.clock_ahead,
        };
        let silent_for = Duration::from_micros(TABLE.number("seen_at", row.silent_for)?);
        Ok(Self { said, silent_for, is_live: row.is_live })
    }
}

#[async_trait]
impl Nodes for PgStore {
    /// The heartbeat is committed before the nodes are read, in a snapshot of its own.
    async fn beat(&self, beat: &Heartbeat, lapse: Duration) -> Result<Vec<Node>, StoreError> {
        let (beat, lapse) = (Arc::new(beat.clone()), micros(lapse));
        self.write(move |conn| {
            let beat = beat.clone();
            Box::pin(async move {
                let query = sqlx::query(BEAT)
                    .bind(beat.id.as_str())
                    .bind(&beat.version)
                    .bind(Instant::from(beat.started_at))
                    .bind(beat.sends_mail)
                    .bind(beat.mail_rate)
                    .bind(beat.clock_ahead)
                    .bind(lapse);
                query.execute(conn).await.map(drop).map_err(store_error)
            })
        })
        .await?;
        self.nodes().await
    }

    async fn leave(&self, id: &NodeId, started_at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |conn| {
            let query = sqlx::query(LEAVE).bind(id.to_string()).bind(Instant::from(started_at));
            Box::pin(async move { query.execute(conn).await.map(drop).map_err(store_error) })
        })
        .await
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows: Vec<NodeRow> = self.read(|conn| Box::pin(sqlx::query_as(NODES).fetch_all(conn))).await?;
        Ok(readable(rows, |row: &NodeRow| row.id.clone()))
    }

    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let now: Instant = self.read(|conn| Box::pin(sqlx::query_scalar(STORE_TIME).fetch_one(conn))).await?;
        Ok(Some(TABLE.instant("clock_timestamp", now)?))
    }

    async fn forget_nodes(&self, silent_for: Duration) -> Result<u64, StoreError> {
        let silent_for = micros(silent_for);
        self.write(move |conn| {
            let query = sqlx::query(FORGET_NODES).bind(silent_for);
            Box::pin(async move { query.execute(conn).await.map(|done| done.rows_affected()).map_err(store_error) })
        })
        .await
    }
}

const BEAT: &str = "
    INSERT INTO taskflow.nodes AS n (id, version, started_at, sends_mail, mail_rate, clock_ahead, seen_at, live_until)
    VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7 * interval '1 microsecond')
    ON CONFLICT (id) DO UPDATE
    SET version = excluded.version,
        started_at = excluded.started_at,
        sends_mail = excluded.sends_mail,
        mail_rate = excluded.mail_rate,
        clock_ahead = excluded.clock_ahead,
        seen_at = clock_timestamp(),
        live_until = clock_timestamp() + $7 * interval '1 microsecond'
    WHERE n.started_at <= excluded.started_at OR n.live_until <= clock_timestamp()";

const LEAVE: &str = "DELETE FROM taskflow.nodes WHERE id = $1 AND started_at = $2";

/// A clock that was set back has nobody speak in the future.
const NODES: &str = "
    SELECT id, version, started_at, sends_mail, mail_rate, clock_ahead,
        CASE WHEN isfinite(seen_at)
            THEN (greatest(extract(epoch FROM clock_timestamp() - seen_at), 0) * 1000000)::bigint
            ELSE 0
        END AS silent_for,
        live_until > clock_timestamp() AS is_live
    FROM taskflow.nodes
    ORDER BY id";

const STORE_TIME: &str = "SELECT clock_timestamp()";

const FORGET_NODES: &str = "
    DELETE FROM taskflow.nodes
    WHERE live_until <= clock_timestamp() AND seen_at <= clock_timestamp() - $1 * interval '1 microsecond'";
