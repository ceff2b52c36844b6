//! Retrying and cancelling many deliveries at once, selected by what they have in common.

use sqlx::postgres::PgArguments;
use sqlx::{PgConnection, Postgres};
use taskflow_core::{BulkAction, BulkSelection, DeliveryId, StoreError};
use uuid::Uuid;

use super::{FORGET_ATTEMPTS, list};
use crate::error::{Instant, store_error};
use crate::store::PgStore;

type Query<'q> = sqlx::query::QueryScalar<'q, Postgres, Uuid, PgArguments>;

/// A selection as the parameters of a statement.
#[derive(Clone)]
pub(crate) struct Selection {
    states: Vec<&'static str>,
    kinds: Option<Vec<&'static str>>,
    channel: Option<String>,
    users: Option<Vec<Uuid>>,
    addresses: Option<Vec<String>>,
    error: Option<String>,
    code: Option<String>,
    due_from: Option<Instant>,
    due_before: Option<Instant>,
    as_of: Instant,
}

impl Selection {
    pub(crate) fn new(selection: &BulkSelection) -> Self {
        let (users, addresses) = selection.recipients.as_deref().map(list::keys).unzip();
        let kinds = selection.kinds.iter().map(|kind| taskflow_core::NoticeKind::as_str(*kind)).collect();
        Self {
            states: selection.states.iter().map(|state| state.as_str()).collect(),
            kinds: (!selection.kinds.is_empty()).then_some(kinds),
            channel: selection.channel.map(|channel| channel.to_string()),
            users,
            addresses,
            error: selection.error.as_ref().map(|error| error.to_ascii_lowercase()),
            code: selection.code.as_ref().map(|code| format!(" {code} ")),
            due_from: selection.due_from.map(Instant::from),
            due_before: selection.due_before.map(Instant::from),
            as_of: selection.as_of.into(),
        }
    }

    /// Planned each time with the actual values: rare ones decide how to look for them.
    fn bind<'q>(self, statement: &'static str) -> Query<'q> {
        sqlx::query_scalar(statement)
            .persistent(false)
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
pub(crate) async fn selected(store: &PgStore, selection: Selection, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
    let query = || selection.clone().bind(SELECTED).bind(i64::from(limit));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(DeliveryId::from_uuid).collect())
}

/// Changes those of some deliveries that are still selected.
pub(crate) async fn change(
    conn: &mut PgConnection,
    action: &BulkAction,
    selection: Selection,
    of: &[Uuid],
) -> Result<Vec<DeliveryId>, StoreError> {
    let query = match action {
        BulkAction::Retry { at } => selection.bind(RETRY_SELECTED).bind(of).bind(Instant::from(*at)),
        BulkAction::Cancel { reason, at } => {
            selection.bind(CANCEL_SELECTED).bind(of).bind(Instant::from(*at)).bind(reason)
        }
    };
    let changed: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    if matches!(action, BulkAction::Retry { .. }) && !changed.is_empty() {
        sqlx::query(FORGET_ATTEMPTS).bind(&changed).execute(conn).await.map_err(store_error)?;
    }
    Ok(changed.into_iter().map(DeliveryId::from_uuid).collect())
}

/// The conditions of a selection besides the state, as of `l`.
macro_rules! selects {
    () => {
        "NOT l.cancel_requested
            AND ($2::text[] IS NULL OR l.kind = ANY ($2))
            AND ($3::text IS NULL OR l.channel = $3)
            AND ($4::uuid[] IS NULL OR l.recipient_user = ANY ($4)
                OR lower(l.recipient_address COLLATE \"C\") = ANY ($5::text[]))
            AND ($6::text IS NULL OR strpos(lower(l.last_error COLLATE \"C\"), $6) > 0)
            AND ($7::text IS NULL OR strpos(' ' || l.last_error || ' ', $7) > 0)
            AND ($8::timestamptz IS NULL OR l.due_at >= $8)
            AND ($9::timestamptz IS NULL OR l.due_at < $9)
            AND coalesce(l.settled_at, l.planned_at) <= $10"
    };
}

const SELECTED: &str = concat!(
    "SELECT d.id
    FROM unnest($1::text[]) AS s (state)
    CROSS JOIN LATERAL (
        SELECT l.id
        FROM taskflow.deliveries AS l
        WHERE l.state IN ('discarded', 'cancelled', 'expired') AND l.state = s.state AND ",
    selects!(),
    ") AS d
    UNION ALL
    SELECT l.id
    FROM taskflow.deliveries AS l
    WHERE l.state = 'claimed' AND 'claimed' = ANY ($1) AND ",
    selects!(),
    " UNION ALL
    SELECT l.id
    FROM taskflow.deliveries AS l
    WHERE l.state = 'scheduled' AND 'scheduled' = ANY ($1) AND ",
    selects!(),
    " LIMIT $11"
);

const RETRY_SELECTED: &str = concat!(
    "UPDATE taskflow.deliveries AS d
    SET state = 'scheduled', next_at = $12, attempts = 0, first_claimed_at = NULL, settled_at = NULL
    FROM (
        SELECT l.id
        FROM taskflow.deliveries AS l
        WHERE l.id = ANY ($11) AND l.state IN ('discarded', 'cancelled', 'expired') AND l.state = ANY ($1) AND ",
    selects!(),
    " ORDER BY l.dedupe_key
        FOR NO KEY UPDATE) AS r
    WHERE d.id = r.id AND d.state IN ('discarded', 'cancelled', 'expired')
    RETURNING d.id"
);

const CANCEL_SELECTED: &str = concat!(
    "UPDATE taskflow.deliveries AS d
    SET state = CASE d.state WHEN 'scheduled' THEN 'cancelled' ELSE d.state END,
        settled_at = CASE d.state WHEN 'scheduled' THEN $12::timestamptz END,
        cancel_requested = d.state = 'claimed',
        reason = $13
    FROM (
        SELECT l.id
        FROM taskflow.deliveries AS l
        WHERE l.id = ANY ($11) AND l.state IN ('scheduled', 'claimed') AND l.state = ANY ($1) AND ",
    selects!(),
    " ORDER BY l.dedupe_key
        FOR NO KEY UPDATE) AS r
    WHERE d.id = r.id AND d.state IN ('scheduled', 'claimed')
    RETURNING d.id"
);
