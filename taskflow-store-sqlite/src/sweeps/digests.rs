//! Contents of daily summaries: two statements, however many users they are for.

use serde::Serialize;
use sqlx::SqlitePool;
use taskflow_core::ports::DigestQuery;
use taskflow_core::{CorruptRow, Digest, Excerpt, Meeting, StoreError, Task, Timestamp, UserId};
use taskflow_store_sql::Stored;

use crate::error::{Table, store_error};
use crate::rows::Statement;

const TASKS: Table = Table("taskflow_tasks");
const MEETINGS: Table = Table("taskflow_meetings");

/// The day of a user, as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    user_id: UserId,
    now: i64,
    done_from: Option<i64>,
    done_until: Option<i64>,
    /// Start of the period in which meetings are looked up.
    today_from: Option<i64>,
    today_until: i64,
    week_from: i64,
    week_until: i64,
}

impl From<&DigestQuery> for Params {
    fn from(query: &DigestQuery) -> Self {
        let whole = |at: Timestamp| query.whole.then(|| at.as_micros());
        let (done, today) = (query.day.yesterday, query.day.today);
        Self {
            user_id: query.user_id,
            now: query.now.as_micros(),
            done_from: whole(done.0),
            done_until: whole(done.1),
            today_from: whole(today.0),
            today_until: today.1.as_micros(),
            week_from: today.1.max(query.now).as_micros(),
            week_until: query.day.week.1.max(query.now).as_micros(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct DigestTaskRow {
    place: i64,
    list: String,
    listed: i64,
    #[sqlx(flatten)]
    task: Stored<Task>,
}

#[derive(sqlx::FromRow)]
struct DigestMeetingRow {
    place: i64,
    listed: i64,
    #[sqlx(flatten)]
    meeting: Stored<Meeting>,
}

pub(super) async fn digests(
    pool: &SqlitePool,
    queries: &[DigestQuery],
) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let params: Vec<Params> = queries.iter().map(Params::from).collect();
    let params = serde_json::to_string(&params).map_err(|error| StoreError::Internal(error.into()))?;
    let tasks: Vec<DigestTaskRow> =
        sqlx::query_as(DIGEST_TASKS.text()).bind(&params).bind(MOST).fetch_all(pool).await.map_err(store_error)?;
    let meetings: Vec<DigestMeetingRow> = if queries.iter().any(|query| query.whole) {
        sqlx::query_as(DIGEST_MEETINGS.text()).bind(params).bind(MOST).fetch_all(pool).await.map_err(store_error)?
    } else {
        Vec::new()
    };
    let mut digests: Vec<Result<Digest, CorruptRow>> = queries.iter().map(|query| Ok(Digest::of(query.date))).collect();
    for row in tasks {
        add(&mut digests, row.place, |digest| row.put_into(digest));
    }
    for row in meetings {
        add(&mut digests, row.place, |digest| row.put_into(digest));
    }
    digests.iter_mut().flatten().for_each(Digest::put_in_order);
    Ok(digests)
}

/// Most of a list.
const MOST: i64 = Excerpt::<Task>::MOST as i64;

/// Adds a row to the digest it belongs to, or spoils that.
fn add(
    digests: &mut [Result<Digest, CorruptRow>],
    place: i64,
    put: impl FnOnce(&mut Digest) -> Result<(), CorruptRow>,
) {
    let Some(slot) = usize::try_from(place).ok().and_then(|place| digests.get_mut(place)) else { return };
    if let Ok(digest) = slot
        && let Err(error) = put(digest)
    {
        *slot = Err(error);
    }
}

impl DigestTaskRow {
    fn put_into(self, digest: &mut Digest) -> Result<(), CorruptRow> {
        let list = match self.list.as_str() {
            "done" => &mut digest.done,
            "overdue" => &mut digest.overdue,
            "today" => &mut digest.today,
            "week" => &mut digest.week,
            _ => &mut digest.later,
        };
        list.total = TASKS.number("id", self.listed)?;
        list.items.extend(self.task.readable());
        Ok(())
    }
}

impl DigestMeetingRow {
    fn put_into(self, digest: &mut Digest) -> Result<(), CorruptRow> {
        digest.meetings.total = MEETINGS.number("id", self.listed)?;
        digest.meetings.items.extend(self.meeting.readable());
        Ok(())
    }
}

/// Totals are counted once for each person, mostly in an index alone; of each list no more rows are returned than are shown.
/// What is done and what is due by a time is found where it stands in an index. Where nothing else is to be listed the other
/// open tasks are looked at all, since no index knows their order: one that did would cost every task that is made and
/// changed more than it saves here. Else one row brings their number.
static DIGEST_TASKS: Statement<Task> = Statement::new(
    "
    WITH people AS MATERIALIZED (
        SELECT place, user_id, now, done_from, done_until, today_until, week_from, week_until,
            (SELECT count(*)
                FROM taskflow_tasks AS t
                WHERE t.user_id = j.user_id AND t.completed_at >= j.done_from AND t.completed_at < j.done_until
                    AND t.deleted_at IS NULL) AS done,
            (SELECT count(*)
                FROM taskflow_tasks AS t
                WHERE t.user_id = j.user_id AND t.deleted_at IS NULL AND t.status IN ('pending', 'in_progress')
                    AND t.due_at < j.now) AS overdue,
            (SELECT count(*)
                FROM taskflow_tasks AS t
                WHERE t.user_id = j.user_id AND t.deleted_at IS NULL AND t.status IN ('pending', 'in_progress')
                    AND t.due_at >= j.now AND t.due_at < j.today_until) AS today,
            (SELECT count(*)
                FROM taskflow_tasks AS t
                WHERE t.user_id = j.user_id AND t.deleted_at IS NULL AND t.status IN ('pending', 'in_progress')
                    AND t.due_at >= j.week_from AND t.due_at < j.week_until) AS week,
            (SELECT count(*)
                FROM taskflow_tasks AS t
                WHERE t.user_id = j.user_id AND t.deleted_at IS NULL AND t.status IN ('pending', 'in_progress')) AS undone
        FROM (
            SELECT key AS place, value ->> 'user_id' AS user_id, value ->> 'now' AS now,
                value ->> 'done_from' AS done_from, value ->> 'done_until' AS done_until,
                value ->> 'today_until' AS today_until, value ->> 'week_from' AS week_from,
                value ->> 'week_until' AS week_until
            FROM json_each(?1)) AS j)
    SELECT p.place, 'done' AS list, p.done AS listed, {t.columns}
    FROM people AS p
    CROSS JOIN taskflow_tasks AS t ON t.rowid IN (
        SELECT l.rowid
        FROM taskflow_tasks AS l
        WHERE l.user_id = p.user_id AND l.deleted_at IS NULL AND l.completed_at >= p.done_from
            AND l.completed_at < p.done_until
        ORDER BY l.completed_at DESC, l.id
        LIMIT +?2)
    WHERE p.done > 0
    UNION ALL
    SELECT p.place, 'overdue' AS list, p.overdue AS listed, {t.columns}
    FROM people AS p
    CROSS JOIN taskflow_tasks AS t ON t.rowid IN (
        SELECT l.rowid
        FROM taskflow_tasks AS l
        WHERE l.user_id = p.user_id AND l.deleted_at IS NULL AND l.status IN ('pending', 'in_progress')
            AND l.due_at < p.now
        ORDER BY l.due_at, l.id
        LIMIT +?2)
    WHERE p.overdue > 0
    UNION ALL
    SELECT p.place, 'today' AS list, p.today AS listed, {t.columns}
    FROM people AS p
    CROSS JOIN taskflow_tasks AS t ON t.rowid IN (
        SELECT l.rowid
        FROM taskflow_tasks AS l
        WHERE l.user_id = p.user_id AND l.deleted_at IS NULL AND l.status IN ('pending', 'in_progress')
            AND l.due_at >= p.now AND l.due_at < p.today_until
        ORDER BY l.due_at, l.priority DESC, l.id
        LIMIT +?2)
    WHERE p.today > 0
    UNION ALL
    SELECT p.place, 'week' AS list, p.week AS listed, {t.columns}
    FROM people AS p
    CROSS JOIN taskflow_tasks AS t ON t.rowid IN (
        SELECT l.rowid
        FROM taskflow_tasks AS l
        WHERE l.user_id = p.user_id AND l.deleted_at IS NULL AND l.status IN ('pending', 'in_progress')
            AND l.due_at >= p.week_from AND l.due_at < p.week_until
        ORDER BY l.due_at, l.priority DESC, l.id
        LIMIT +?2)
    WHERE p.week > 0
    UNION ALL
    SELECT p.place, 'later' AS list, p.undone - p.overdue - p.today - p.week AS listed, {t.columns}
    FROM people AS p
    CROSS JOIN taskflow_tasks AS t ON t.rowid IN (
        SELECT f.task
        FROM (
            SELECT l.rowid AS task,
                row_number() OVER (ORDER BY l.priority DESC, l.due_at NULLS LAST, l.created_at, l.id) AS place
            FROM taskflow_tasks AS l
            WHERE l.user_id = p.user_id AND l.deleted_at IS NULL AND l.status IN ('pending', 'in_progress')
                AND (l.due_at < p.week_until) IS NOT TRUE) AS f
        WHERE f.place <= iif(p.overdue + p.today + p.week = 0, ?2, 1))
    WHERE p.undone > p.overdue + p.today + p.week",
);

/// From the person to their meetings, of which each is looked up by its id; the rows of those that are shown at last.
static DIGEST_MEETINGS: Statement<Meeting> = Statement::new(
    "
    WITH theirs AS MATERIALIZED (
        SELECT j.key AS place, m.rowid AS meeting,
            row_number() OVER (PARTITION BY j.key ORDER BY m.meeting_date, m.id) AS rank,
            count(*) OVER (PARTITION BY j.key) AS listed
        FROM json_each(?1) AS j
        CROSS JOIN taskflow_meeting_participants AS w ON w.user_id = j.value ->> 'user_id'
        CROSS JOIN taskflow_meetings AS m ON m.id = w.meeting_id
        WHERE j.value ->> 'today_from' IS NOT NULL AND w.removed_at IS NULL AND w.response_status <> 'declined'
            AND m.meeting_date >= j.value ->> 'today_from' AND m.meeting_date < j.value ->> 'today_until'
            AND m.cancelled_at IS NULL AND m.ended_at IS NULL)
    SELECT r.place, r.listed, {m.columns}
    FROM theirs AS r
    CROSS JOIN taskflow_meetings AS m ON m.rowid = r.meeting
    WHERE r.rank <= ?2",
);
