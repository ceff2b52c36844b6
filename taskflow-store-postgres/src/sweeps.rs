//! Reads that serve many people at once: the port [`CohortScan`].

mod digests;

use async_trait::async_trait;
use chrono::Weekday;
use serde::Serialize;
use taskflow_core::ports::{CohortPage, CohortPosition, CohortQuery, CohortScan, DigestQuery};
use taskflow_core::{CorruptRow, Digest, LocalMinute, LocalTimeCohort, StoreError, UserId, Weekdays};
use taskflow_store_sql::or_record;
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::json;
use crate::store::PgStore;

const USERS: Table = Table("taskflow.users");

/// A moment as the parameters of a statement.
#[derive(Serialize)]
struct Place<'a> {
    place: usize,
    zone: &'a str,
    first: u16,
    last: u16,
}

impl<'a> Place<'a> {
    fn new(place: usize, cohort: &'a LocalTimeCohort) -> Self {
        let (first, last) = cohort.chosen;
        Self { place, zone: cohort.zone.name(), first: first.get(), last: last.get() }
    }
}

/// A minute of a day from a column of people.
fn minute(column: &'static str, minutes: i16) -> Result<LocalMinute, CorruptRow> {
    LocalMinute::new(USERS.number(column, minutes)?).map_err(|error| USERS.bad(column, error.to_string()))
}

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: Uuid,
    summary_minute: i16,
    found: bool,
}

impl TryFrom<&PersonRow> for CohortPosition {
    type Error = CorruptRow;

    fn try_from(row: &PersonRow) -> Result<Self, CorruptRow> {
        Ok((minute("summary_minute", row.summary_minute)?, UserId::from_uuid(row.id)))
    }
}

#[async_trait]
impl CohortScan for PgStore {
    async fn with_users(&self, moments: &[LocalTimeCohort]) -> Result<Vec<usize>, StoreError> {
        if moments.is_empty() {
            return Ok(Vec::new());
        }
        let places = moments.iter().enumerate().map(|(place, cohort)| Place::new(place, cohort));
        let places = json(&places.collect::<Vec<_>>())?;
        let query = || sqlx::query_scalar(OCCUPIED).bind(places.clone());
        let with_users: Vec<i32> = self.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        Ok(with_users.into_iter().filter_map(|place| USERS.number("time_zone", place).ok()).collect())
    }

    async fn recipients(
        &self,
        query: &CohortQuery,
        after: Option<CohortPosition>,
        size: u32,
    ) -> Result<CohortPage, StoreError> {
        let (first, last) = query.cohort.chosen;
        // No id is nil, so nobody who chose the first minute lies before this.
        let after = after.map_or((first.get(), Uuid::nil()), |(minute, id)| (minute.get(), id.as_uuid()));
        let after = after.max((first.get(), Uuid::nil()));
        let kind = Some(query.kind.as_str()).filter(|_| query.kind.can_be_switched_off());
        let days = query.weekday.map(days_of);
        let (yesterday, today) = query.day.map(|day| (day.yesterday, day.today)).unzip();
        let statement = || {
            sqlx::query_as(RECIPIENTS)
                .bind(query.cohort.zone.name().to_owned())
                .bind(small(after.0))
                .bind(after.1)
                .bind(small(last.get()))
                .bind(i64::from(size).saturating_add(1))
                .bind(kind)
                .bind(days)
                .bind(yesterday.map(|(from, _)| Instant::from(from)))
                .bind(yesterday.map(|(_, until)| Instant::from(until)))
                .bind(today.map(|(from, _)| Instant::from(from)))
                .bind(today.map(|(_, until)| Instant::from(until)))
        };
        let mut rows: Vec<PersonRow> = self.read(|conn| Box::pin(statement().fetch_all(conn))).await?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).map(CohortPosition::try_from).transpose()?;
        let found = rows.iter().filter(|row| row.found).map(CohortPosition::try_from);
        let people = found.filter_map(|person| or_record("", person)).collect();
        Ok(CohortPage { people, examined: u32::try_from(rows.len()).unwrap_or(u32::MAX), next })
    }

    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
        digests::digests(self, queries).await
    }
}

/// The bit of a day as the table has it.
fn days_of(day: Weekday) -> i16 {
    i16::from(Weekdays::new([day]).bits())
}

/// Minutes of a day, which are less than 1,440.
fn small(minute: u16) -> i16 {
    i16::try_from(minute).unwrap_or(i16::MAX)
}

/// One look into the index for each moment: a join, or EXISTS, might read everybody.
const OCCUPIED: &str = "
    SELECT r.place
    FROM json_to_recordset($1::json) AS r (place integer, zone text, first smallint, last smallint)
    WHERE (
        SELECT true
        FROM taskflow.users AS u
        WHERE u.time_zone = r.zone AND u.summary_minute >= r.first AND u.summary_minute <= r.last
        LIMIT 1)
    ORDER BY r.place";

/// First the page of people, then what there is to tell each of those who want to hear it. The subqueries can only be run
/// person by person, by index, and one after the other until one finds something; EXISTS might read all tasks instead.
const RECIPIENTS: &str = "
    SELECT p.id, p.summary_minute,
        p.is_active
            AND ($6::text IS NULL OR $6 <> ALL (p.mail_off))
            AND ($7::smallint IS NULL OR p.summary_days & $7 <> 0)
            AND coalesce(
                (SELECT true
                    FROM taskflow.tasks AS t
                    WHERE t.user_id = p.id AND t.status IN ('pending', 'in_progress') AND t.deleted_at IS NULL
                    LIMIT 1),
                (SELECT true
                    FROM taskflow.tasks AS t
                    WHERE t.user_id = p.id
                        AND (t.completed_at >= $8::timestamptz) IS TRUE
                        AND (t.completed_at < $9::timestamptz) IS TRUE
                        AND t.deleted_at IS NULL
                    LIMIT 1),
                (SELECT true
                    FROM taskflow.meeting_participants AS w
                    CROSS JOIN LATERAL (
                        SELECT true
                        FROM taskflow.meetings AS m
                        WHERE m.id = w.meeting_id
                            AND m.meeting_date >= $10::timestamptz
                            AND m.meeting_date < $11::timestamptz
                            AND m.cancelled_at IS NULL
                            AND m.ended_at IS NULL
                        OFFSET 0) AS m
                    WHERE $10::timestamptz IS NOT NULL
                        AND w.user_id = p.id
                        AND w.removed_at IS NULL
                        AND w.response_status <> 'declined'
                    LIMIT 1),
                false) AS found
    FROM (
        SELECT id, summary_minute, is_active, mail_off, summary_days
        FROM taskflow.users
        WHERE time_zone = $1 AND (summary_minute, id) > ($2, $3) AND summary_minute <= $4
        ORDER BY summary_minute, id
        LIMIT $5) AS p
    ORDER BY p.summary_minute, p.id";
