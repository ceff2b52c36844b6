//! Retrying and cancelling many deliveries at once, selected by what they have in common.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use taskflow_core::{BulkAction, BulkSelection, CorruptRow, DeliveryId, StoreError};

use super::list::{self, json};
use super::{TABLE, retry};
use crate::error::store_error;

type Query<'q> = sqlx::query::QueryScalar<'q, Sqlite, String, SqliteArguments>;

/// A selection as the parameters of a statement.
#[derive(Clone)]
pub(crate) struct Selection {
    states: String,
    kinds: Option<String>,
    channel: Option<String>,
    users: Option<String>,
    addresses: Option<String>,
    error: Option<String>,
    code: Option<String>,
    due_from: Option<i64>,
    due_before: Option<i64>,
    as_of: i64,
}

impl Selection {
    pub(crate) fn new(selection: &BulkSelection) -> Result<Self, StoreError> {
        let (users, addresses) = selection.recipients.as_deref().map(list::keys).transpose()?.unzip();
        Ok(Self {
            states: json(&selection.states.iter().map(|state| state.as_str()).collect())?,
            kinds: list::json_of_kinds(&selection.kinds)?,
            channel: selection.channel.map(|channel| channel.to_string()),
            users,
            addresses,
            error: selection.error.as_ref().map(|error| error.to_ascii_lowercase()),
            code: selection.code.as_ref().map(|code| format!(" {code} ")),
            due_from: selection.due_from.map(taskflow_core::Timestamp::as_micros),
            due_before: selection.due_before.map(taskflow_core::Timestamp::as_micros),
            as_of: selection.as_of.as_micros(),
        })
    }

    fn bind<'q>(self, statement: &'static str) -> Query<'q> {
        sqlx::query_scalar(statement)
            .bind(self.states)
            .bind(self.kinds)
            .bind(self.channel)
            .bind(self.users)
            .bind(self.addresses)
            .bind(self.error)
            .bind(self.code)
            .bind(self.due_from)
            .bind(self.due_before)
            .bind(self.as_of)
    }
}

/// Returns up to `limit` deliveries that are selected. States are found by their indexes; of what was sent none is read.
pub(crate) async fn selected(
    pool: &SqlitePool,
    selection: Selection,
    limit: u32,
) -> Result<Vec<DeliveryId>, StoreError> {
    ids(selection.bind(SELECTED).bind(limit).fetch_all(pool).await.map_err(store_error)?)
}

/// Changes those of some deliveries, a JSON array of ids, that are still selected.
pub(crate) async fn change(
    conn: &mut SqliteConnection,
    action: &BulkAction,
    selection: Selection,
    of: &str,
) -> Result<Vec<DeliveryId>, StoreError> {
    let query = match action {
        BulkAction::Retry { at } => selection.bind(RETRY_SELECTED).bind(of).bind(at.as_micros()),
        BulkAction::Cancel { reason, at } => selection.bind(CANCEL_SELECTED).bind(of).bind(at.as_micros()).bind(reason),
    };
    let changed: Vec<String> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    if matches!(action, BulkAction::Retry { .. }) && !changed.is_empty() {
        let changed = json(&changed.iter().collect())?;
        sqlx::query(retry::FORGET_ATTEMPTS_OF).bind(changed).execute(conn).await.map_err(store_error)?;
    }
    ids(changed)
}

fn ids(texts: Vec<String>) -> Result<Vec<DeliveryId>, StoreError> {
    let ids: Result<_, CorruptRow> = texts.iter().map(|id| TABLE.value("id", id)).collect();
    Ok(ids?)
}

/// The conditions of a selection besides the state, as of `l`.
macro_rules! selects {
    () => {
        "NOT l.cancel_requested
            AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
            AND (?3 IS NULL OR l.channel = ?3)
            AND (?4 IS NULL OR l.recipient_user IN (SELECT value FROM json_each(?4))
                OR lower(l.recipient_address) IN (SELECT value FROM json_each(?5)))
            AND (?6 IS NULL OR instr(lower(l.last_error), ?6) > 0)
            AND (?7 IS NULL OR instr(' ' || l.last_error || ' ', ?7) > 0)
            AND (?8 IS NULL OR l.due_at >= ?8)
            AND (?9 IS NULL OR l.due_at < ?9)
            AND coalesce(l.settled_at, l.planned_at) <= ?10"
    };
}

/// Bounds that exclude nothing are there so that the indexes of states are used.
const SELECTED: &str = concat!(
    "SELECT l.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_deliveries AS l
    WHERE l.state IN ('discarded', 'cancelled', 'expired') AND l.state = j.value AND ",
    selects!(),
    " UNION ALL
    SELECT l.id
    FROM taskflow_deliveries AS l INDEXED BY taskflow_idx_deliveries_claimed
    WHERE l.state = 'claimed' AND 'claimed' IN (SELECT value FROM json_each(?1)) AND l.lease_until >= 0 AND ",
    selects!(),
    " UNION ALL
    SELECT l.id
    FROM taskflow_deliveries AS l INDEXED BY taskflow_idx_deliveries_scheduled
    WHERE l.state = 'scheduled' AND 'scheduled' IN (SELECT value FROM json_each(?1)) AND l.priority >= 0 AND ",
    selects!(),
    " LIMIT +?11"
);

const RETRY_SELECTED: &str = concat!(
    "UPDATE taskflow_deliveries AS l
    SET state = 'scheduled', next_at = ?12, attempts = 0, first_claimed_at = NULL, settled_at = NULL
    WHERE l.id IN (SELECT value FROM json_each(?11)) AND l.state IN ('discarded', 'cancelled', 'expired')
        AND l.state IN (SELECT value FROM json_each(?1)) AND ",
    selects!(),
    " RETURNING id"
);

const CANCEL_SELECTED: &str = concat!(
    "UPDATE taskflow_deliveries AS l
    SET state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
        settled_at = CASE state WHEN 'scheduled' THEN ?12 END,
        cancel_requested = state = 'claimed',
        reason = ?13
    WHERE l.id IN (SELECT value FROM json_each(?11)) AND l.state IN ('scheduled', 'claimed')
        AND l.state IN (SELECT value FROM json_each(?1)) AND ",
    selects!(),
    " RETURNING id"
);
