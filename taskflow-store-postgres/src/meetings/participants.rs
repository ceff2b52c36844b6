//! Participants of meetings.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{EmailAddress, LastNotified, MeetingId, Participant, ParticipantId, StoreError, UserId};
use taskflow_store_sql::{Stored, read_all};
use uuid::Uuid;

use crate::error::store_error;
use crate::rows::{Rows, Statement, json};
use crate::store::PgStore;

/// A precondition of a write, as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Expected {
    pub(super) meeting_id: MeetingId,
    pub(super) versions: u64,
}

/// The version of a meeting that a participant was last notified of, as the parameters of a statement.
#[derive(Serialize)]
struct Knows {
    id: ParticipantId,
    told_version: u64,
    told_on: bool,
}

/// The account that an address belongs to, as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Linked {
    email_key: String,
    user_id: UserId,
}

impl Linked {
    pub(super) fn new(email: &EmailAddress, user_id: UserId) -> Self {
        Self { email_key: email.key(), user_id }
    }
}

pub(crate) async fn participants(store: &PgStore, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
    let meetings: Vec<Uuid> = meetings.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(PARTICIPANTS.text()).bind(meetings.clone());
    let rows: Vec<Stored<Participant>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static PARTICIPANTS: Statement<Participant> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.meeting_participants
    WHERE meeting_id = ANY ($1)
    ORDER BY meeting_id, id",
);

pub(crate) async fn participants_by_id(
    store: &PgStore,
    ids: &[ParticipantId],
) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(PARTICIPANTS_BY_ID.text()).bind(ids.clone());
    let rows: Vec<Stored<Participant>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static PARTICIPANTS_BY_ID: Statement<Participant> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.meeting_participants
    WHERE id = ANY ($1)",
);

/// Checks that nobody has answered since. The meetings must be locked already, by a statement before this one: who
/// answered until then is seen here, and nobody can from then on.
pub(super) async fn expect(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, EXPECT).await?)
}

/// The rows are locked so that a transaction of a host's which sees the past (REPEATABLE READ) is told so.
const EXPECT: &str = "
    SELECT r.meeting_id
    FROM json_to_recordset($1::json) AS r (meeting_id uuid, versions numeric)
    WHERE r.versions = (
        SELECT coalesce(sum(l.version), 0)
        FROM (
            SELECT p.version
            FROM taskflow.meeting_participants AS p
            WHERE p.meeting_id = r.meeting_id
            ORDER BY p.id
            FOR SHARE) AS l)";

pub(super) async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(INSERT.text()).bind(rows.json());
    let added: Vec<Uuid> = query.fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    rows.all_found(&added)
}

static INSERT: Statement<Participant> = Statement::new(
    "
    INSERT INTO taskflow.meeting_participants ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})
    WHERE user_id IS NOT NULL OR NOT EXISTS (
        SELECT 1
        FROM taskflow.users AS known
        WHERE known.email_key = r.email_key AND known.email_verified)
    ORDER BY id
    ON CONFLICT (meeting_id, email_key) DO NOTHING
    RETURNING id",
);

pub(super) async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE.text()).await?)
}

/// Leaves out the last notified version, which only settlements of deliveries change.
static UPDATE: Statement<Participant> = Statement::new(
    "
    UPDATE taskflow.meeting_participants AS p
    SET {set}
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r ({record})
        JOIN taskflow.meeting_participants AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE p.id = r.id AND p.version = r.version - 1
    RETURNING p.id",
);

/// Up to `limit` meetings that [`link`] would bring into the lists of `user`, those called last first.
pub(crate) async fn guest_meetings(
    store: &PgStore,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = || sqlx::query_scalar(GUEST_MEETINGS).bind(email.key()).bind(user.as_uuid()).bind(i64::from(limit));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(MeetingId::from_uuid).collect())
}

/// The guests are looked up before they are sorted (`OFFSET 0`): in the order of meetings nearly all would be others.
const GUEST_MEETINGS: &str = "
    SELECT g.meeting_id
    FROM (
        SELECT meeting_id
        FROM taskflow.meeting_participants
        WHERE user_id IS NULL AND email_key = $1 AND removed_at IS NULL
        OFFSET 0) AS g
    JOIN taskflow.meetings AS m ON m.id = g.meeting_id
    WHERE m.cancelled_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM taskflow.meeting_participants AS o
            WHERE o.meeting_id = g.meeting_id AND o.user_id = $2)
    ORDER BY g.meeting_id DESC
    LIMIT $3";

/// Returns the keys of those addresses by which somebody has accepted an invitation of `organizer`.
pub(crate) async fn accepted_before(
    store: &PgStore,
    organizer: UserId,
    addresses: &[EmailAddress],
) -> Result<HashSet<String>, StoreError> {
    let keys: Vec<_> = addresses.iter().map(EmailAddress::key).collect();
    let query = || sqlx::query_scalar(ACCEPTED_BEFORE).bind(keys.clone()).bind(organizer.as_uuid());
    let found: Vec<String> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(found.into_iter().collect())
}

/// The condition on answers is that of an index. Each address is looked up by itself (`OFFSET 0`): all answers to the
/// organizer may be many more.
const ACCEPTED_BEFORE: &str = "
    SELECT k.email_key
    FROM unnest($1::text[]) AS k (email_key)
    JOIN LATERAL (
        SELECT 1
        FROM taskflow.meeting_participants AS p
        JOIN taskflow.meetings AS m ON m.id = p.meeting_id AND m.created_by = $2
        WHERE p.email_key = k.email_key
            AND (p.response_status IN ('accepted', 'tentative') OR p.reset_response IN ('accepted', 'tentative'))
        LIMIT 1) AS accepted ON true";

/// Up to `limit` meetings in which `user` has a participant beside a guest of the address, those created last first.
pub(crate) async fn meetings_with_two(
    store: &PgStore,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = || sqlx::query_scalar(MEETINGS_WITH_TWO).bind(email.key()).bind(user.as_uuid()).bind(i64::from(limit));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(MeetingId::from_uuid).collect())
}

/// As in [`GUEST_MEETINGS`].
const MEETINGS_WITH_TWO: &str = "
    SELECT g.meeting_id
    FROM (
        SELECT meeting_id, removed_at
        FROM taskflow.meeting_participants
        WHERE user_id IS NULL AND email_key = $1 AND merged_into IS NULL
        OFFSET 0) AS g
    WHERE EXISTS (
            SELECT 1
            FROM taskflow.meeting_participants AS o
            WHERE o.meeting_id = g.meeting_id AND o.user_id = $2
                AND (o.removed_at IS NULL OR g.removed_at IS NULL))
    ORDER BY g.meeting_id DESC
    LIMIT $3";

/// Gives guests the account that their address turned out to belong to.
pub(super) async fn link(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, LINK).await.map(drop)
}

const LINK: &str = "
    UPDATE taskflow.meeting_participants AS p
    SET user_id = r.user_id, version = p.version + 1
    FROM (
        SELECT l.id, r.user_id
        FROM json_to_recordset($1::json) AS r (email_key text, user_id uuid)
        JOIN taskflow.meeting_participants AS l ON l.email_key = r.email_key AND l.user_id IS NULL
            AND l.merged_into IS NULL
        WHERE NOT EXISTS (
            SELECT 1
            FROM taskflow.meeting_participants AS o
            WHERE o.meeting_id = l.meeting_id AND o.user_id = r.user_id)
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE p.id = r.id AND p.user_id IS NULL
    RETURNING p.id";

/// Keeps participants for a settlement.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    participants: impl Iterator<Item = ParticipantId>,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = participants.map(ParticipantId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(LOCK).bind(ids).execute(conn).await.map(drop).map_err(store_error)
}

const LOCK: &str = "
    SELECT id
    FROM taskflow.meeting_participants
    WHERE id = ANY ($1)
    ORDER BY id
    FOR NO KEY UPDATE";

/// Writes down what participants know now, unless they know of something later.
pub(crate) async fn tell(
    conn: &mut PgConnection,
    told: &BTreeMap<ParticipantId, LastNotified>,
) -> Result<(), StoreError> {
    if told.is_empty() {
        return Ok(());
    }
    let rows = told.iter().map(|(id, told)| Knows { id: *id, told_version: told.version, told_on: told.on });
    let rows = json(&rows.collect::<Vec<_>>())?;
    sqlx::query(TELL).bind(rows).execute(conn).await.map(drop).map_err(store_error)
}

const TELL: &str = "
    UPDATE taskflow.meeting_participants AS p
    SET told_version = r.told_version, told_on = r.told_on
    FROM json_to_recordset($1::json) AS r (id uuid, told_version bigint, told_on boolean)
    WHERE p.id = r.id AND (p.told_version IS NULL OR p.told_version <= r.told_version)";

/// Makes guests of people who leave.
pub(crate) async fn forget_users(conn: &mut PgConnection, users: &Rows) -> Result<(), StoreError> {
    sqlx::query(FORGET_USERS).bind(users.ids()).execute(conn).await.map(drop).map_err(store_error)
}

const FORGET_USERS: &str = "
    UPDATE taskflow.meeting_participants AS p
    SET user_id = NULL, version = p.version + 1
    FROM (
        SELECT l.id
        FROM taskflow.meeting_participants AS l
        WHERE l.user_id = ANY ($1)
        ORDER BY l.id
        FOR NO KEY UPDATE) AS r
    WHERE p.id = r.id";
