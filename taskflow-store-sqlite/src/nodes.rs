//! The processes that share the database: the port [`Nodes`]. What is long ago and what is live the database's clock says.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use taskflow_core::ports::Nodes;
use taskflow_core::{CorruptRow, Heartbeat, Node, NodeId, StoreError, Timestamp};
use taskflow_store_sql::readable;

use crate::error::{Table, store_error};
use crate::outbox::micros;
use crate::store::SqliteStore;

const TABLE: Table = Table("taskflow_nodes");

#[derive(sqlx::FromRow)]
struct NodeRow {
    id: String,
    version: String,
    started_at: i64,
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
impl Nodes for SqliteStore {
    async fn beat(&self, beat: &Heartbeat, lapse: Duration) -> Result<Vec<Node>, StoreError> {
        let (beat, lapse) = (beat.clone(), micros(lapse));
        self.write(move |conn| {
            Box::pin(async move {
                write(&mut *conn, &beat, lapse).await.map_err(store_error)?;
                read(conn).await
            })
        })
        .await
    }

    async fn leave(&self, id: &NodeId, started_at: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query(LEAVE).bind(id.to_string()).bind(started_at.as_micros());
        self.write(move |conn| Box::pin(async move { query.execute(conn).await.map(drop).map_err(store_error) })).await
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        read(&self.reader()?).await
    }

    async fn forget_nodes(&self, silent_for: Duration) -> Result<u64, StoreError> {
        let query = sqlx::query(FORGET_NODES).bind(micros(silent_for));
        self.write(move |conn| {
            Box::pin(async move { query.execute(conn).await.map(|done| done.rows_affected()).map_err(store_error) })
        })
        .await
    }
}

async fn write(conn: &mut SqliteConnection, beat: &Heartbeat, lapse: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query(BEAT)
        .bind(beat.id.as_str())
        .bind(&beat.version)
        .bind(beat.started_at.as_micros())
        .bind(beat.sends_mail)
        .bind(beat.mail_rate)
        .bind(beat.clock_ahead)
        .bind(lapse);
    query.execute(conn).await.map(drop)
}

async fn read<'e>(from: impl SqliteExecutor<'e>) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<NodeRow> = sqlx::query_as(NODES).fetch_all(from).await.map_err(store_error)?;
    Ok(readable(rows, |row: &NodeRow| row.id.clone()))
}

const BEAT: &str = "
    INSERT INTO taskflow_nodes (id, version, started_at, sends_mail, mail_rate, clock_ahead, seen_at, live_until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER),
        CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?7)
    ON CONFLICT (id) DO UPDATE
    SET version = excluded.version,
        started_at = excluded.started_at,
        sends_mail = excluded.sends_mail,
        mail_rate = excluded.mail_rate,
        clock_ahead = excluded.clock_ahead,
        seen_at = excluded.seen_at,
        live_until = excluded.live_until
    WHERE started_at <= excluded.started_at OR live_until <= excluded.seen_at";

const LEAVE: &str = "DELETE FROM taskflow_nodes WHERE id = ?1 AND started_at = ?2";

/// A clock that was set back has nobody speak in the future.
const NODES: &str = "
    SELECT id, version, started_at, sends_mail, mail_rate, clock_ahead,
        CAST(max(CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) - seen_at, 0) AS INTEGER) AS silent_for,
        live_until > CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS is_live
    FROM taskflow_nodes
    ORDER BY id";

const FORGET_NODES: &str = "
    DELETE FROM taskflow_nodes
    WHERE live_until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)
        AND seen_at <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) - ?1";
