//! Contents of daily summaries: two statements, however many users they are for.

use serde::Serialize;
use taskflow_core::ports::DigestQuery;
use taskflow_core::{CorruptRow, Digest, Excerpt, Meeting, StoreError, Task, Timestamp, UserId};
use taskflow_store_sql::Stored;

use crate::error::Table;
use crate::rows::{Statement, json};
use crate::store::PgStore;

const TASKS: Table = Table("taskflow.tasks");
const MEETINGS: Table = Table("taskflow.meetings");

/// The day of a user, as the parameters of a statement.
#[derive(Serialize)]
struct Params {
    place: usize,
    user_id: UserId,
    now: Timestamp,
    done_from: Option<Timestamp>,
    done_until: Option<Timestamp>,
    /// Start of the period in which meetings are looked up.
    today_from: Option<Timestamp>,
    today_until: Timestamp,
    week_from: Timestamp,
    week_until: Timestamp,
}

impl Params {
    fn new(place: usize, query: &DigestQuery) -> Self {
        let whole = |at: Timestamp| query.whole.then_some(at);
        let (done, today) = (query.day.yesterday, query.day.today);
        Self {
            place,
            user_id: query.user_id,
            now: query.now,
            done_from: whole(done.0),
            done_until: whole(done.1),
            today_from: whole(today.0),
            today_until: today.1,
            week_from: today.1.max(query.now),
            week_until: query.day.week.1.max(query.now),
        }
    }
}

#[derive(sqlx::FromRow)]
struct DigestTaskRow {
    place: i32,
    list: String,
    listed: i64,
    #[sqlx(flatten)]
    task: Stored<Task>,
}

#[derive(sqlx::FromRow)]
struct DigestMeetingRow {
    place: i32,
    listed: i64,
    #[sqlx(flatten)]
    meeting: Stored<Meeting>,
}

pub(super) async fn digests(
    store: &PgStore,
    queries: &[DigestQuery],
) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let params = json(&queries.iter().enumerate().map(|(place, query)| Params::new(place, query)).collect::<Vec<_>>())?;
    let tasks = || sqlx::query_as(DIGEST_TASKS.text()).bind(params.clone()).bind(MOST);
    let tasks: Vec<DigestTaskRow> = store.read(|conn| Box::pin(tasks().fetch_all(conn))).await?;
    let meetings = || sqlx::query_as(DIGEST_MEETINGS.text()).bind(params.clone()).bind(MOST);
    let meetings: Vec<DigestMeetingRow> = if queries.iter().any(|query| query.whole) {
        store.read(|conn| Box::pin(meetings().fetch_all(conn))).await?
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
    place: i32,
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

/// Each list begins where an index does: what is done and what is due by a time stands there in its order, so that as many rows
/// are read as are shown; each status has an order of its own. Other open tasks are read all where nothing else is to be
/// listed, since no index knows their order, else one row brings their number; the totals are counted in indexes alone.
/// `IS TRUE` keeps the index of all completions out of it, which looks small to statistics that were taken early and holds
/// everybody's. `OFFSET 0` has them counted once for each person, and not for each row.
static DIGEST_TASKS: Statement<Task> = Statement::new(
    "
    SELECT r.place, l.list,
        CASE l.list
            WHEN 'done' THEN c.done
            WHEN 'overdue' THEN c.overdue
            WHEN 'today' THEN c.today
            WHEN 'week' THEN c.week
            ELSE c.later
        END AS listed,
        {l.columns}
    FROM json_to_recordset($1::json) AS r (place integer, user_id uuid, now timestamptz, done_from timestamptz,
        done_until timestamptz, today_until timestamptz, week_from timestamptz, week_until timestamptz)
    CROSS JOIN LATERAL (
        SELECT
            (SELECT count(*)
                FROM taskflow.tasks AS t
                WHERE t.user_id = r.user_id
                    AND (t.completed_at >= r.done_from) IS TRUE
                    AND (t.completed_at < r.done_until) IS TRUE
                    AND t.deleted_at IS NULL) AS done,
            count(*) FILTER (WHERE t.due_at < r.now) AS overdue,
            count(*) FILTER (WHERE t.due_at >= r.now AND t.due_at < r.today_until) AS today,
            count(*) FILTER (WHERE t.due_at >= r.week_from AND t.due_at < r.week_until) AS week,
            count(*) FILTER (WHERE t.due_at < r.week_until IS NOT TRUE) AS later
        FROM taskflow.tasks AS t
        WHERE t.user_id = r.user_id AND t.status IN ('pending', 'in_progress') AND t.deleted_at IS NULL
        OFFSET 0) AS c
    CROSS JOIN LATERAL (
        (SELECT 'done' AS list, t.*
            FROM taskflow.tasks AS t
            WHERE c.done > 0
                AND t.user_id = r.user_id
                AND (t.completed_at >= r.done_from) IS TRUE
                AND (t.completed_at < r.done_until) IS TRUE
                AND t.deleted_at IS NULL
            ORDER BY t.completed_at DESC, t.id
            LIMIT $2)
        UNION ALL
        (SELECT 'overdue' AS list, t.*
            FROM (
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.overdue > 0
                        AND user_id = r.user_id AND status = 'pending' AND due_at < r.now AND deleted_at IS NULL
                    ORDER BY due_at, id
                    LIMIT $2)
                UNION ALL
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.overdue > 0
                        AND user_id = r.user_id AND status = 'in_progress' AND due_at < r.now AND deleted_at IS NULL
                    ORDER BY due_at, id
                    LIMIT $2)) AS t
            ORDER BY t.due_at, t.id
            LIMIT $2)
        UNION ALL
        (SELECT 'today' AS list, t.*
            FROM (
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.today > 0
                        AND user_id = r.user_id AND status = 'pending' AND deleted_at IS NULL
                        AND due_at >= r.now AND due_at < r.today_until
                    ORDER BY due_at, priority DESC, id
                    LIMIT $2)
                UNION ALL
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.today > 0
                        AND user_id = r.user_id AND status = 'in_progress' AND deleted_at IS NULL
                        AND due_at >= r.now AND due_at < r.today_until
                    ORDER BY due_at, priority DESC, id
                    LIMIT $2)) AS t
            ORDER BY t.due_at, t.priority DESC, t.id
            LIMIT $2)
        UNION ALL
        (SELECT 'week' AS list, t.*
            FROM (
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.week > 0
                        AND user_id = r.user_id AND status = 'pending' AND deleted_at IS NULL
                        AND due_at >= r.week_from AND due_at < r.week_until
                    ORDER BY due_at, priority DESC, id
                    LIMIT $2)
                UNION ALL
                (SELECT *
                    FROM taskflow.tasks
                    WHERE c.week > 0
                        AND user_id = r.user_id AND status = 'in_progress' AND deleted_at IS NULL
                        AND due_at >= r.week_from AND due_at < r.week_until
                    ORDER BY due_at, priority DESC, id
                    LIMIT $2)) AS t
            ORDER BY t.due_at, t.priority DESC, t.id
            LIMIT $2)
        UNION ALL
        (SELECT 'later' AS list, t.*
            FROM taskflow.tasks AS t
            WHERE c.later > 0
                AND t.user_id = r.user_id
                AND t.status IN ('pending', 'in_progress')
                AND t.due_at < r.week_until IS NOT TRUE
                AND t.deleted_at IS NULL
            ORDER BY t.priority DESC, t.due_at NULLS LAST, t.created_at, t.id
            LIMIT CASE WHEN c.overdue + c.today + c.week = 0 THEN $2 ELSE 1 END)) AS l",
);

/// From the person to their meetings, of which each is looked up by its id.
static DIGEST_MEETINGS: Statement<Meeting> = Statement::new(
    "
    SELECT r.place, l.*
    FROM json_to_recordset($1::json) AS r (place integer, user_id uuid, today_from timestamptz, today_until timestamptz)
    CROSS JOIN LATERAL (
        SELECT count(*) OVER () AS listed, {m.columns}
        FROM taskflow.meeting_participants AS w
        CROSS JOIN LATERAL (SELECT * FROM taskflow.meetings WHERE id = w.meeting_id OFFSET 0) AS m
        WHERE r.today_from IS NOT NULL
            AND w.user_id = r.user_id
            AND w.removed_at IS NULL
            AND w.response_status <> 'declined'
            AND m.meeting_date >= r.today_from
            AND m.meeting_date < r.today_until
            AND m.cancelled_at IS NULL
            AND m.ended_at IS NULL
        ORDER BY m.meeting_date, m.id
        LIMIT $2) AS l",
);
