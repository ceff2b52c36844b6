//! The ledger: its rows, planning, cancelling and reading. What senders do with it is in [`outbox`](crate::outbox).

pub(crate) mod bulk;
mod ledger;
mod list;
mod mark;
mod retry;
mod turns;

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::{
    CorruptRow, DedupeKey, Delivery, DeliveryId, DeliveryWrite, NewDelivery, NoticeKind, Recipient, StoreError,
    TurnGroup, Turns, UserId,
};

use crate::error::{Table, store_error};
use crate::rows::Rows;

pub(crate) use mark::mark_gathered_page;
use retry::{Retry, retry};
pub(crate) use turns::take_turns_again;
use turns::turns;

const TABLE: Table = Table("taskflow_deliveries");

/// Reason recorded when mail is cancelled because the recipient's account was deleted.
pub(crate) const ACCOUNT_GONE: &str = "the account was deleted";

/// A delivery to plan as the parameters of a statement.
#[derive(Serialize, Clone)]
struct Plan {
    id: DeliveryId,
    dedupe_key: String,
    kind: &'static str,
    notice: String,
    priority: i16,
    lap: i16,
    causer: Option<UserId>,
    turn: Option<i64>,
    recurring: bool,
    gathered: bool,
    recipient_user: Option<UserId>,
    recipient_address: Option<String>,
    planned_at: i64,
    due_at: i64,
    reason: String,
    channel: String,
    /// Those among whom it takes a turn.
    #[serde(skip)]
    group: Option<TurnGroup>,
}

impl Plan {
    fn new(new: &NewDelivery) -> Result<Self, StoreError> {
        let kind = new.notice.kind();
        let (recipient_user, recipient_address) = match &new.recipient {
            Recipient::User(id) => (Some(*id), None),
            Recipient::Address(address) => (None, Some(address.to_string())),
        };
        let (group, rank) = (new.turn_group(), new.rank(None));
        Ok(Self {
            id: new.id,
            dedupe_key: new.dedupe_key.to_string(),
            kind: kind.as_str(),
            notice: serde_json::to_string(&new.notice).map_err(|error| StoreError::Internal(error.into()))?,
            priority: rank.priority,
            lap: rank.lap,
            causer: group.map(|group| group.causer),
            turn: None,
            recurring: kind.is_recurring(),
            gathered: new.is_gathered(),
            recipient_user,
            recipient_address,
            planned_at: new.planned_at.as_micros(),
            due_at: new.due_at.as_micros(),
            reason: new.reason.clone(),
            channel: new.channel.to_string(),
            group,
        })
    }

    /// Takes its turn, if an account caused it.
    fn take_turn(&mut self, turns: &mut Turns) {
        if let Some(turn) = self.group.map(|group| turns.take(group)) {
            (self.turn, self.lap) = (Some(turn.at.as_micros()), turn.lap);
        }
    }
}

/// A delivery to cancel as the parameters of a statement.
#[derive(Serialize)]
struct Cancel<'a> {
    dedupe_key: &'a str,
    reason: &'a str,
    at: i64,
}

/// A delivery to reschedule as the parameters of a statement.
#[derive(Serialize)]
struct Reschedule<'a> {
    dedupe_key: &'a str,
    due_at: i64,
    next_at: i64,
}

/// The writes of planned deliveries as the parameters of statements.
#[derive(Default)]
pub(crate) struct DeliveryWrites {
    cancelled: Rows,
    rescheduled: Rows,
    retried: Rows,
}

impl DeliveryWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &DeliveryWrite) -> Result<(), StoreError> {
        match write {
            DeliveryWrite::Cancel { key, reason, at } => {
                self.cancelled.push(index, key, &Cancel { dedupe_key: key.as_str(), reason, at: at.as_micros() })
            }
            DeliveryWrite::Reschedule { key, due_at, next_at } => {
                let (due_at, next_at) = (due_at.as_micros(), next_at.as_micros());
                self.rescheduled.push(index, key, &Reschedule { dedupe_key: key.as_str(), due_at, next_at })
            }
            DeliveryWrite::Retry { id, at } => self.retried.push(index, id, &Retry { id: *id, at: at.as_micros() }),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        cancel(conn, &self.cancelled).await?;
        reschedule(conn, &self.rescheduled).await?;
        retry(conn, &self.retried).await
    }
}

/// Deliveries to plan.
#[derive(Default)]
pub(crate) struct Plans(Vec<Plan>);

impl Plans {
    pub(crate) fn push(&mut self, new: &NewDelivery) -> Result<(), StoreError> {
        self.0.push(Plan::new(new)?);
        Ok(())
    }

    /// Returns the rows as JSON, with turns for those that an account caused.
    async fn in_turn(&self, conn: &mut SqliteConnection) -> Result<String, StoreError> {
        let json = |rows: &[Plan]| serde_json::to_string(rows).map_err(|error| StoreError::Internal(error.into()));
        let groups = || self.0.iter().filter_map(|row| row.group);
        if groups().next().is_none() {
            return json(&self.0);
        }
        let mut turns = turns(conn, groups()).await?;
        let mut rows = self.0.clone();
        rows.iter_mut().for_each(|row| row.take_turn(&mut turns));
        json(&rows)
    }

    /// Plans by key, in one round trip: new ones are inserted, cancelled ones revived, claimed ones lose their cancel
    /// mark, others stay.
    pub(crate) async fn plan(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let json = self.in_turn(&mut *conn).await?;
        sqlx::query(PLAN).bind(json).execute(conn).await.map(drop).map_err(store_error)
    }
}

/// A delivery as the table has it.
#[derive(sqlx::FromRow)]
pub(crate) struct DeliveryRow {
    id: String,
    dedupe_key: String,
    kind: String,
    notice: String,
    recipient_user: Option<String>,
    recipient_address: Option<String>,
    state: String,
    planned_at: i64,
    due_at: i64,
    next_at: i64,
    attempts: i64,
    first_claimed_at: Option<i64>,
    settled_at: Option<i64>,
    cancel_requested: bool,
    last_error: Option<String>,
    reply: Option<String>,
    reason: String,
    channel: String,
}

impl DeliveryRow {
    /// Its id as it is written, for the log.
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = CorruptRow;

    fn try_from(row: DeliveryRow) -> Result<Self, CorruptRow> {
        let recipient = match (&row.recipient_user, &row.recipient_address) {
            (Some(id), None) => Recipient::User(TABLE.value("recipient_user", id)?),
            (None, Some(address)) => Recipient::Address(TABLE.value("recipient_address", address)?),
            _ => return Err(TABLE.bad("recipient_user", "must be set exactly when recipient_address is not")),
        };
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            dedupe_key: DedupeKey::new(row.dedupe_key),
            kind: TABLE.value::<NoticeKind>("kind", &row.kind)?,
            notice: serde_json::from_str(&row.notice)
                .map_err(|error| TABLE.bad("notice", error.to_string()).to_string()),
            recipient,
            state: TABLE.value("state", &row.state)?,
            planned_at: TABLE.instant("planned_at", row.planned_at)?,
            due_at: TABLE.instant("due_at", row.due_at)?,
            next_at: TABLE.instant("next_at", row.next_at)?,
            attempts: TABLE.number("attempts", row.attempts)?,
            first_claimed_at: TABLE.optional_instant("first_claimed_at", row.first_claimed_at)?,
            settled_at: TABLE.optional_instant("settled_at", row.settled_at)?,
            cancel_requested: row.cancel_requested,
            last_error: row.last_error,
            reply: row.reply,
            reason: row.reason,
            channel: TABLE.value("channel", &row.channel)?,
        })
    }
}

/// A revived delivery begins again with its first attempt.
const PLAN: &str = "
    UPDATE taskflow_deliveries
    SET cancel_requested = 0, reason = j.value ->> 'reason', planned_at = j.value ->> 'planned_at'
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.dedupe_key = j.value ->> 'dedupe_key' AND cancel_requested = 1;

    DELETE FROM taskflow_delivery_attempts
    WHERE delivery_id IN (
        SELECT d.id
        FROM json_each(?1) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.dedupe_key = j.value ->> 'dedupe_key'
        WHERE d.state = 'cancelled');

    INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, lap, causer, turn, recurring, gathered,
        recipient_user, recipient_address, state, planned_at, due_at, next_at, attempts, cancel_requested, reason, channel)
    SELECT value ->> 'id', value ->> 'dedupe_key', value ->> 'kind', value ->> 'notice', value ->> 'priority',
        value ->> 'lap', value ->> 'causer', value ->> 'turn', value ->> 'recurring', value ->> 'gathered', value ->> 'recipient_user', value ->> 'recipient_address',
        'scheduled', value ->> 'planned_at', value ->> 'due_at', value ->> 'due_at', 0, 0, value ->> 'reason', value ->> 'channel'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (dedupe_key) DO UPDATE
    SET kind = excluded.kind,
        notice = excluded.notice,
        priority = excluded.priority,
        lap = excluded.lap,
        causer = excluded.causer,
        turn = excluded.turn,
        recurring = excluded.recurring,
        gathered = excluded.gathered,
        recipient_user = excluded.recipient_user,
        recipient_address = excluded.recipient_address,
        state = 'scheduled',
        planned_at = excluded.planned_at,
        due_at = excluded.due_at,
        next_at = excluded.next_at,
        attempts = 0,
        first_claimed_at = NULL,
        settled_at = NULL,
        last_error = NULL,
        reply = NULL,
        reason = excluded.reason,
        channel = excluded.channel
    WHERE taskflow_deliveries.state = 'cancelled'";

/// Cancels by key what is scheduled and marks what is claimed.
async fn cancel(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(CANCEL).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const CANCEL: &str = "
    UPDATE taskflow_deliveries
    SET state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
        settled_at = CASE state WHEN 'scheduled' THEN j.value ->> 'at' END,
        cancel_requested = state = 'claimed',
        reason = j.value ->> 'reason'
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.dedupe_key = j.value ->> 'dedupe_key' AND state IN ('scheduled', 'claimed')";

/// Changes when scheduled deliveries are due and tried.
async fn reschedule(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let moved: Vec<String> =
        sqlx::query_scalar(RESCHEDULE).bind(rows.json()).fetch_all(&mut *conn).await.map_err(store_error)?;
    take_turns_again(conn, &moved).await
}

const RESCHEDULE: &str = "
    UPDATE taskflow_deliveries
    SET due_at = j.value ->> 'due_at', next_at = j.value ->> 'next_at'
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.dedupe_key = j.value ->> 'dedupe_key' AND +state = 'scheduled'
    RETURNING id";

/// Cancels all open deliveries to people who leave.
pub(crate) async fn cancel_for_users(conn: &mut SqliteConnection, users: &Rows) -> Result<(), StoreError> {
    let query = sqlx::query(CANCEL_FOR_USERS).bind(users.json()).bind(ACCOUNT_GONE);
    query.execute(conn).await.map(drop).map_err(store_error)
}

const CANCEL_FOR_USERS: &str = "
    UPDATE taskflow_deliveries
    SET state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
        settled_at = CASE state WHEN 'scheduled' THEN j.value ->> 'at' END,
        cancel_requested = state = 'claimed',
        reason = ?2
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.recipient_user = j.value ->> 'id' AND state IN ('scheduled', 'claimed')
        AND NOT cancel_requested";
