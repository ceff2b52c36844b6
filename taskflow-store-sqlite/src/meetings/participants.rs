//! Who was invited to a meeting.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{
    Comment, CorruptRow, DeliveryProblem, EmailAddress, Locale, MeetingId, MeetingResponse, OwnReminders, Participant,
    ParticipantId, PersonName, ReminderMinutes, StoreError, Timestamp, Told, UserId, Zone,
};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_meeting_participants");

/// A participant as the parameters of a statement. What they were told is not part of it: settlements write that.
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
    responded_at: Option<i64>,
    answered_version: Option<u64>,
    reset_response: Option<&'static str>,
    proposed_start: Option<i64>,
    locale: Option<&'a str>,
    time_zone: Option<&'a str>,
    delivery_problem: Option<&'a str>,
    reminders: Option<Vec<u32>>,
    told_version: Option<u64>,
    told_on: Option<bool>,
    removed_at: Option<i64>,
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
            responded_at: participant.responded_at.map(Timestamp::as_micros),
            answered_version: participant.answered_version,
            reset_response: participant.reset_response.map(MeetingResponse::as_str),
            proposed_start: participant.proposed_start.map(Timestamp::as_micros),
            locale: participant.locale.as_ref().map(Locale::as_str),
            time_zone: participant.time_zone.as_ref().map(Zone::name),
            delivery_problem: participant.delivery_problem.as_ref().map(DeliveryProblem::as_str),
            reminders: participant.reminders.as_ref().map(minutes),
            told_version: participant.told.map(|told| told.version),
            told_on: participant.told.map(|told| told.on),
            removed_at: participant.removed_at.map(Timestamp::as_micros),
            merged_into: participant.merged_into,
            version: participant.version,
        }
    }
}

/// The versions that a decision relied on as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Expected {
    pub(super) meeting_id: MeetingId,
    pub(super) versions: u64,
}

/// A guest who turned out to be somebody as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Guest {
    pub(super) email_key: String,
    pub(super) user_id: UserId,
}

/// What a participant was told as the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct KnowsNow {
    id: ParticipantId,
    version: u64,
    on: bool,
}

impl KnowsNow {
    pub(crate) fn new(id: ParticipantId, told: Told) -> Self {
        Self { id, version: told.version, on: told.on }
    }

    /// Of what one settlement after the other told a participant, what they know then.
    pub(crate) fn last_of_each<'a>(told: impl Iterator<Item = &'a Self>) -> Vec<&'a Self> {
        let mut last: HashMap<ParticipantId, &Self> = HashMap::new();
        for told in told {
            let known = last.entry(told.id).or_insert(told);
            if told.version >= known.version {
                *known = told;
            }
        }
        last.into_values().collect()
    }
}

#[derive(sqlx::FromRow)]
struct ParticipantRow {
    id: String,
    meeting_id: String,
    user_id: Option<String>,
    email: String,
    name: Option<String>,
    role: String,
    response_status: String,
    comment: Option<String>,
    responded_at: Option<i64>,
    answered_version: Option<i64>,
    reset_response: Option<String>,
    proposed_start: Option<i64>,
    locale: Option<String>,
    time_zone: Option<String>,
    delivery_problem: Option<String>,
    reminders: Option<String>,
    told_version: Option<i64>,
    told_on: Option<bool>,
    removed_at: Option<i64>,
    merged_into: Option<String>,
    version: i64,
}

impl TryFrom<ParticipantRow> for Participant {
    type Error = CorruptRow;

    fn try_from(row: ParticipantRow) -> Result<Self, CorruptRow> {
        let told_version = row.told_version.map(|version| TABLE.number("told_version", version)).transpose()?;
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            meeting_id: TABLE.value("meeting_id", &row.meeting_id)?,
            user_id: TABLE.optional("user_id", row.user_id.as_deref())?,
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
            reminders: row.reminders.as_deref().map(own_reminders).transpose()?,
            told: told_version.zip(row.told_on).map(|(version, on)| Told { version, on }),
            removed_at: TABLE.optional_instant("removed_at", row.removed_at)?,
            merged_into: TABLE.optional("merged_into", row.merged_into.as_deref())?,
            version: TABLE.number("version", row.version)?,
        })
    }
}

fn own_reminders(stored: &str) -> Result<OwnReminders, CorruptRow> {
    let bad = |error: &dyn std::fmt::Display| TABLE.bad("reminders", error.to_string());
    let minutes: Vec<u32> = serde_json::from_str(stored).map_err(|error| bad(&error))?;
    let minutes: Result<Vec<_>, _> = minutes.into_iter().map(ReminderMinutes::new).collect();
    minutes.and_then(OwnReminders::new).map_err(|error| bad(&error))
}

pub(crate) async fn participants(pool: &SqlitePool, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
    let meetings = serde_json::to_string(meetings).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<ParticipantRow> =
        sqlx::query_as(PARTICIPANTS).bind(meetings).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(Participant::try_from).collect::<Result<_, _>>()?)
}

const PARTICIPANTS: &str = "
    SELECT id, meeting_id, user_id, email, name, role, response_status, comment, responded_at, answered_version,
        reset_response, proposed_start, locale, time_zone, delivery_problem, reminders, told_version, told_on, removed_at,
        merged_into, version
    FROM taskflow_meeting_participants
    WHERE meeting_id IN (SELECT value FROM json_each(?1))
    ORDER BY meeting_id, id";

pub(crate) async fn participants_by_id(
    pool: &SqlitePool,
    ids: &[ParticipantId],
) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<ParticipantRow> =
        sqlx::query_as(PARTICIPANTS_BY_ID).bind(ids).fetch_all(pool).await.map_err(store_error)?;
    rows.into_iter().map(|row| Ok((TABLE.value("id", &row.id)?, Participant::try_from(row)))).collect()
}

const PARTICIPANTS_BY_ID: &str = "
    SELECT p.id, p.meeting_id, p.user_id, p.email, p.name, p.role, p.response_status, p.comment, p.responded_at,
        p.answered_version, p.reset_response, p.proposed_start, p.locale, p.time_zone, p.delivery_problem, p.reminders,
        p.told_version, p.told_on, p.removed_at, p.merged_into, p.version
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meeting_participants AS p ON p.id = j.value";

/// `Stale` unless nobody in a meeting has changed since it was decided upon. Runs before participants are written.
pub(super) async fn expect(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, EXPECT).await
}

const EXPECT: &str = "
    SELECT j.value ->> 'meeting_id'
    FROM json_each(?1) AS j
    WHERE j.value ->> 'versions' = (
        SELECT coalesce(sum(p.version), 0)
        FROM taskflow_meeting_participants AS p
        WHERE p.meeting_id = j.value ->> 'meeting_id')";

pub(super) async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE).await
}

/// Meeting, address and what they were told stay as they are.
const UPDATE: &str = "
    UPDATE taskflow_meeting_participants
    SET user_id = j.value ->> 'user_id',
        email = j.value ->> 'email',
        email_key = j.value ->> 'email_key',
        name = j.value ->> 'name',
        role = j.value ->> 'role',
        response_status = j.value ->> 'response_status',
        comment = j.value ->> 'comment',
        responded_at = j.value ->> 'responded_at',
        answered_version = j.value ->> 'answered_version',
        reset_response = j.value ->> 'reset_response',
        proposed_start = j.value ->> 'proposed_start',
        locale = j.value ->> 'locale',
        time_zone = j.value ->> 'time_zone',
        delivery_problem = j.value ->> 'delivery_problem',
        reminders = j.value ->> 'reminders',
        removed_at = j.value ->> 'removed_at',
        merged_into = j.value ->> 'merged_into',
        version = j.value ->> 'version'
    FROM json_each(?1) AS j
    WHERE taskflow_meeting_participants.id = j.value ->> 'id'
        AND taskflow_meeting_participants.version = (j.value ->> 'version') - 1
        AND (j.value ->> 'user_id' IS NULL
            OR EXISTS (SELECT 1 FROM taskflow_users AS u WHERE u.id = j.value ->> 'user_id'))
    RETURNING id";

pub(super) async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT).await
}

/// The condition leaves out people whose account is gone and guests who have one by now, the conflict those whose address
/// is there already.
const INSERT: &str = "
    INSERT INTO taskflow_meeting_participants (id, meeting_id, user_id, email, email_key, name, role, response_status,
        comment, responded_at, answered_version, reset_response, proposed_start, locale, time_zone, delivery_problem,
        reminders, told_version, told_on, removed_at, merged_into, version)
    SELECT j.value ->> 'id', j.value ->> 'meeting_id', u.id, j.value ->> 'email', j.value ->> 'email_key',
        j.value ->> 'name', j.value ->> 'role', j.value ->> 'response_status', j.value ->> 'comment',
        j.value ->> 'responded_at', j.value ->> 'answered_version', j.value ->> 'reset_response',
        j.value ->> 'proposed_start', j.value ->> 'locale', j.value ->> 'time_zone', j.value ->> 'delivery_problem',
        j.value ->> 'reminders', j.value ->> 'told_version', j.value ->> 'told_on', j.value ->> 'removed_at',
        j.value ->> 'merged_into', j.value ->> 'version'
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'
    WHERE u.id IS NOT NULL
        OR (j.value ->> 'user_id' IS NULL AND NOT EXISTS (
            SELECT 1 FROM taskflow_users AS known
            WHERE known.email_key = j.value ->> 'email_key' AND known.email_verified))
    ON CONFLICT (meeting_id, email_key) DO NOTHING
    RETURNING id";

/// Up to `limit` meetings that [`link`] would bring into the lists of `user`, those called last first.
pub(crate) async fn guest_meetings(
    pool: &SqlitePool,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = sqlx::query_scalar(GUEST_MEETINGS).bind(email.key()).bind(user.to_string()).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().map(|id| TABLE.value("meeting_id", id)).collect::<Result<_, _>>()?)
}

/// The meetings that somebody is in already are read once (`NOT IN`), not once for each guest.
const GUEST_MEETINGS: &str = "
    SELECT p.meeting_id
    FROM taskflow_meeting_participants AS p
    CROSS JOIN taskflow_meetings AS m ON m.id = p.meeting_id
    WHERE p.user_id IS NULL AND p.email_key = ?1 AND p.removed_at IS NULL AND m.cancelled_at IS NULL
        AND p.meeting_id NOT IN (SELECT there.meeting_id FROM taskflow_meeting_participants AS there WHERE there.user_id = ?2)
    ORDER BY p.meeting_id DESC
    LIMIT ?3";

/// Up to `limit` meetings in which `user` has a participant beside a guest of the address, those created last first.
pub(crate) async fn meetings_with_two(
    pool: &SqlitePool,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = sqlx::query_scalar(MEETINGS_WITH_TWO).bind(email.key()).bind(user.to_string()).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().map(|id| TABLE.value("meeting_id", id)).collect::<Result<_, _>>()?)
}

const MEETINGS_WITH_TWO: &str = "
    SELECT g.meeting_id
    FROM taskflow_meeting_participants AS g
    WHERE g.user_id IS NULL AND g.email_key = ?1 AND g.merged_into IS NULL
        AND EXISTS (
            SELECT 1 FROM taskflow_meeting_participants AS o
            WHERE o.user_id = ?2 AND o.meeting_id = g.meeting_id
                AND (o.removed_at IS NULL OR g.removed_at IS NULL))
    ORDER BY g.meeting_id DESC
    LIMIT ?3";

/// Gives guests the account that their address turned out to be of; `Stale` when it is gone.
pub(super) async fn link(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, LINK).await
}

/// Tells the accounts that are there at the end.
const LINK: &str = "
    UPDATE taskflow_meeting_participants
    SET user_id = u.id, version = taskflow_meeting_participants.version + 1
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'
    WHERE taskflow_meeting_participants.user_id IS NULL
        AND taskflow_meeting_participants.email_key = j.value ->> 'email_key'
        AND taskflow_meeting_participants.merged_into IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM taskflow_meeting_participants AS there
            WHERE there.meeting_id = taskflow_meeting_participants.meeting_id AND there.user_id = u.id);

    SELECT u.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'";

/// Writes down what participants, each named once, know now that a mail has told them, unless they know of a later version
/// already. Their own versions stay: they have done nothing.
pub(crate) async fn tell(conn: &mut SqliteConnection, told: &[&KnowsNow]) -> Result<(), StoreError> {
    if told.is_empty() {
        return Ok(());
    }
    let told = serde_json::to_string(told).map_err(|error| StoreError::Internal(error.into()))?;
    sqlx::query(TELL).bind(told).execute(conn).await.map(drop).map_err(store_error)
}

const TELL: &str = "
    UPDATE taskflow_meeting_participants
    SET told_version = j.value ->> 'version', told_on = j.value ->> 'on'
    FROM json_each(?1) AS j
    WHERE taskflow_meeting_participants.id = j.value ->> 'id' AND coalesce(told_version <= j.value ->> 'version', 1)";
