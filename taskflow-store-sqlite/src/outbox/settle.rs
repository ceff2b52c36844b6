//! Writing outcomes, fenced by the lease under which each was obtained.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::ports::Settled;
use taskflow_core::{DeliveryId, Effect, LeaseToken, Settlement, StoreError, Timestamp};

use crate::deliveries::take_turns_again;
use crate::error::store_error;
use crate::meetings::participants::{self, KnowsNow};

/// Settlements as the parameters of statements.
pub(super) struct Batch {
    rows: Vec<Row>,
}

/// The outcome of a delivery. It does not apply if the delivery was cancelled while claimed and was not sent.
#[derive(Serialize)]
struct Row {
    id: DeliveryId,
    lease: LeaseToken,
    at: i64,
    state: &'static str,
    /// A number to add.
    failed: u8,
    next_at: Option<i64>,
    error: Option<String>,
    released_error: Option<String>,
    held: bool,
    reply: Option<String>,
    reason: Option<String>,
    /// Goes to another table.
    #[serde(skip)]
    effect: Option<Effect>,
}

impl Row {
    fn new(settlement: &Settlement) -> Self {
        let columns = settlement.outcome.columns();
        let text = |text: Option<&str>| text.map(ToOwned::to_owned);
        Self {
            id: settlement.id,
            lease: settlement.lease,
            at: settlement.at.as_micros(),
            state: columns.state.as_str(),
            failed: columns.failed.into(),
            next_at: columns.next_at.map(Timestamp::as_micros),
            error: text(columns.error),
            released_error: text(columns.released_error),
            held: columns.held,
            reply: text(columns.reply),
            reason: text(columns.reason),
            effect: settlement.effect,
        }
    }

    /// Returns what a participant knows now.
    fn told(&self) -> Option<KnowsNow> {
        self.effect.map(|Effect::LastNotified(participant, told)| KnowsNow::new(participant, told))
    }
}

impl Batch {
    pub(super) fn new(settlements: &[Settlement]) -> Self {
        Self { rows: settlements.iter().map(Row::new).collect() }
    }

    /// Says for each settlement whether it counted.
    pub(super) async fn run(&self, conn: &mut SqliteConnection) -> Result<Vec<Settled>, StoreError> {
        let mut settled = vec![Settled::LeaseLost; self.rows.len()];
        let mut left: Vec<usize> = (0..self.rows.len()).collect();
        // One statement sees each delivery once. A second settlement of the same delivery is a bug of the caller, but
        // one that must not count twice: it waits for the next round.
        while !left.is_empty() {
            let mut seen = HashSet::new();
            let (round, later): (Vec<usize>, Vec<usize>) =
                left.into_iter().partition(|index| seen.insert(self.rows[*index].id));
            let applied = settle(conn, round.iter().map(|index| &self.rows[*index]).collect()).await?;
            for index in round {
                if applied.contains(&self.rows[index].id.to_string()) {
                    settled[index] = Settled::Applied;
                }
            }
            left = later;
        }
        Ok(settled)
    }
}

async fn settle(conn: &mut SqliteConnection, rows: Vec<&Row>) -> Result<HashSet<String>, StoreError> {
    let json = |rows: &[&Row]| serde_json::to_string(rows).map_err(|error| StoreError::Internal(error.into()));
    let applied: Vec<String> =
        sqlx::query_scalar(SETTLE).bind(json(&rows)?).fetch_all(&mut *conn).await.map_err(store_error)?;
    let applied: HashSet<String> = applied.into_iter().collect();
    let held = rows.iter().filter(|row| row.held).map(|row| row.id.to_string());
    take_turns_again(conn, &held.filter(|id| applied.contains(id)).collect::<Vec<_>>()).await?;
    let counted: Vec<&Row> = rows.into_iter().filter(|row| applied.contains(&row.id.to_string())).collect();
    let told: Vec<KnowsNow> = counted.iter().filter_map(|row| row.told()).collect();
    participants::tell(conn, &KnowsNow::last_of_each(told.iter())).await?;
    let failed: Vec<&Row> = counted.into_iter().filter(|row| row.failed > 0).collect();
    if !failed.is_empty() {
        sqlx::query(INSERT_ATTEMPTS).bind(json(&failed)?).execute(conn).await.map_err(store_error)?;
    }
    Ok(applied)
}

/// The plus keeps the state from choosing the index: by statistics that were taken while nothing was claimed, SQLite would
/// go through all claims and read the JSON anew for each.
const SETTLE: &str = "
    UPDATE taskflow_deliveries
    SET state = CASE WHEN cancel_requested = 0 OR r.state = 'delivered' THEN r.state ELSE 'cancelled' END,
        settled_at = CASE WHEN cancel_requested = 1 OR r.state <> 'scheduled' THEN r.at END,
        next_at = CASE WHEN cancel_requested = 0 THEN coalesce(r.next_at, taskflow_deliveries.next_at)
            ELSE taskflow_deliveries.next_at END,
        attempts = attempts + r.failed,
        last_error = CASE WHEN NOT r.held OR cancel_requested = 1
            THEN coalesce(r.error, CASE WHEN cancel_requested = 0 THEN r.released_error END, last_error) END,
        reply = coalesce(r.reply, taskflow_deliveries.reply),
        reason = CASE WHEN cancel_requested = 0 THEN coalesce(r.reason, taskflow_deliveries.reason)
            ELSE taskflow_deliveries.reason END,
        cancel_requested = 0,
        lease = NULL,
        lease_until = NULL
    FROM (
        SELECT l.id, j.value ->> 'lease' AS lease, j.value ->> 'at' AS at, j.value ->> 'failed' AS failed,
            j.value ->> 'next_at' AS next_at, j.value ->> 'error' AS error,
            j.value ->> 'released_error' AS released_error, j.value ->> 'held' AS held, j.value ->> 'reply' AS reply,
            CASE WHEN j.value ->> 'state' IN ('cancelled', 'expired') AND l.planned_at > j.value ->> 'at'
                THEN 'scheduled' ELSE j.value ->> 'state' END AS state,
            CASE WHEN j.value ->> 'state' NOT IN ('cancelled', 'expired') OR l.planned_at <= j.value ->> 'at'
                THEN j.value ->> 'reason' END AS reason
        FROM json_each(?1) AS j
        CROSS JOIN taskflow_deliveries AS l ON l.id = j.value ->> 'id') AS r
    WHERE taskflow_deliveries.id = r.id AND +taskflow_deliveries.state = 'claimed'
        AND taskflow_deliveries.lease = r.lease
    RETURNING id";

/// The attempt just counted is the number of this one.
const INSERT_ATTEMPTS: &str = "
    INSERT INTO taskflow_delivery_attempts (delivery_id, attempt, at, error)
    SELECT d.id, d.attempts, j.value ->> 'at', j.value ->> 'error'
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_deliveries AS d ON d.id = j.value ->> 'id'";
