//! Committed events: history by entity, feeds by user.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::EVENT_BYTES;
use taskflow_core::{
    CorruptRow, Entity, Event, EventId, FeedEntry, FeedEvent, Follower, MeetingId, StoreError, TaskId, Timestamp,
    UserId,
};
use taskflow_store_sql::{or_record, readable, record};
use uuid::Uuid;

use crate::error::{Instant, PgStoreError, Table, store_error};
use crate::rows::{Rows, json};
use crate::store::PgStore;

const EVENTS: Table = Table("taskflow.events");
const FEED: Table = Table("taskflow.feed");
const HEAD: Table = Table("taskflow.feed_heads");

pub(crate) const TASK: &str = "task";
pub(crate) const MEETING: &str = "meeting";

/// An event as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    id: EventId,
    at: Timestamp,
    actor: Option<UserId>,
    entity_kind: &'static str,
    entity_id: Uuid,
    kind: &'static str,
    /// JSON inside JSON, so that it is kept as it was written.
    data: String,
}

/// Number of new entries of a feed and their latest time, as the parameters of a statement.
#[derive(Serialize)]
struct Growth {
    user_id: UserId,
    entries: usize,
    changed_at: Timestamp,
}

/// New events of a feed, in its order, and the latest of their times.
struct Gain {
    events: Vec<Uuid>,
    changed_at: Timestamp,
}

/// Events to append, and whose feeds they enter.
#[derive(Default)]
pub(crate) struct Events {
    rows: Rows,
    /// New events of each feed.
    feeds: BTreeMap<UserId, Gain>,
}

impl Events {
    pub(crate) fn push(&mut self, index: usize, published: &FeedEvent) -> Result<(), StoreError> {
        let event = &published.event;
        let (entity_kind, entity_id) = entity_columns(event.entity)?;
        let params = Params {
            id: event.id,
            at: event.at,
            actor: event.actor,
            entity_kind,
            entity_id,
            kind: event.kind.as_str(),
            data: json(&event.data)?,
        };
        self.rows.push(index, event.id.as_uuid(), &params)?;
        for owner in &published.audience {
            let gain = self.feeds.entry(*owner).or_insert(Gain { events: Vec::new(), changed_at: event.at });
            gain.events.push(event.id.as_uuid());
            gain.changed_at = gain.changed_at.max(event.at);
        }
        Ok(())
    }

    /// Appends events to history and feeds; people who do not exist have no feed. The heads of feeds are what everybody
    /// wants, so they are locked as late as can be, in the order of their owners.
    pub(crate) async fn append(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        sqlx::query(INSERT).bind(self.rows.json()).execute(&mut *conn).await.map_err(store_error)?;
        if self.feeds.is_empty() {
            return Ok(());
        }
        let growth = self.feeds.iter().map(|(owner, gain)| Growth {
            user_id: *owner,
            entries: gain.events.len(),
            changed_at: gain.changed_at,
        });
        let growth = json(&growth.collect::<Vec<_>>())?;
        let heads: Vec<(Uuid, i64)> =
            sqlx::query_as(ADVANCE_HEADS).bind(growth).fetch_all(&mut *conn).await.map_err(store_error)?;
        let (mut owners, mut seqs, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (owner, last) in heads {
            let theirs = self.feeds.get(&UserId::from_uuid(owner)).map_or(&[][..], |gain| gain.events.as_slice());
            let first = last - theirs.len() as i64 + 1;
            for (seq, event) in (first..).zip(theirs) {
                owners.push(owner);
                seqs.push(seq);
                events.push(*event);
            }
        }
        let query = sqlx::query(INSERT_ENTRIES).bind(owners).bind(seqs).bind(events);
        query.execute(conn).await.map(drop).map_err(store_error)
    }
}

const INSERT: &str = "
    INSERT INTO taskflow.events (id, at, actor, entity_kind, entity_id, kind, data)
    SELECT id, at, actor, entity_kind, entity_id, kind, data::json
    FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz, actor uuid, entity_kind text, entity_id uuid,
        kind text, data text)";

/// Waits for a concurrent deletion of a user, and then skips that user.
///
/// JSON and not arrays, although both would do: the planner expects fewer rows from an array that it knows than from a
/// parameter, so it would plan each execution anew, which takes longer than the rest. The subquery leaves it one way to
/// find people, whatever it thinks of their number.
const ADVANCE_HEADS: &str = "
    INSERT INTO taskflow.feed_heads AS h (user_id, seq, changed_at)
    SELECT u.id, r.entries, r.changed_at
    FROM (
        SELECT user_id, entries, changed_at
        FROM json_to_recordset($1::json) AS r (user_id uuid, entries bigint, changed_at timestamptz)
        ORDER BY user_id) AS r
    CROSS JOIN LATERAL (
        SELECT id FROM taskflow.users WHERE id = r.user_id AND deleted_at IS NULL FOR KEY SHARE) AS u
    ON CONFLICT (user_id) DO UPDATE
    SET seq = h.seq + excluded.seq, changed_at = greatest(h.changed_at, excluded.changed_at)
    RETURNING user_id, seq";

const INSERT_ENTRIES: &str = "
    INSERT INTO taskflow.feed (user_id, seq, event_id)
    SELECT user_id, seq, event_id
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS r (user_id, seq, event_id)";

#[derive(sqlx::FromRow)]
struct EventRow {
    id: Uuid,
    at: Instant,
    actor: Option<Uuid>,
    entity_kind: String,
    entity_id: Uuid,
    kind: String,
    data: String,
}

#[derive(sqlx::FromRow)]
struct FeedRow {
    user_id: Uuid,
    seq: i64,
    #[sqlx(flatten)]
    event: EventRow,
}

impl TryFrom<EventRow> for Event {
    type Error = CorruptRow;

    fn try_from(row: EventRow) -> Result<Self, CorruptRow> {
        let entity = match row.entity_kind.as_str() {
            TASK => Entity::Task(TaskId::from_uuid(row.entity_id)),
            MEETING => Entity::Meeting(MeetingId::from_uuid(row.entity_id)),
            // Feeds have no gaps: whoever looks for a task of this id finds none.
            _ => {
                record(&row.id.to_string(), &EVENTS.bad("entity_kind", "is unknown to this build"));
                Entity::Task(TaskId::from_uuid(row.entity_id))
            }
        };
        // Feeds have no gaps: what this build does not know of a change is told as a change.
        let (updated, no_changes) = Event::unknown_change(entity);
        let data = serde_json::from_str(&row.data).map_err(|error| EVENTS.bad("data", error.to_string()));
        Ok(Self {
            id: EventId::from_uuid(row.id),
            at: EVENTS.instant("at", row.at)?,
            actor: row.actor.map(UserId::from_uuid),
            entity,
            kind: or_record(&row.id.to_string(), EVENTS.value("kind", &row.kind)).unwrap_or(updated),
            data: or_record(&row.id.to_string(), data).unwrap_or(no_changes),
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
    store: &PgStore,
    entity: Entity,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let (kind, id) = entity_columns(entity)?;
    let before = before.map(EventId::as_uuid);
    let query = || {
        let query = sqlx::query_as(HISTORY_BEFORE).bind(kind).bind(id).bind(before);
        query.bind(i64::from(limit)).bind(EVENT_BYTES as i64)
    };
    let rows: Vec<EventRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(readable(rows, |row: &EventRow| row.id.to_string()))
}

const HISTORY_BEFORE: &str = "
    SELECT id, at, actor, entity_kind, entity_id, kind, data
    FROM (
        SELECT e.*, sum(octet_length(data)) OVER (ORDER BY at DESC, id DESC) - octet_length(data) AS ahead
        FROM (
            SELECT id, at, actor, entity_kind, entity_id, kind, data::text AS data
            FROM taskflow.events
            WHERE entity_kind = $1 AND entity_id = $2 AND in_history
                AND ($3::uuid IS NULL OR (at, id) < (
                    SELECT c.at, c.id
                    FROM taskflow.events AS c
                    WHERE c.id = $3 AND c.entity_kind = $1 AND c.entity_id = $2))
            ORDER BY at DESC, id DESC
            LIMIT $4) AS e) AS e
    WHERE ahead < $5
    ORDER BY at DESC, id DESC";

pub(crate) async fn feeds(
    store: &PgStore,
    followers: &[Follower],
    limit: u32,
) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
    let owners: Vec<_> = followers.iter().map(|follower| follower.owner.as_uuid()).collect();
    let after = followers.iter().map(|follower| i64::try_from(follower.after).unwrap_or(i64::MAX));
    let after: Vec<_> = after.collect();
    let query = || {
        sqlx::query_as(ENTRIES).bind(owners.clone()).bind(after.clone()).bind(i64::from(limit)).bind(EVENT_BYTES as i64)
    };
    let rows: Vec<FeedRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    let entry = |row: FeedRow| Ok((UserId::from_uuid(row.user_id), FeedEntry::try_from(row)?));
    Ok(rows.into_iter().map(entry).collect::<Result<_, CorruptRow>>()?)
}

/// The subquery is what makes it a look at each feed's next entries, whatever the planner thinks of their number.
const ENTRIES: &str = "
    SELECT user_id, seq, id, at, actor, entity_kind, entity_id, kind, data
    FROM (
        SELECT f.user_id, f.seq, e.id, e.at, e.actor, e.entity_kind, e.entity_id, e.kind, e.data::text AS data,
            sum(octet_length(e.data::text)) OVER (PARTITION BY f.user_id ORDER BY f.seq)
                - octet_length(e.data::text) AS ahead
        FROM unnest($1::uuid[], $2::bigint[]) AS r (user_id, after)
        CROSS JOIN LATERAL (
            SELECT user_id, seq, event_id
            FROM taskflow.feed
            WHERE user_id = r.user_id AND seq > r.after
            ORDER BY seq
            LIMIT $3) AS f
        JOIN taskflow.events AS e ON e.id = f.event_id) AS f
    WHERE ahead < $4
    ORDER BY user_id, seq";

pub(crate) async fn feed_heads(store: &PgStore, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
    let owners: Vec<_> = owners.iter().map(|owner| owner.as_uuid()).collect();
    let query = || sqlx::query_as(HEADS).bind(owners.clone());
    let rows: Vec<(Uuid, i64)> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    let head = |(owner, seq)| Ok((UserId::from_uuid(owner), HEAD.number("seq", seq)?));
    Ok(rows.into_iter().filter_map(|row| or_record("", head(row))).collect())
}

const HEADS: &str = "SELECT user_id, seq FROM taskflow.feed_heads WHERE user_id = ANY($1)";

fn entity_columns(entity: Entity) -> Result<(&'static str, Uuid), StoreError> {
    match entity {
        Entity::Task(id) => Ok((TASK, id.as_uuid())),
        Entity::Meeting(id) => Ok((MEETING, id.as_uuid())),
        _ => Err(PgStoreError::Unknown("events of this kind of entity").into()),
    }
}
