//! Writing outcomes, fenced by the lease under which each was obtained.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Settled;
use taskflow_core::{DeliveryId, Effect, LastNotified, LeaseToken, ParticipantId, Settlement, StoreError, Timestamp};
use uuid::Uuid;

use crate::deliveries::take_turns_again;
use crate::error::store_error;
use crate::meetings::participants;
use crate::rows::json;

/// Settlements as the parameters of statements.
pub(super) struct Batch {
    rows: Vec<Row>,
}

/// The outcome of a delivery. It does not apply if the delivery was cancelled while claimed and was not sent.
#[derive(Serialize)]
struct Row {
    id: DeliveryId,
    lease: LeaseToken,
    at: Timestamp,
    state: &'static str,
    /// A number to add.
    failed: u8,
    next_at: Option<Timestamp>,
    error: Option<String>,
    released_error: Option<String>,
    held: bool,
    reply: Option<String>,
    reason: Option<String>,
    /// A statement of its own.
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
            at: settlement.at,
            state: columns.state.as_str(),
            failed: columns.failed.into(),
            next_at: columns.next_at,
            error: text(columns.error),
            released_error: text(columns.released_error),
            held: columns.held,
            reply: text(columns.reply),
            reason: text(columns.reason),
            effect: settlement.effect,
        }
    }

    /// Returns what a participant knows now.
    fn told(&self) -> Option<(ParticipantId, LastNotified)> {
        self.effect.map(|Effect::LastNotified(participant, told)| (participant, told))
    }
}

impl Batch {
    pub(super) fn new(settlements: &[Settlement]) -> Self {
        Self { rows: settlements.iter().map(Row::new).collect() }
    }

    /// Says for each settlement whether it counted.
    pub(super) async fn run(&self, conn: &mut PgConnection) -> Result<Vec<Settled>, StoreError> {
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
                if applied.contains(&self.rows[index].id.as_uuid()) {
                    settled[index] = Settled::Applied;
                }
            }
            left = later;
        }
        Ok(settled)
    }
}

/// Participants are locked before deliveries, as in commits, and written once it is known which settlements count.
async fn settle(conn: &mut PgConnection, rows: Vec<&Row>) -> Result<HashSet<Uuid>, StoreError> {
    participants::lock(conn, rows.iter().filter_map(|row| row.told().map(|(participant, _)| participant))).await?;
    let applied: Vec<Uuid> =
        sqlx::query_scalar(SETTLE).bind(json(&rows)?).fetch_all(&mut *conn).await.map_err(store_error)?;
    let applied: HashSet<Uuid> = applied.into_iter().collect();
    participants::tell(conn, &newest(rows.iter().filter(|row| applied.contains(&row.id.as_uuid())))).await?;
    let held = rows.iter().filter(|row| row.held && applied.contains(&row.id.as_uuid()));
    take_turns_again(conn, &held.map(|row| row.id.as_uuid()).collect::<Vec<_>>()).await?;
    let failed: Vec<&Row> =
        rows.into_iter().filter(|row| row.failed > 0 && applied.contains(&row.id.as_uuid())).collect();
    if !failed.is_empty() {
        sqlx::query(INSERT_ATTEMPTS).bind(json(&failed)?).execute(conn).await.map_err(store_error)?;
    }
    Ok(applied)
}

/// Returns the newest notification of each participant, however many mails notified them.
fn newest<'a>(rows: impl Iterator<Item = &'a &'a Row>) -> BTreeMap<ParticipantId, LastNotified> {
    let mut newest: BTreeMap<ParticipantId, LastNotified> = BTreeMap::new();
    for (participant, told) in rows.filter_map(|row| row.told()) {
        let known = newest.entry(participant).or_insert(told);
        if known.version <= told.version {
            *known = told;
        }
    }
    newest
}

/// Only a claimed row has a lease (a check says so). Asking for the state as well would offer the planner the index of
/// claims, which it takes for empty when it last counted while nothing was claimed.
const SETTLE: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = CASE WHEN NOT d.cancel_requested OR r.state = 'delivered' THEN r.state ELSE 'cancelled' END,
        settled_at = CASE WHEN d.cancel_requested OR r.state <> 'scheduled' THEN r.at END,
        next_at = CASE WHEN d.cancel_requested THEN d.next_at ELSE coalesce(r.next_at, d.next_at) END,
        attempts = d.attempts + r.failed,
        last_error = CASE WHEN NOT r.held OR d.cancel_requested
            THEN coalesce(r.error, CASE WHEN NOT d.cancel_requested THEN r.released_error END, d.last_error) END,
        reply = coalesce(r.reply, d.reply),
        reason = CASE WHEN d.cancel_requested THEN d.reason ELSE coalesce(r.reason, d.reason) END,
        cancel_requested = false,
        lease = NULL,
        lease_until = NULL
    FROM (
        SELECT r.id, r.lease, r.at, r.failed, r.next_at, r.error, r.released_error, r.held, r.reply,
            CASE WHEN o.outdated THEN 'scheduled' ELSE r.state END AS state,
            CASE WHEN NOT o.outdated THEN r.reason END AS reason
        FROM json_to_recordset($1::json) AS r (id uuid, lease uuid, at timestamptz, state text, failed integer,
            next_at timestamptz, error text, released_error text, held boolean, reply text, reason text)
        JOIN taskflow.deliveries AS l ON l.id = r.id
        CROSS JOIN LATERAL (
            SELECT r.state IN ('cancelled', 'expired') AND l.planned_at > r.at AS outdated) AS o
        WHERE l.lease = r.lease
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.lease = r.lease
    RETURNING d.id";

/// The attempt just counted is the number of this one.
const INSERT_ATTEMPTS: &str = "
    INSERT INTO taskflow.delivery_attempts (delivery_id, attempt, at, error)
    SELECT d.id, d.attempts, r.at, r.error
    FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz, error text)
    JOIN taskflow.deliveries AS d ON d.id = r.id";
