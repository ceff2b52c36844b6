//! Meetings. Whoever changes one locks its row first; whoever answers shares that lock with others who answer.

mod list;
pub(crate) mod participants;
mod repair;
pub(crate) mod revisions;
mod writes;

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{
    CorruptRow, DebounceWindow, Description, DurationMinutes, Location, Mailbox, Meeting, MeetingId, MeetingTitle,
    MeetingUrl, ReminderMinutes, Role, StoreError, Timestamp, UserId, Viewer, fold, search_key,
};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::rows::Rows;
use crate::store::PgStore;

pub(crate) use list::meetings;
pub(crate) use repair::{before_tzdb, unplanned};
pub(crate) use writes::MeetingWrites;

const TABLE: Table = Table("taskflow.meetings");

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
    meeting_date: Timestamp,
    /// What the clock on the wall shows, as if it were in Greenwich.
    local_start: Timestamp,
    time_zone: &'a str,
    tzdb: &'a str,
    duration_minutes: u32,
    location: Option<&'a str>,
    meeting_url: Option<&'a str>,
    meeting_type: &'static str,
    reminder_minutes: u32,
    ended_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    sequence: u32,
    burst_since: Option<Timestamp>,
    burst_due_at: Option<Timestamp>,
    burst_version: Option<u64>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> Params<'a> {
    fn new(meeting: &'a Meeting) -> Self {
        let title_key = fold(meeting.title.as_str());
        let description = meeting.description.as_ref().map(Description::as_str);
        let location = meeting.location.as_ref().map(Location::as_str);
        let texts = [Some(meeting.title.as_str()), description, location];
        Self {
            id: meeting.id,
            created_by: meeting.created_by,
            organizer_name: meeting.organizer.name.as_deref(),
            organizer_email: meeting.organizer.address.as_str(),
            title: meeting.title.as_str(),
            search_text: texts.map(|text| search_key(text.unwrap_or_default())).join("\n"),
            title_key,
            description,
            meeting_date: meeting.starts_at,
            local_start: meeting.local_start.and_utc().into(),
            time_zone: meeting.time_zone.name(),
            tzdb: &meeting.tzdb,
            duration_minutes: meeting.duration.get(),
            location,
            meeting_url: meeting.meeting_url.as_ref().map(MeetingUrl::as_str),
            meeting_type: meeting.meeting_type.as_str(),
            reminder_minutes: meeting.reminder_minutes.get(),
            ended_at: meeting.ended_at,
            cancelled_at: meeting.cancelled_at,
            sequence: meeting.sequence,
            burst_since: meeting.burst.map(|burst| burst.since),
            burst_due_at: meeting.burst.map(|burst| burst.due_at),
            burst_version: meeting.burst.map(|burst| burst.version),
            version: meeting.version,
            created_at: meeting.created_at,
            updated_at: meeting.updated_at,
        }
    }
}

/// What somebody relies on as the parameters of a statement.
#[derive(Serialize)]
struct Expected {
    id: MeetingId,
    version: u64,
}

/// A start that the rules of zones leave where it is, as the parameters of a statement.
#[derive(Serialize)]
struct Confirmed<'a> {
    id: MeetingId,
    tzdb: &'a str,
}

#[derive(sqlx::FromRow)]
pub(crate) struct MeetingRow {
    id: Uuid,
    created_by: Option<Uuid>,
    organizer_name: Option<String>,
    organizer_email: String,
    title: String,
    description: Option<String>,
    meeting_date: Instant,
    local_start: Instant,
    time_zone: String,
    tzdb: String,
    duration_minutes: i32,
    location: Option<String>,
    meeting_url: Option<String>,
    meeting_type: String,
    reminder_minutes: i32,
    ended_at: Option<Instant>,
    cancelled_at: Option<Instant>,
    sequence: i64,
    burst_since: Option<Instant>,
    burst_due_at: Option<Instant>,
    burst_version: Option<i64>,
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl TryFrom<MeetingRow> for Meeting {
    type Error = CorruptRow;

    fn try_from(row: MeetingRow) -> Result<Self, CorruptRow> {
        let address = TABLE.value("organizer_email", &row.organizer_email)?;
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
            id: MeetingId::from_uuid(row.id),
            created_by: row.created_by.map(UserId::from_uuid),
            organizer: Mailbox { name: row.organizer_name, address },
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
    store: &PgStore,
    ids: &[MeetingId],
    viewer: Viewer,
) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let (organizer, participant) = match viewer {
        Viewer::Service => (None, None),
        Viewer::Person(scope) => match scope.least() {
            Role::Owner => (Some(scope.owner().as_uuid()), None),
            Role::Reader => (None, Some(scope.owner().as_uuid())),
        },
    };
    let query = || sqlx::query_as(MEETINGS_BY_ID).bind(ids.clone()).bind(organizer).bind(participant);
    let rows: Vec<MeetingRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(|row| (MeetingId::from_uuid(row.id), Meeting::try_from(row))).collect())
}

const MEETINGS_BY_ID: &str = "
    SELECT id, created_by, organizer_name, organizer_email, title, description, meeting_date,
        local_start AT TIME ZONE 'UTC' AS local_start, time_zone, tzdb, duration_minutes, location, meeting_url,
        meeting_type, reminder_minutes, ended_at, cancelled_at, sequence, burst_since, burst_due_at, burst_version,
        version, created_at, updated_at
    FROM taskflow.meetings AS m
    WHERE id = ANY ($1)
        AND ($2::uuid IS NULL OR created_by = $2)
        AND ($3::uuid IS NULL OR EXISTS (
            SELECT 1
            FROM taskflow.meeting_participants AS p
            WHERE p.meeting_id = m.id AND p.user_id = $3 AND p.removed_at IS NULL))";

async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const INSERT: &str = "
    INSERT INTO taskflow.meetings (id, created_by, organizer_name, organizer_email, title, title_key, description,
        search_text, meeting_date, local_start, time_zone, tzdb, duration_minutes, location, meeting_url,
        meeting_type, reminder_minutes, ended_at, cancelled_at, sequence, burst_since, burst_due_at, burst_version,
        version, created_at, updated_at)
    SELECT id, created_by, organizer_name, organizer_email, title, title_key, description, search_text, meeting_date,
        local_start AT TIME ZONE 'UTC', time_zone, tzdb, duration_minutes, location, meeting_url, meeting_type,
        reminder_minutes, ended_at, cancelled_at, sequence, burst_since, burst_due_at, burst_version, version,
        created_at, updated_at
    FROM json_to_recordset($1::json) AS r (id uuid, created_by uuid, organizer_name text, organizer_email text,
        title text, title_key text, description text, search_text text, meeting_date timestamptz,
        local_start timestamptz, time_zone text, tzdb text, duration_minutes integer, location text,
        meeting_url text, meeting_type text, reminder_minutes integer, ended_at timestamptz,
        cancelled_at timestamptz, sequence bigint, burst_since timestamptz, burst_due_at timestamptz,
        burst_version bigint, version bigint, created_at timestamptz, updated_at timestamptz)";

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE).await?)
}

/// Whose it is is left out: that changes only when they leave.
const UPDATE: &str = "
    UPDATE taskflow.meetings AS m
    SET organizer_name = r.organizer_name,
        organizer_email = r.organizer_email,
        title = r.title,
        title_key = r.title_key,
        description = r.description,
        search_text = r.search_text,
        meeting_date = r.meeting_date,
        local_start = r.local_start AT TIME ZONE 'UTC',
        time_zone = r.time_zone,
        tzdb = r.tzdb,
        duration_minutes = r.duration_minutes,
        location = r.location,
        meeting_url = r.meeting_url,
        meeting_type = r.meeting_type,
        reminder_minutes = r.reminder_minutes,
        ended_at = r.ended_at,
        cancelled_at = r.cancelled_at,
        sequence = r.sequence,
        burst_since = r.burst_since,
        burst_due_at = r.burst_due_at,
        burst_version = r.burst_version,
        version = r.version,
        updated_at = r.updated_at
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, organizer_name text, organizer_email text, title text,
            title_key text, description text, search_text text, meeting_date timestamptz, local_start timestamptz,
            time_zone text, tzdb text, duration_minutes integer, location text, meeting_url text, meeting_type text,
            reminder_minutes integer, ended_at timestamptz, cancelled_at timestamptz, sequence bigint,
            burst_since timestamptz, burst_due_at timestamptz, burst_version bigint, version bigint,
            updated_at timestamptz)
        JOIN taskflow.meetings AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE m.id = r.id AND m.version = r.version - 1
    RETURNING m.id";

/// Holds meetings at the versions that were decided upon.
async fn expect(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, EXPECT).await?)
}

/// A lock that waits for updates, and keeps them waiting, but goes together with itself.
const EXPECT: &str = "
    SELECT l.id
    FROM json_to_recordset($1::json) AS r (id uuid, version bigint)
    JOIN taskflow.meetings AS l ON l.id = r.id AND l.version = r.version
    ORDER BY l.id
    FOR SHARE OF l";

async fn confirm(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, CONFIRM).await.map(drop)
}

const CONFIRM: &str = "
    UPDATE taskflow.meetings AS m
    SET tzdb = r.tzdb
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, tzdb text)
        JOIN taskflow.meetings AS l ON l.id = r.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE m.id = r.id
    RETURNING m.id";

/// Takes people who leave off what they called.
pub(crate) async fn forget_organizers(conn: &mut PgConnection, users: &Rows) -> Result<(), StoreError> {
    sqlx::query(FORGET_ORGANIZERS).bind(users.ids()).execute(conn).await.map(drop).map_err(store_error)
}

const FORGET_ORGANIZERS: &str = "
    UPDATE taskflow.meetings AS m
    SET created_by = NULL
    FROM (
        SELECT l.id
        FROM taskflow.meetings AS l
        WHERE l.created_by = ANY ($1)
        ORDER BY l.id
        FOR NO KEY UPDATE) AS r
    WHERE m.id = r.id";
