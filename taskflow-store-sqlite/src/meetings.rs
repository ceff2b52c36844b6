//! Meetings.

mod list;
pub(crate) mod participants;
mod repair;
mod revisions;
mod writes;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{
    CorruptRow, DebounceWindow, Description, DurationMinutes, Location, Mailbox, Meeting, MeetingId, MeetingTitle,
    MeetingUrl, ReminderMinutes, Role, StoreError, Timestamp, UserId, Viewer, fold, search_key,
};

use crate::error::{Table, store_error};
use crate::rows::Rows;

pub(crate) use list::meetings;
pub(crate) use participants::{guest_meetings, meetings_with_two, participants, participants_by_id};
pub(crate) use repair::{before_tzdb, unplanned};
pub(crate) use revisions::revisions;
pub(crate) use writes::MeetingWrites;

const TABLE: Table = Table("taskflow_meetings");

/// A meeting as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: MeetingId,
    created_by: Option<UserId>,
    organizer_name: Option<&'a str>,
    organizer_email: &'a str,
    title: &'a str,
    title_key: String,
    description: Option<&'a str>,
    search_text: String,
    meeting_date: i64,
    local_start: i64,
    time_zone: &'a str,
    tzdb: &'a str,
    duration_minutes: u32,
    location: Option<&'a str>,
    meeting_url: Option<&'a str>,
    meeting_type: &'static str,
    reminder_minutes: u32,
    ended_at: Option<i64>,
    cancelled_at: Option<i64>,
    sequence: u32,
    burst_since: Option<i64>,
    burst_due_at: Option<i64>,
    burst_version: Option<u64>,
    version: u64,
    created_at: i64,
    updated_at: i64,
}

impl<'a> Params<'a> {
    fn new(meeting: &'a Meeting) -> Self {
        let description = meeting.description.as_ref().map(Description::as_str);
        let location = meeting.location.as_ref().map(Location::as_str);
        let texts = [Some(meeting.title.as_str()), description, location];
        Self {
            id: meeting.id,
            created_by: meeting.created_by,
            organizer_name: meeting.organizer.name.as_deref(),
            organizer_email: meeting.organizer.address.as_str(),
            title: meeting.title.as_str(),
            title_key: fold(meeting.title.as_str()),
            description,
            search_text: texts.map(|text| search_key(text.unwrap_or_default())).join("\n"),
            meeting_date: meeting.starts_at.as_micros(),
            local_start: Timestamp::from(meeting.local_start.and_utc()).as_micros(),
            time_zone: meeting.time_zone.name(),
            tzdb: &meeting.tzdb,
            duration_minutes: meeting.duration.get(),
            location,
            meeting_url: meeting.meeting_url.as_ref().map(MeetingUrl::as_str),
            meeting_type: meeting.meeting_type.as_str(),
            reminder_minutes: meeting.reminder_minutes.get(),
            ended_at: meeting.ended_at.map(Timestamp::as_micros),
            cancelled_at: meeting.cancelled_at.map(Timestamp::as_micros),
            sequence: meeting.sequence,
            burst_since: meeting.burst.map(|burst| burst.since.as_micros()),
            burst_due_at: meeting.burst.map(|burst| burst.due_at.as_micros()),
            burst_version: meeting.burst.map(|burst| burst.version),
            version: meeting.version,
            created_at: meeting.created_at.as_micros(),
            updated_at: meeting.updated_at.as_micros(),
        }
    }
}

/// The version that a decision relied on as the parameters of a statement.
#[derive(Serialize)]
struct Expected {
    id: MeetingId,
    version: u64,
}

/// A start that the rules of a time zone database confirm as the parameters of a statement.
#[derive(Serialize)]
struct Confirmed<'a> {
    id: MeetingId,
    tzdb: &'a str,
}

/// A meeting as the table has it; also part of wider rows.
#[derive(sqlx::FromRow)]
pub(crate) struct MeetingRow {
    id: String,
    created_by: Option<String>,
    organizer_name: Option<String>,
    organizer_email: String,
    title: String,
    description: Option<String>,
    meeting_date: i64,
    local_start: i64,
    time_zone: String,
    tzdb: String,
    duration_minutes: i64,
    location: Option<String>,
    meeting_url: Option<String>,
    meeting_type: String,
    reminder_minutes: i64,
    ended_at: Option<i64>,
    cancelled_at: Option<i64>,
    sequence: i64,
    burst_since: Option<i64>,
    burst_due_at: Option<i64>,
    burst_version: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<MeetingRow> for Meeting {
    type Error = CorruptRow;

    fn try_from(row: MeetingRow) -> Result<Self, CorruptRow> {
        let duration = DurationMinutes::new(TABLE.number("duration_minutes", row.duration_minutes)?);
        let reminder = ReminderMinutes::new(TABLE.number("reminder_minutes", row.reminder_minutes)?);
        let burst = match (row.burst_since, row.burst_due_at, row.burst_version) {
            (Some(since), Some(due_at), Some(version)) => Some(DebounceWindow {
                since: TABLE.instant("burst_since", since)?,
                due_at: TABLE.instant("burst_due_at", due_at)?,
                version: TABLE.number("burst_version", version)?,
            }),
            _ => None,
        };
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            created_by: TABLE.optional("created_by", row.created_by.as_deref())?,
            organizer: Mailbox {
                name: row.organizer_name,
                address: TABLE.value("organizer_email", &row.organizer_email)?,
            },
            title: TABLE.stored("title", &row.title, MeetingTitle::from_stored)?,
            description: TABLE.optional("description", row.description.as_deref())?,
            starts_at: TABLE.instant("meeting_date", row.meeting_date)?,
            local_start: TABLE.instant("local_start", row.local_start)?.to_chrono().naive_utc(),
            time_zone: TABLE.value("time_zone", &row.time_zone)?,
            tzdb: row.tzdb,
            duration: duration.map_err(|error| TABLE.bad("duration_minutes", error.to_string()))?,
            location: row
                .location
                .as_deref()
                .map(|text| TABLE.stored("location", text, Location::from_stored))
                .transpose()?,
            meeting_url: TABLE.optional("meeting_url", row.meeting_url.as_deref())?,
            meeting_type: TABLE.value("meeting_type", &row.meeting_type)?,
            reminder_minutes: reminder.map_err(|error| TABLE.bad("reminder_minutes", error.to_string()))?,
            ended_at: TABLE.optional_instant("ended_at", row.ended_at)?,
            cancelled_at: TABLE.optional_instant("cancelled_at", row.cancelled_at)?,
            sequence: TABLE.number("sequence", row.sequence)?,
            burst,
            version: TABLE.number("version", row.version)?,
            created_at: TABLE.instant("created_at", row.created_at)?,
            updated_at: TABLE.instant("updated_at", row.updated_at)?,
        })
    }
}

pub(crate) async fn meetings_by_id(
    pool: &SqlitePool,
    ids: &[MeetingId],
    viewer: Viewer,
) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let (organizer, participant) = match viewer {
        Viewer::Service => (None, None),
        Viewer::Person(scope) => match scope.least() {
            Role::Owner => (Some(scope.owner().to_string()), None),
            Role::Reader => (None, Some(scope.owner().to_string())),
        },
    };
    let rows: Vec<MeetingRow> = sqlx::query_as(MEETINGS_BY_ID)
        .bind(ids)
        .bind(organizer)
        .bind(participant)
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    rows.into_iter().map(|row| Ok((TABLE.value("id", &row.id)?, Meeting::try_from(row)))).collect()
}

const MEETINGS_BY_ID: &str = "
    SELECT m.id, m.created_by, m.organizer_name, m.organizer_email, m.title, m.description, m.meeting_date,
        m.local_start, m.time_zone, m.tzdb, m.duration_minutes, m.location, m.meeting_url, m.meeting_type,
        m.reminder_minutes, m.ended_at, m.cancelled_at, m.sequence, m.burst_since, m.burst_due_at,
        m.burst_version, m.version, m.created_at, m.updated_at
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meetings AS m ON m.id = j.value
    WHERE (?2 IS NULL OR m.created_by = ?2)
        AND (?3 IS NULL OR EXISTS (
            SELECT 1 FROM taskflow_meeting_participants AS p
            WHERE p.user_id = ?3 AND p.removed_at IS NULL AND p.meeting_id = m.id))";

/// `Stale` unless each meeting has the version that was decided upon. The transaction holds the one lock that there is
/// for writers, so it keeps that version until the commit.
async fn expect(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, EXPECT).await
}

const EXPECT: &str = "
    SELECT m.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meetings AS m ON m.id = j.value ->> 'id'
    WHERE m.version = j.value ->> 'version'";

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE).await
}

/// Who called it stays: only the deletion of that account takes its id off, perhaps since this was decided.
const UPDATE: &str = "
    UPDATE taskflow_meetings
    SET organizer_name = j.value ->> 'organizer_name',
        organizer_email = j.value ->> 'organizer_email',
        title = j.value ->> 'title',
        title_key = j.value ->> 'title_key',
        description = j.value ->> 'description',
        search_text = j.value ->> 'search_text',
        meeting_date = j.value ->> 'meeting_date',
        local_start = j.value ->> 'local_start',
        time_zone = j.value ->> 'time_zone',
        tzdb = j.value ->> 'tzdb',
        duration_minutes = j.value ->> 'duration_minutes',
        location = j.value ->> 'location',
        meeting_url = j.value ->> 'meeting_url',
        meeting_type = j.value ->> 'meeting_type',
        reminder_minutes = j.value ->> 'reminder_minutes',
        ended_at = j.value ->> 'ended_at',
        cancelled_at = j.value ->> 'cancelled_at',
        sequence = j.value ->> 'sequence',
        burst_since = j.value ->> 'burst_since',
        burst_due_at = j.value ->> 'burst_due_at',
        burst_version = j.value ->> 'burst_version',
        version = j.value ->> 'version',
        updated_at = j.value ->> 'updated_at'
    FROM json_each(?1) AS j
    WHERE taskflow_meetings.id = j.value ->> 'id' AND taskflow_meetings.version = (j.value ->> 'version') - 1
    RETURNING id";

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT).await
}

/// The condition leaves out meetings of people who are gone.
const INSERT: &str = "
    INSERT INTO taskflow_meetings (id, created_by, organizer_name, organizer_email, title, title_key, description,
        search_text, meeting_date, local_start, time_zone, tzdb, duration_minutes, location, meeting_url, meeting_type,
        reminder_minutes, ended_at, cancelled_at, sequence, burst_since, burst_due_at, burst_version, version, created_at,
        updated_at)
    SELECT j.value ->> 'id', u.id, j.value ->> 'organizer_name', j.value ->> 'organizer_email', j.value ->> 'title',
        j.value ->> 'title_key', j.value ->> 'description', j.value ->> 'search_text', j.value ->> 'meeting_date',
        j.value ->> 'local_start', j.value ->> 'time_zone', j.value ->> 'tzdb', j.value ->> 'duration_minutes',
        j.value ->> 'location', j.value ->> 'meeting_url', j.value ->> 'meeting_type', j.value ->> 'reminder_minutes',
        j.value ->> 'ended_at', j.value ->> 'cancelled_at', j.value ->> 'sequence', j.value ->> 'burst_since',
        j.value ->> 'burst_due_at', j.value ->> 'burst_version', j.value ->> 'version', j.value ->> 'created_at',
        j.value ->> 'updated_at'
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_users AS u ON u.id = j.value ->> 'created_by'
    WHERE u.id IS NOT NULL OR j.value ->> 'created_by' IS NULL
    RETURNING id";

/// Writes down which time zone database the starts were found with, for meetings that are still there.
async fn confirm(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(CONFIRM).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const CONFIRM: &str = "
    UPDATE taskflow_meetings
    SET tzdb = j.value ->> 'tzdb'
    FROM json_each(?1) AS j
    WHERE taskflow_meetings.id = j.value ->> 'id'";
