//! Who comes to meetings.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{
    Comment, CorruptRow, DeliveryProblem, EmailAddress, Locale, MeetingId, MeetingResponse, OwnReminders, Participant,
    ParticipantId, PersonName, ReminderMinutes, StoreError, Timestamp, Told, UserId, Zone,
};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::rows::{Rows, json};
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.meeting_participants");

/// A participant as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Params<'a> {
    id: ParticipantId,
    meeting_id: MeetingId,
    user_id: Option<UserId>,
    email: &'a str,
    email_key: String,
    name: Option<&'a str>,
    role: &'static str,
    response_status: &'static str,
    comment: Option<&'a str>,
    responded_at: Option<Timestamp>,
    answered_version: Option<u64>,
    reset_response: Option<&'static str>,
    proposed_start: Option<Timestamp>,
    locale: Option<&'a str>,
    time_zone: Option<&'a str>,
    delivery_problem: Option<&'a str>,
    reminders: Option<Vec<u32>>,
    told_version: Option<u64>,
    told_on: Option<bool>,
    removed_at: Option<Timestamp>,
    merged_into: Option<ParticipantId>,
    version: u64,
}

impl<'a> Params<'a> {
    pub(super) fn new(participant: &'a Participant) -> Self {
        let minutes = |own: &OwnReminders| own.minutes().iter().map(|minutes| minutes.get()).collect();
        Self {
            id: participant.id,
            meeting_id: participant.meeting_id,
            user_id: participant.user_id,
            email: participant.email.as_str(),
            email_key: participant.email.key(),
            name: participant.name.as_ref().map(PersonName::as_str),
            role: participant.role.as_str(),
            response_status: participant.response.as_str(),
            comment: participant.comment.as_ref().map(Comment::as_str),
            responded_at: participant.responded_at,
            answered_version: participant.answered_version,
            reset_response: participant.reset_response.map(MeetingResponse::as_str),
            proposed_start: participant.proposed_start,
            locale: participant.locale.as_ref().map(Locale::as_str),
            time_zone: participant.time_zone.as_ref().map(Zone::name),
            delivery_problem: participant.delivery_problem.as_ref().map(DeliveryProblem::as_str),
            reminders: participant.reminders.as_ref().map(minutes),
            told_version: participant.told.map(|told| told.version),
            told_on: participant.told.map(|told| told.on),
            removed_at: participant.removed_at,
            merged_into: participant.merged_into,
            version: participant.version,
        }
    }
}

/// What somebody relies on as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Expected {
    pub(super) meeting_id: MeetingId,
    pub(super) versions: u64,
}

/// What a participant knows now as the parameters of a statement.
#[derive(Serialize)]
struct Knows {
    id: ParticipantId,
    told_version: u64,
    told_on: bool,
}

/// Whose an address is as the parameters of a statement.
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

#[derive(sqlx::FromRow)]
struct ParticipantRow {
    id: Uuid,
    meeting_id: Uuid,
    user_id: Option<Uuid>,
    email: String,
    name: Option<String>,
    role: String,
    response_status: String,
    comment: Option<String>,
    responded_at: Option<Instant>,
    answered_version: Option<i64>,
    reset_response: Option<String>,
    proposed_start: Option<Instant>,
    locale: Option<String>,
    time_zone: Option<String>,
    delivery_problem: Option<String>,
    reminders: Option<Vec<i32>>,
    told_version: Option<i64>,
    told_on: Option<bool>,
    removed_at: Option<Instant>,
    merged_into: Option<Uuid>,
    version: i64,
}

impl TryFrom<ParticipantRow> for Participant {
    type Error = CorruptRow;

    fn try_from(row: ParticipantRow) -> Result<Self, CorruptRow> {
        let told_version = row.told_version.map(|version| TABLE.number("told_version", version)).transpose()?;
        Ok(Self {
            id: ParticipantId::from_uuid(row.id),
            meeting_id: MeetingId::from_uuid(row.meeting_id),
            user_id: row.user_id.map(UserId::from_uuid),
            email: TABLE.value("email", &row.email)?,
            name: row.name.as_deref().map(|text| TABLE.stored("name", text, PersonName::from_stored)).transpose()?,
            role: TABLE.value("role", &row.role)?,
            response: TABLE.value("response_status", &row.response_status)?,
            comment: row
                .comment
                .as_deref()
                .map(|text| TABLE.stored("comment", text, Comment::from_stored))
                .transpose()?,
            responded_at: TABLE.optional_instant("responded_at", row.responded_at)?,
            answered_version: row
                .answered_version
                .map(|version| TABLE.number("answered_version", version))
                .transpose()?,
            reset_response: TABLE.optional("reset_response", row.reset_response.as_deref())?,
            proposed_start: TABLE.optional_instant("proposed_start", row.proposed_start)?,
            locale: TABLE.optional("locale", row.locale.as_deref())?,
            time_zone: TABLE.optional("time_zone", row.time_zone.as_deref())?,
            delivery_problem: TABLE.optional("delivery_problem", row.delivery_problem.as_deref())?,
            reminders: row.reminders.map(|minutes| own_reminders(&minutes)).transpose()?,
            told: told_version.zip(row.told_on).map(|(version, on)| Told { version, on }),
            removed_at: TABLE.optional_instant("removed_at", row.removed_at)?,
            merged_into: row.merged_into.map(ParticipantId::from_uuid),
            version: TABLE.number("version", row.version)?,
        })
    }
}

fn own_reminders(minutes: &[i32]) -> Result<OwnReminders, CorruptRow> {
    let bad = |error: taskflow_core::InvalidValue| TABLE.bad("reminders", error.to_string());
    let checked = |minutes: &i32| ReminderMinutes::new(TABLE.number("reminders", *minutes)?).map_err(bad);
    OwnReminders::new(minutes.iter().map(checked).collect::<Result<Vec<_>, _>>()?).map_err(bad)
}

pub(crate) async fn participants(store: &PgStore, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
    let meetings: Vec<Uuid> = meetings.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(PARTICIPANTS).bind(meetings.clone());
    let rows: Vec<ParticipantRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(Participant::try_from).collect::<Result<_, _>>()?)
}

const PARTICIPANTS: &str = "
    SELECT id, meeting_id, user_id, email, name, role, response_status, comment, responded_at, answered_version,
        reset_response, proposed_start, locale, time_zone, delivery_problem, reminders, told_version, told_on,
        removed_at, merged_into, version
    FROM taskflow.meeting_participants
    WHERE meeting_id = ANY ($1)
    ORDER BY meeting_id, id";

pub(crate) async fn participants_by_id(
    store: &PgStore,
    ids: &[ParticipantId],
) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(PARTICIPANTS_BY_ID).bind(ids.clone());
    let rows: Vec<ParticipantRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(|row| (ParticipantId::from_uuid(row.id), Participant::try_from(row))).collect())
}

const PARTICIPANTS_BY_ID: &str = "
    SELECT id, meeting_id, user_id, email, name, role, response_status, comment, responded_at, answered_version,
        reset_response, proposed_start, locale, time_zone, delivery_problem, reminders, told_version, told_on,
        removed_at, merged_into, version
    FROM taskflow.meeting_participants
    WHERE id = ANY ($1)";

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
    let query = sqlx::query_scalar(INSERT).bind(rows.json());
    let added: Vec<Uuid> = query.fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    rows.all_found(&added)
}

const INSERT: &str = "
    INSERT INTO taskflow.meeting_participants (id, meeting_id, user_id, email, email_key, name, role, response_status,
        comment, responded_at, answered_version, reset_response, proposed_start, locale, time_zone, delivery_problem,
        reminders, told_version, told_on, removed_at, merged_into, version)
    SELECT id, meeting_id, user_id, email, email_key, name, role, response_status, comment, responded_at,
        answered_version, reset_response, proposed_start, locale, time_zone, delivery_problem, reminders, told_version,
        told_on, removed_at, merged_into, version
    FROM json_to_recordset($1::json) AS r (id uuid, meeting_id uuid, user_id uuid, email text, email_key text,
        name text, role text, response_status text, comment text, responded_at timestamptz, answered_version bigint,
        reset_response text, proposed_start timestamptz, locale text, time_zone text, delivery_problem text,
        reminders integer[], told_version bigint, told_on boolean, removed_at timestamptz, merged_into uuid,
        version bigint)
    WHERE user_id IS NOT NULL OR NOT EXISTS (
        SELECT 1
        FROM taskflow.users AS known
        WHERE known.email_key = r.email_key AND known.email_verified)
    ORDER BY id
    ON CONFLICT (meeting_id, email_key) DO NOTHING
    RETURNING id";

pub(super) async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE).await?)
}

/// What they were told is left to settlements.
const UPDATE: &str = "
    UPDATE taskflow.meeting_participants AS p
    SET user_id = r.user_id,
        email = r.email,
        email_key = r.email_key,
        name = r.name,
        role = r.role,
        response_status = r.response_status,
        comment = r.comment,
        responded_at = r.responded_at,
        answered_version = r.answered_version,
        reset_response = r.reset_response,
        proposed_start = r.proposed_start,
        locale = r.locale,
        time_zone = r.time_zone,
        delivery_problem = r.delivery_problem,
        reminders = r.reminders,
        removed_at = r.removed_at,
        merged_into = r.merged_into,
        version = r.version
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, user_id uuid, email text, email_key text, name text, role text,
            response_status text, comment text, responded_at timestamptz, answered_version bigint, reset_response text,
            proposed_start timestamptz, locale text, time_zone text, delivery_problem text, reminders integer[],
            removed_at timestamptz, merged_into uuid, version bigint)
        JOIN taskflow.meeting_participants AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE p.id = r.id AND p.version = r.version - 1
    RETURNING p.id";

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
pub(crate) async fn tell(conn: &mut PgConnection, told: &BTreeMap<ParticipantId, Told>) -> Result<(), StoreError> {
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
    SET user_id = NULL
    FROM (
        SELECT l.id
        FROM taskflow.meeting_participants AS l
        WHERE l.user_id = ANY ($1)
        ORDER BY l.id
        FOR NO KEY UPDATE) AS r
    WHERE p.id = r.id";
