//! Committed events: history by entity, feeds by user.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::EVENT_BYTES;
use taskflow_core::{
    CorruptRow, Entity, Event, EventId, FeedEntry, FeedEvent, Follower, MeetingId, StoreError, TaskId, Timestamp,
    UserId,
};
use taskflow_store_sql::{or_record, readable, record};

use crate::error::{SqliteStoreError, Table, store_error};
use crate::rows::Rows;

const EVENTS: Table = Table("taskflow_events");
const FEED: Table = Table("taskflow_feed");
const HEAD: Table = Table("taskflow_feed_heads");

/// The words for what events are about.
pub(crate) const TASK: &str = "task";
pub(crate) const MEETING: &str = "meeting";

/// An event as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    id: EventId,
    at: i64,
    actor: Option<UserId>,
    entity_kind: &'static str,
    entity_id: String,
    kind: &'static str,
    data: String,
}

impl Params {
    fn new(event: &Event) -> Result<Self, StoreError> {
        let (entity_kind, entity_id) = entity_columns(event.entity)?;
        Ok(Self {
            id: event.id,
            at: event.at.as_micros(),
            actor: event.actor,
            entity_kind,
            entity_id,
            kind: event.kind.as_str(),
            data: event.data.to_string(),
        })
    }
}

/// A person whose feed an event enters.
#[derive(Serialize)]
struct Entrant {
    user_id: UserId,
    event_id: EventId,
    at: i64,
}

/// Events to append, and whose feeds they enter.
#[derive(Default)]
pub(crate) struct Events {
    events: Rows,
    audience: Rows,
}

impl Events {
    pub(crate) fn push(&mut self, index: usize, published: &FeedEvent) -> Result<(), StoreError> {
        let event = &published.event;
        self.events.push(index, event.id, &Params::new(event)?)?;
        for owner in &published.audience {
            let entrant = Entrant { user_id: *owner, event_id: event.id, at: event.at.as_micros() };
            self.audience.push(index, owner, &entrant)?;
        }
        Ok(())
    }

    /// Appends events to history and feeds in one round trip; people who do not exist have no feed.
    pub(crate) async fn append(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(APPEND).bind(self.events.json()).bind(self.audience.json());
        query.execute(conn).await.map(drop).map_err(store_error)
    }
}

#[derive(sqlx::FromRow)]
struct EventRow {
    id: String,
    at: i64,
    actor: Option<String>,
    entity_kind: String,
    entity_id: String,
    kind: String,
    data: String,
}

#[derive(sqlx::FromRow)]
struct FeedRow {
    user_id: String,
    seq: i64,
    #[sqlx(flatten)]
    event: EventRow,
}

impl TryFrom<EventRow> for Event {
    type Error = CorruptRow;

    fn try_from(row: EventRow) -> Result<Self, CorruptRow> {
        let entity = match row.entity_kind.as_str() {
            TASK => Entity::Task(EVENTS.value::<TaskId>("entity_id", &row.entity_id)?),
            MEETING => Entity::Meeting(EVENTS.value::<MeetingId>("entity_id", &row.entity_id)?),
            // Feeds have no gaps: whoever looks for a task of this id finds none.
            _ => {
                record(&row.id, &EVENTS.bad("entity_kind", "is unknown to this build"));
                Entity::Task(EVENTS.value::<TaskId>("entity_id", &row.entity_id)?)
            }
        };
        // Feeds have no gaps: what this build does not know of a change is told as a change.
        let (updated, no_changes) = Event::unknown_change(entity);
        let data = serde_json::from_str(&row.data).map_err(|error| EVENTS.bad("data", error.to_string()));
        Ok(Self {
            id: EVENTS.value("id", &row.id)?,
            at: or_record(&row.id, EVENTS.instant("at", row.at)).unwrap_or(Timestamp::from_micros(row.at)),
            actor: or_record(&row.id, EVENTS.optional("actor", row.actor.as_deref())).flatten(),
            entity,
            kind: or_record(&row.id, EVENTS.value("kind", &row.kind)).unwrap_or(updated),
            data: or_record(&row.id, data).unwrap_or(no_changes),
        })
    }
}

impl TryFrom<FeedRow> for FeedEntry {
    type Error = CorruptRow;

    fn try_from(row: FeedRow) -> Result<Self, CorruptRow> {
        Ok(Self { seq: FEED.number("seq", row.seq)?, event: Event::try_from(row.event)? })
    }
}

pub(crate) async fn history_before(
    pool: &SqlitePool,
    entity: Entity,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let (kind, id) = entity_columns(entity)?;
    let query = sqlx::query_as(HISTORY_BEFORE).bind(kind).bind(id).bind(before.map(|before| before.to_string()));
    let query = query.bind(limit).bind(EVENT_BYTES as i64);
    let rows: Vec<EventRow> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(readable(rows, |row: &EventRow| row.id.to_string()))
}

const HISTORY_BEFORE: &str = "
    SELECT id, at, actor, entity_kind, entity_id, kind, data
    FROM (
        SELECT e.*, sum(octet_length(data)) OVER (ORDER BY at DESC, id DESC) - octet_length(data) AS ahead
        FROM (
            SELECT id, at, actor, entity_kind, entity_id, kind, data
            FROM taskflow_events
            WHERE entity_kind = ?1 AND entity_id = ?2 AND in_history = 1
                AND (?3 IS NULL OR (at, id) < (
                    SELECT c.at, c.id
                    FROM taskflow_events AS c
                    WHERE c.id = ?3 AND c.entity_kind = ?1 AND c.entity_id = ?2))
            ORDER BY at DESC, id DESC
            LIMIT +?4) AS e)
    WHERE ahead < ?5
    ORDER BY at DESC, id DESC";

/// Somebody who follows a feed, as the parameters of a statement.
#[derive(Serialize)]
struct FollowerParams {
    user_id: UserId,
    after: i64,
}

pub(crate) async fn feeds(
    pool: &SqlitePool,
    followers: &[Follower],
    limit: u32,
) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
    let params = followers.iter().map(|Follower { owner, after }| {
        let after = i64::try_from(*after).unwrap_or(i64::MAX);
        FollowerParams { user_id: *owner, after }
    });
    let query = sqlx::query_as(ENTRIES).bind(json(&params.collect::<Vec<_>>())?).bind(limit).bind(EVENT_BYTES as i64);
    let rows: Vec<FeedRow> = query.fetch_all(pool).await.map_err(store_error)?;
    let entry = |row: FeedRow| Ok((FEED.value("user_id", &row.user_id)?, FeedEntry::try_from(row)?));
    Ok(rows.into_iter().map(entry).collect::<Result<_, CorruptRow>>()?)
}

/// Feeds have no gaps, so that the first entry tells which one is the last of so many.
const ENTRIES: &str = "
    SELECT user_id, seq, id, at, actor, entity_kind, entity_id, kind, data
    FROM (
        SELECT f.user_id, f.seq, e.id, e.at, e.actor, e.entity_kind, e.entity_id, e.kind, e.data,
            sum(octet_length(e.data)) OVER (PARTITION BY f.user_id ORDER BY f.seq) - octet_length(e.data) AS ahead
        FROM json_each(?1) AS r
        CROSS JOIN taskflow_feed AS f ON f.user_id = r.value ->> 'user_id' AND f.seq > r.value ->> 'after'
            AND f.seq < ?2 + (
                SELECT min(seq) FROM taskflow_feed
                WHERE user_id = r.value ->> 'user_id' AND seq > r.value ->> 'after')
        CROSS JOIN taskflow_events AS e ON e.id = f.event_id)
    WHERE ahead < ?3
    ORDER BY user_id, seq";

pub(crate) async fn feed_heads(pool: &SqlitePool, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
    let query = sqlx::query_as(HEADS).bind(json(&owners)?);
    let rows: Vec<(String, i64)> = query.fetch_all(pool).await.map_err(store_error)?;
    let head = |(owner, seq): (String, i64)| Ok((HEAD.value("user_id", &owner)?, HEAD.number("seq", seq)?));
    Ok(rows.into_iter().filter_map(|row| or_record("", head(row))).collect())
}

const HEADS: &str = "
    SELECT h.user_id, h.seq
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_feed_heads AS h ON h.user_id = j.value";

/// The heads come last, in one statement.
const APPEND: &str = "
    INSERT INTO taskflow_events (id, at, actor, entity_kind, entity_id, kind, data)
    SELECT value ->> 'id', value ->> 'at', value ->> 'actor', value ->> 'entity_kind', value ->> 'entity_id',
        value ->> 'kind', value ->> 'data'
    FROM json_each(?1);

    INSERT INTO taskflow_feed (user_id, seq, event_id)
    SELECT u.id,
        coalesce(h.seq, 0) + row_number() OVER (PARTITION BY u.id ORDER BY j.key),
        j.value ->> 'event_id'
    FROM json_each(?2) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    LEFT JOIN taskflow_feed_heads AS h ON h.user_id = u.id;

    INSERT INTO taskflow_feed_heads (user_id, seq, changed_at)
    SELECT u.id, count(*), max(j.value ->> 'at')
    FROM json_each(?2) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    WHERE true
    GROUP BY u.id
    ORDER BY u.id
    ON CONFLICT (user_id) DO UPDATE
    SET seq = taskflow_feed_heads.seq + excluded.seq,
        changed_at = max(coalesce(taskflow_feed_heads.changed_at, excluded.changed_at), excluded.changed_at)";

fn json(params: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(params).map_err(|error| StoreError::Internal(error.into()))
}

fn entity_columns(entity: Entity) -> Result<(&'static str, String), StoreError> {
    match entity {
        Entity::Task(id) => Ok((TASK, id.to_string())),
        Entity::Meeting(id) => Ok((MEETING, id.to_string())),
        _ => Err(SqliteStoreError::Unknown("events of this kind of entity").into()),
    }
}
