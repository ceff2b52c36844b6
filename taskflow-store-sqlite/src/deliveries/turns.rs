//! Turns: the place of a delivery among those that one account caused.

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::{Rank, StoreError, TurnGroup, Turns, UserId};

use super::TABLE;
use crate::error::store_error;

/// A group to look up as the parameters of a statement.
#[derive(Serialize)]
struct Group {
    causer: UserId,
    priority: i16,
    begins: i64,
    ends: i64,
}

/// Returns the turns behind those that are scheduled: one look into an index for each group.
pub(super) async fn turns(
    conn: &mut SqliteConnection,
    groups: impl IntoIterator<Item = TurnGroup>,
) -> Result<Turns, StoreError> {
    let groups = Turns::groups(groups);
    if groups.is_empty() {
        return Ok(Turns::default());
    }
    let params = groups.iter().map(|group| {
        let TurnGroup { causer, priority, begins, .. } = *group;
        Group { causer, priority, begins: begins.as_micros(), ends: group.ends().as_micros() }
    });
    let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(LAST_TURNS)
        .bind(json(&params.collect::<Vec<_>>())?)
        .fetch_all(conn)
        .await
        .map_err(store_error)?;
    let mut last = Vec::new();
    for (n, turn) in rows {
        let group = usize::try_from(n).ok().and_then(|n| groups.get(n));
        // One that was edited into something else stops nobody.
        last.extend(group.copied().zip(TABLE.optional_instant("turn", turn).ok().flatten()));
    }
    Ok(Turns::behind(last))
}

const LAST_TURNS: &str = "
    SELECT j.key, (
        SELECT max(d.turn)
        FROM taskflow_deliveries AS d
        WHERE d.state = 'scheduled' AND d.causer = j.value ->> 'causer' AND d.priority = j.value ->> 'priority'
            AND d.turn >= j.value ->> 'begins' AND d.turn < j.value ->> 'ends')
    FROM json_each(?1) AS j";

/// A delivery's new turn as the parameters of a statement.
#[derive(Serialize)]
struct Move {
    id: String,
    turn: i64,
    lap: i16,
}

/// Gives turns to deliveries that this transaction has moved to another minute, among what their causers have there.
pub(crate) async fn take_turns_again(conn: &mut SqliteConnection, moved: &[String]) -> Result<(), StoreError> {
    if moved.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, String, i16, i16, i64)> =
        sqlx::query_as(MOVED).bind(json(&moved)?).fetch_all(&mut *conn).await.map_err(store_error)?;
    let group = |(id, causer, priority, lap, next_at): (String, String, i16, i16, i64)| {
        let causer: UserId = TABLE.value("causer", &causer).ok()?;
        let next_at = TABLE.instant("next_at", next_at).ok()?;
        Some((id, TurnGroup::of_stored(causer, Rank { priority, lap }, next_at)))
    };
    let rows: Vec<_> = rows.into_iter().filter_map(group).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut turns = turns(&mut *conn, rows.iter().map(|(_, group)| *group)).await?;
    let moves = rows.into_iter().map(|(id, group)| {
        let turn = turns.take(group);
        Move { id, turn: turn.at.as_micros(), lap: turn.lap }
    });
    let moves = json(&moves.collect::<Vec<_>>())?;
    sqlx::query(MOVE).bind(moves).execute(conn).await.map(drop).map_err(store_error)
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(error.into()))
}

/// Those whose turn is of another minute than their next attempt, in the order in which they were planned.
const MOVED: &str = "
    SELECT id, causer, priority, lap, next_at
    FROM taskflow_deliveries
    WHERE id IN (SELECT value FROM json_each(?1)) AND +state = 'scheduled' AND causer IS NOT NULL AND turn IS NOT NULL
        AND turn / 60000000 <> next_at / 60000000
    ORDER BY id";

const MOVE: &str = "
    UPDATE taskflow_deliveries
    SET turn = j.value ->> 'turn', lap = j.value ->> 'lap'
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.id = j.value ->> 'id' AND +taskflow_deliveries.state = 'scheduled'";
