//! The ledger: its rows, planning and cancelling. What senders do with it is in [`outbox`](crate::outbox).

pub(crate) mod bulk;
mod list;
mod mark;
mod retry;
mod turns;

use std::collections::HashSet;

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{
    CorruptRow, DedupeKey, Delivery, DeliveryId, DeliveryWrite, NewDelivery, NoticeKind, Recipient, StoreError,
    Timestamp, TurnGroup, Turns, UserId,
};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::rows::{Rows, json};

pub(crate) use list::{count, deliveries, deliveries_after};
pub(crate) use mark::mark_gathered;
use retry::{Retry, retry};
pub(crate) use turns::take_turns_again;
use turns::turns;

const TABLE: Table = Table("taskflow.deliveries");

/// Reason recorded when mail is cancelled because the recipient's account was deleted.
pub(crate) const ACCOUNT_GONE: &str = "the account was deleted";

/// A delivery to plan as the parameters of a statement.
#[derive(Serialize, Clone)]
struct Plan {
    id: DeliveryId,
    dedupe_key: String,
    kind: &'static str,
    /// JSON inside JSON, so that it is kept as it was written.
    notice: String,
    priority: i16,
    lap: i16,
    causer: Option<UserId>,
    turn: Option<Timestamp>,
    recurring: bool,
    gathered: bool,
    recipient_user: Option<UserId>,
    recipient_address: Option<String>,
    planned_at: Timestamp,
    due_at: Timestamp,
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
            notice: json(&new.notice)?,
            priority: rank.priority,
            lap: rank.lap,
            causer: group.map(|group| group.causer),
            turn: None,
            recurring: kind.is_recurring(),
            gathered: new.is_gathered(),
            recipient_user,
            recipient_address,
            planned_at: new.planned_at,
            due_at: new.due_at,
            reason: new.reason.clone(),
            channel: new.channel.to_string(),
            group,
        })
    }

    /// Takes its turn, if an account caused it.
    fn take_turn(&mut self, turns: &mut Turns) {
        if let Some(turn) = self.group.map(|group| turns.take(group)) {
            (self.turn, self.lap) = (Some(turn.at), turn.lap);
        }
    }
}

/// Deliveries to plan.
#[derive(Default)]
pub(crate) struct Plans {
    rows: Vec<Plan>,
    keys: HashSet<DedupeKey>,
}

impl Plans {
    /// Of several with one key the first is planned, and the others change nothing any more.
    pub(crate) fn push(&mut self, new: &NewDelivery) -> Result<(), StoreError> {
        if self.keys.insert(new.dedupe_key.clone()) {
            self.rows.push(Plan::new(new)?);
        }
        Ok(())
    }

    /// Plans by key: new ones are inserted, cancelled ones revived, claimed ones lose their cancel mark, others stay.
    pub(crate) async fn plan(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let json = self.in_turn(&mut *conn).await?;
        let planned: Vec<Uuid> =
            sqlx::query_scalar(PLAN).bind(&json).fetch_all(&mut *conn).await.map_err(store_error)?;
        let new: HashSet<Uuid> = self.rows.iter().map(|row| row.id.as_uuid()).collect();
        let revived: Vec<Uuid> = planned.iter().filter(|id| !new.contains(id)).copied().collect();
        if !revived.is_empty() {
            sqlx::query(FORGET_ATTEMPTS).bind(revived).execute(&mut *conn).await.map_err(store_error)?;
        }
        if planned.len() < new.len() {
            sqlx::query(UNMARK).bind(json).execute(conn).await.map_err(store_error)?;
        }
        Ok(())
    }
}

impl Plans {
    /// Returns the rows as JSON, with turns for those that an account caused.
    async fn in_turn(&self, conn: &mut PgConnection) -> Result<String, StoreError> {
        let groups = || self.rows.iter().filter_map(|row| row.group);
        if groups().next().is_none() {
            return json(&self.rows);
        }
        let mut turns = turns(conn, groups()).await?;
        let mut rows = self.rows.clone();
        rows.iter_mut().for_each(|row| row.take_turn(&mut turns));
        json(&rows)
    }
}

/// A revived delivery begins again with its first attempt. Whatever has the key already is locked from here on.
const PLAN: &str = "
    INSERT INTO taskflow.deliveries AS d (id, dedupe_key, kind, notice, priority, lap, causer, turn, recurring, gathered,
        recipient_user, recipient_address, state, planned_at, due_at, next_at, attempts, cancel_requested, reason, channel)
    SELECT id, dedupe_key, kind, notice::json, priority, lap, causer, turn, recurring, gathered, recipient_user,
        recipient_address, 'scheduled', planned_at, due_at, due_at, 0, false, reason, channel
    FROM json_to_recordset($1::json) AS r (id uuid, dedupe_key text, kind text, notice text, priority smallint,
        lap smallint, causer uuid, turn timestamptz, recurring boolean, gathered boolean, recipient_user uuid, recipient_address text, planned_at timestamptz,
        due_at timestamptz, reason text, channel text)
    ORDER BY dedupe_key COLLATE \"C\"
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
    WHERE d.state = 'cancelled'
    RETURNING id";

pub(crate) const FORGET_ATTEMPTS: &str = "DELETE FROM taskflow.delivery_attempts WHERE delivery_id = ANY ($1)";

const UNMARK: &str = "
    UPDATE taskflow.deliveries AS d
    SET cancel_requested = false, reason = r.reason, planned_at = r.planned_at
    FROM json_to_recordset($1::json) AS r (dedupe_key text, reason text, planned_at timestamptz)
    WHERE d.dedupe_key = r.dedupe_key AND d.cancel_requested";

/// A delivery to cancel as the parameters of a statement.
#[derive(Serialize)]
struct Cancel<'a> {
    dedupe_key: &'a str,
    reason: &'a str,
    at: Timestamp,
}

/// Cancels what is scheduled, and marks what is claimed.
async fn cancel(conn: &mut PgConnection, rows: &Rows<()>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(CANCEL).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const CANCEL: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = CASE d.state WHEN 'scheduled' THEN 'cancelled' ELSE d.state END,
        settled_at = CASE d.state WHEN 'scheduled' THEN r.at END,
        cancel_requested = d.state = 'claimed',
        reason = r.reason
    FROM (
        SELECT l.id, r.reason, r.at
        FROM json_to_recordset($1::json) AS r (dedupe_key text, reason text, at timestamptz)
        JOIN taskflow.deliveries AS l ON l.dedupe_key = r.dedupe_key
        WHERE l.state IN ('scheduled', 'claimed')
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.state IN ('scheduled', 'claimed')";

/// A delivery to reschedule as the parameters of a statement.
#[derive(Serialize)]
struct Reschedule<'a> {
    dedupe_key: &'a str,
    due_at: Timestamp,
    next_at: Timestamp,
}

/// Changes when scheduled deliveries are due and tried.
async fn reschedule(conn: &mut PgConnection, rows: &Rows<()>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let moved: Vec<Uuid> =
        sqlx::query_scalar(RESCHEDULE).bind(rows.json()).fetch_all(&mut *conn).await.map_err(store_error)?;
    take_turns_again(conn, &moved).await
}

const RESCHEDULE: &str = "
    UPDATE taskflow.deliveries AS d
    SET due_at = r.due_at, next_at = r.next_at
    FROM (
        SELECT l.id, r.due_at, r.next_at
        FROM json_to_recordset($1::json) AS r (dedupe_key text, due_at timestamptz, next_at timestamptz)
        JOIN taskflow.deliveries AS l ON l.dedupe_key = r.dedupe_key
        WHERE l.state = 'scheduled'
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.state = 'scheduled'
    RETURNING d.id";

/// Cancels all open deliveries to people who leave.
pub(crate) async fn cancel_for_users(conn: &mut PgConnection, users: &Rows) -> Result<(), StoreError> {
    let query = sqlx::query(CANCEL_FOR_USERS).bind(users.json()).bind(ACCOUNT_GONE);
    query.execute(conn).await.map(drop).map_err(store_error)
}

const CANCEL_FOR_USERS: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = CASE d.state WHEN 'scheduled' THEN 'cancelled' ELSE d.state END,
        settled_at = CASE d.state WHEN 'scheduled' THEN r.at END,
        cancel_requested = d.state = 'claimed',
        reason = $2
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz)
        JOIN taskflow.deliveries AS l ON l.recipient_user = r.id
        WHERE l.state IN ('scheduled', 'claimed') AND NOT l.cancel_requested
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.state IN ('scheduled', 'claimed') AND NOT d.cancel_requested";

/// The writes of planned deliveries as the parameters of statements.
#[derive(Default)]
pub(crate) struct DeliveryWrites {
    cancelled: Rows<()>,
    rescheduled: Rows<()>,
    retried: Rows,
}

impl DeliveryWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &DeliveryWrite) -> Result<(), StoreError> {
        match write {
            DeliveryWrite::Cancel { key, reason, at } => {
                self.cancelled.push(index, (), &Cancel { dedupe_key: key.as_str(), reason, at: *at })
            }
            DeliveryWrite::Reschedule { key, due_at, next_at } => {
                let params = Reschedule { dedupe_key: key.as_str(), due_at: *due_at, next_at: *next_at };
                self.rescheduled.push(index, (), &params)
            }
            DeliveryWrite::Retry { id, at } => self.retried.push(index, id.as_uuid(), &Retry { id: *id, at: *at }),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        cancel(conn, &self.cancelled).await?;
        reschedule(conn, &self.rescheduled).await?;
        retry(conn, &self.retried).await
    }
}

/// A delivery as the table has it.
#[derive(sqlx::FromRow)]
pub(crate) struct DeliveryRow {
    id: Uuid,
    dedupe_key: String,
    kind: String,
    notice: String,
    recipient_user: Option<Uuid>,
    recipient_address: Option<String>,
    state: String,
    planned_at: Instant,
    due_at: Instant,
    next_at: Instant,
    attempts: i32,
    first_claimed_at: Option<Instant>,
    settled_at: Option<Instant>,
    cancel_requested: bool,
    last_error: Option<String>,
    reply: Option<String>,
    reason: String,
    channel: String,
}

impl DeliveryRow {
    /// Its id, for the log.
    pub(crate) fn id(&self) -> String {
        self.id.to_string()
    }

    pub(crate) fn uuid(&self) -> Uuid {
        self.id
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = CorruptRow;

    fn try_from(row: DeliveryRow) -> Result<Self, CorruptRow> {
        let recipient = match (row.recipient_user, &row.recipient_address) {
            (Some(id), None) => Recipient::User(UserId::from_uuid(id)),
            (None, Some(address)) => Recipient::Address(TABLE.value("recipient_address", address)?),
            _ => return Err(TABLE.bad("recipient_user", "must be set exactly when recipient_address is not")),
        };
        Ok(Self {
            id: DeliveryId::from_uuid(row.id),
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
