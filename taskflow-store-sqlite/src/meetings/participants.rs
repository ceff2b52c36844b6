//! Participants of meetings.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{EmailAddress, LastNotified, MeetingId, Participant, ParticipantId, StoreError, UserId};
use taskflow_store_sql::{Stored, or_record, read_all};

use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};

const TABLE: Table = Table("taskflow_meeting_participants");

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

/// The version of a meeting that a participant was last notified of, as the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct KnowsNow {
    id: ParticipantId,
    version: u64,
    on: bool,
}

impl KnowsNow {
    pub(crate) fn new(id: ParticipantId, told: LastNotified) -> Self {
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

pub(crate) async fn participants(pool: &SqlitePool, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
    let meetings = serde_json::to_string(meetings).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<Stored<Participant>> =
        sqlx::query_as(PARTICIPANTS.text()).bind(meetings).fetch_all(pool).await.map_err(store_error)?;
    Ok(read_all(rows))
}

static PARTICIPANTS: Statement<Participant> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_meeting_participants
    WHERE meeting_id IN (SELECT value FROM json_each(?1))
    ORDER BY meeting_id, id",
);

pub(crate) async fn participants_by_id(
    pool: &SqlitePool,
    ids: &[ParticipantId],
) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<Stored<Participant>> =
        sqlx::query_as(PARTICIPANTS_BY_ID.text()).bind(ids).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static PARTICIPANTS_BY_ID: Statement<Participant> = Statement::new(
    "
    SELECT {p.columns}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meeting_participants AS p ON p.id = j.value",
);

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
    rows.apply_all(conn, UPDATE.text()).await
}

/// Meeting, address and what they were told stay as they are.
static UPDATE: Statement<Participant> = Statement::new(
    "
    UPDATE taskflow_meeting_participants
    SET {set}
    FROM json_each(?1) AS j
    WHERE taskflow_meeting_participants.id = j.value ->> 'id'
        AND taskflow_meeting_participants.version = (j.value ->> 'version') - 1
        AND (j.value ->> 'user_id' IS NULL
            OR EXISTS (SELECT 1 FROM taskflow_users AS u WHERE u.id = j.value ->> 'user_id'))
    RETURNING id",
);

pub(super) async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT.text()).await
}

/// The condition leaves out people whose account is gone and guests who have one by now, the conflict those whose address
/// is there already.
static INSERT: Statement<Participant> = Statement::new(
    "
    INSERT INTO taskflow_meeting_participants ({all})
    SELECT {j.values}
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    WHERE u.id IS NOT NULL
        OR (j.value ->> 'user_id' IS NULL AND NOT EXISTS (
            SELECT 1 FROM taskflow_users AS known
            WHERE known.email_key = j.value ->> 'email_key' AND known.email_verified))
    ON CONFLICT (meeting_id, email_key) DO NOTHING
    RETURNING id",
);

/// Up to `limit` meetings that [`link`] would bring into the lists of `user`, those called last first.
pub(crate) async fn guest_meetings(
    pool: &SqlitePool,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = sqlx::query_scalar(GUEST_MEETINGS).bind(email.key()).bind(user.to_string()).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("meeting_id", id))).collect())
}

/// The meetings that somebody is in already are read once (`NOT IN`), not once for each guest.
const GUEST_MEETINGS: &str = "
    SELECT p.meeting_id
    FROM taskflow_meeting_participants AS p
    CROSS JOIN taskflow_meetings AS m ON m.id = p.meeting_id
    WHERE p.user_id IS NULL AND p.email_key = ?1 AND p.removed_at IS NULL AND m.cancelled_at IS NULL
        AND p.meeting_id NOT IN (SELECT there.meeting_id FROM taskflow_meeting_participants AS there WHERE there.user_id = ?2)
    ORDER BY p.meeting_id DESC
    LIMIT +?3";

/// Returns the keys of those addresses by which somebody has accepted an invitation of `organizer`.
pub(crate) async fn accepted_before(
    pool: &SqlitePool,
    organizer: UserId,
    addresses: &[EmailAddress],
) -> Result<HashSet<String>, StoreError> {
    let keys: Vec<_> = addresses.iter().map(EmailAddress::key).collect();
    let keys = serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()))?;
    let query = sqlx::query_scalar(ACCEPTED_BEFORE).bind(keys).bind(organizer.to_string());
    let found: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(found.into_iter().collect())
}

/// The condition on answers is that of an index.
const ACCEPTED_BEFORE: &str = "
    SELECT j.value
    FROM json_each(?1) AS j
    WHERE EXISTS (
        SELECT 1
        FROM taskflow_meeting_participants AS p
        CROSS JOIN taskflow_meetings AS m ON m.id = p.meeting_id
        WHERE p.email_key = j.value AND m.created_by = ?2
            AND (p.response_status IN ('accepted', 'tentative') OR p.reset_response IN ('accepted', 'tentative')))";

/// Up to `limit` meetings in which `user` has a participant beside a guest of the address, those created last first.
pub(crate) async fn meetings_with_two(
    pool: &SqlitePool,
    email: &EmailAddress,
    user: UserId,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query = sqlx::query_scalar(MEETINGS_WITH_TWO).bind(email.key()).bind(user.to_string()).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("meeting_id", id))).collect())
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
    LIMIT +?3";

/// Gives guests the account that their address turned out to be of; `Stale` when it is gone.
pub(super) async fn link(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, LINK).await
}

/// Tells the accounts that are there at the end.
const LINK: &str = "
    UPDATE taskflow_meeting_participants
    SET user_id = u.id, version = taskflow_meeting_participants.version + 1
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    WHERE taskflow_meeting_participants.user_id IS NULL
        AND taskflow_meeting_participants.email_key = j.value ->> 'email_key'
        AND taskflow_meeting_participants.merged_into IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM taskflow_meeting_participants AS there
            WHERE there.meeting_id = taskflow_meeting_participants.meeting_id AND there.user_id = u.id);

    SELECT u.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL";

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
