//! Turns: the place of a delivery among those that one account caused.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{Rank, StoreError, Timestamp, TurnGroup, Turns, UserId};
use uuid::Uuid;

use super::TABLE;
use crate::error::{Instant, store_error};
use crate::rows::json;

/// A group to look up as the parameters of a statement.
#[derive(Serialize)]
struct Group {
    n: usize,
    causer: UserId,
    priority: i16,
    begins: Timestamp,
    ends: Timestamp,
}

/// Returns the turns behind those that are scheduled: one look into an index for each group.
pub(super) async fn turns(
    conn: &mut PgConnection,
    groups: impl IntoIterator<Item = TurnGroup>,
) -> Result<Turns, StoreError> {
    let groups = Turns::groups(groups);
    if groups.is_empty() {
        return Ok(Turns::default());
    }
    let params = groups.iter().enumerate().map(|(n, group)| {
        let TurnGroup { causer, priority, begins, .. } = *group;
        Group { n, causer, priority, begins, ends: group.ends() }
    });
    let params = json(&params.collect::<Vec<_>>())?;
    let rows: Vec<(i32, Option<Instant>)> =
        sqlx::query_as(LAST_TURNS).bind(params).fetch_all(conn).await.map_err(store_error)?;
    let mut last = Vec::new();
    for (n, turn) in rows {
        let group = usize::try_from(n).ok().and_then(|n| groups.get(n));
        // One that was edited into something else stops nobody.
        last.extend(group.copied().zip(TABLE.optional_instant("turn", turn).ok().flatten()));
    }
    Ok(Turns::behind(last))
}

const LAST_TURNS: &str = "
    SELECT r.n, (
        SELECT max(d.turn)
        FROM taskflow.deliveries AS d
        WHERE d.state = 'scheduled' AND d.causer = r.causer AND d.priority = r.priority AND d.turn >= r.begins
            AND d.turn < r.ends)
    FROM json_to_recordset($1::json) AS r (n integer, causer uuid, priority smallint, begins timestamptz,
        ends timestamptz)";

/// A delivery's new turn as the parameters of a statement.
#[derive(Serialize)]
struct Move {
    id: Uuid,
    turn: Timestamp,
    lap: i16,
}

/// Gives turns to deliveries that this transaction has moved to another minute, among what their causers have there.
pub(crate) async fn take_turns_again(conn: &mut PgConnection, moved: &[Uuid]) -> Result<(), StoreError> {
    if moved.is_empty() {
        return Ok(());
    }
    let rows: Vec<(Uuid, Uuid, i16, i16, Instant)> =
        sqlx::query_as(MOVED).bind(moved).fetch_all(&mut *conn).await.map_err(store_error)?;
    let group = |(id, causer, priority, lap, next_at): (Uuid, Uuid, i16, i16, Instant)| {
        let next_at = TABLE.instant("next_at", next_at).ok()?;
        Some((id, TurnGroup::of_stored(UserId::from_uuid(causer), Rank { priority, lap }, next_at)))
    };
    let rows: Vec<_> = rows.into_iter().filter_map(group).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut turns = turns(&mut *conn, rows.iter().map(|(_, group)| *group)).await?;
    let moves = rows.into_iter().map(|(id, group)| {
        let turn = turns.take(group);
        Move { id, turn: turn.at, lap: turn.lap }
    });
    let moves = json(&moves.collect::<Vec<_>>())?;
    sqlx::query(MOVE).bind(moves).execute(conn).await.map(drop).map_err(store_error)
}

/// Those whose turn is of another minute than their next attempt, in the order in which they were planned.
const MOVED: &str = "
    SELECT id, causer, priority, lap, next_at
    FROM taskflow.deliveries
    WHERE id = ANY ($1) AND state = 'scheduled' AND causer IS NOT NULL AND turn IS NOT NULL
        AND floor(extract(epoch FROM turn) / 60) <> floor(extract(epoch FROM next_at) / 60)
    ORDER BY id";

const MOVE: &str = "
    UPDATE taskflow.deliveries AS d
    SET turn = r.turn, lap = r.lap
    FROM json_to_recordset($1::json) AS r (id uuid, turn timestamptz, lap smallint)
    WHERE d.id = r.id AND d.state = 'scheduled'";
