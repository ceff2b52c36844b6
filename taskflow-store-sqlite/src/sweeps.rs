//! Reads that serve many people at once: the port [`CohortScan`].

mod digests;

use async_trait::async_trait;
use serde::Serialize;
use taskflow_core::ports::{CohortPage, CohortPosition, CohortQuery, CohortScan, DigestQuery};
use taskflow_core::{CorruptRow, Digest, LocalMinute, LocalTimeCohort, StoreError, Weekdays};
use taskflow_store_sql::or_record;

use crate::error::{Table, store_error};
use crate::store::SqliteStore;

const USERS: Table = Table("taskflow_users");

/// A moment as the parameters of a statement.
#[derive(Serialize)]
struct Place<'a> {
    zone: &'a str,
    first: u16,
    last: u16,
}

impl<'a> From<&'a LocalTimeCohort> for Place<'a> {
    fn from(cohort: &'a LocalTimeCohort) -> Self {
        let (first, last) = cohort.chosen;
        Self { zone: cohort.zone.name(), first: first.get(), last: last.get() }
    }
}

/// A minute of a day from a column of people.
fn minute(column: &'static str, minutes: i64) -> Result<LocalMinute, CorruptRow> {
    LocalMinute::new(USERS.number(column, minutes)?).map_err(|error| USERS.bad(column, error.to_string()))
}

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: String,
    summary_minute: i64,
    found: bool,
}

impl TryFrom<&PersonRow> for CohortPosition {
    type Error = CorruptRow;

    fn try_from(row: &PersonRow) -> Result<Self, CorruptRow> {
        Ok((minute("summary_minute", row.summary_minute)?, USERS.value("id", &row.id)?))
    }
}

#[async_trait]
impl CohortScan for SqliteStore {
    async fn with_users(&self, moments: &[LocalTimeCohort]) -> Result<Vec<usize>, StoreError> {
        if moments.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<Place<'_>> = moments.iter().map(Place::from).collect();
        let places = serde_json::to_string(&places).map_err(|error| StoreError::Internal(error.into()))?;
        let with_users: Vec<i64> =
            sqlx::query_scalar(OCCUPIED).bind(places).fetch_all(&self.reader()?).await.map_err(store_error)?;
        Ok(with_users.into_iter().filter_map(|place| USERS.number("time_zone", place).ok()).collect())
    }

    async fn recipients(
        &self,
        query: &CohortQuery,
        after: Option<CohortPosition>,
        size: u32,
    ) -> Result<CohortPage, StoreError> {
        let (first, last) = query.cohort.chosen;
        // Every id is greater than the empty text, so nobody who chose the first minute lies before this.
        let (minute, id) = match after {
            Some((minute, id)) if minute >= first => (minute, id.to_string()),
            _ => (first, String::new()),
        };
        let kind = Some(query.kind.as_str()).filter(|_| query.kind.can_be_switched_off());
        let (yesterday, today) = query.day.map(|day| (day.yesterday, day.today)).unzip();
        let mut rows: Vec<PersonRow> = sqlx::query_as(RECIPIENTS)
            .bind(query.cohort.zone.name())
            .bind(minute.get())
            .bind(id)
            .bind(last.get())
            // One more tells whether there is anybody left.
            .bind(i64::from(size).saturating_add(1))
            .bind(kind)
            .bind(query.weekday.map(|day| Weekdays::new([day]).bits()))
            .bind(yesterday.map(|(from, _)| from.as_micros()))
            .bind(yesterday.map(|(_, until)| until.as_micros()))
            .bind(today.map(|(from, _)| from.as_micros()))
            .bind(today.map(|(_, until)| until.as_micros()))
            .fetch_all(&self.reader()?)
            .await
            .map_err(store_error)?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).map(CohortPosition::try_from).transpose()?;
        let found = rows.iter().filter(|row| row.found).map(CohortPosition::try_from);
        let people = found.filter_map(|person| or_record("", person)).collect();
        Ok(CohortPage { people, examined: u32::try_from(rows.len()).unwrap_or(u32::MAX), next })
    }

    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
        digests::digests(&self.reader()?, queries).await
    }
}

/// One look into the index for each moment.
const OCCUPIED: &str = "
    SELECT j.key
    FROM json_each(?1) AS j
    WHERE EXISTS (
        SELECT 1
        FROM taskflow_users AS u
        WHERE u.time_zone = j.value ->> 'zone'
            AND u.summary_minute BETWEEN j.value ->> 'first' AND j.value ->> 'last')
    ORDER BY j.key";

/// First the page of people, then what there is to tell each of those who want to hear it: person by person, by index, one
/// thing after the other until one is found.
const RECIPIENTS: &str = "
    WITH page AS MATERIALIZED (
        SELECT id, summary_minute, is_active, mail_off, summary_days
        FROM taskflow_users
        WHERE time_zone = ?1 AND (summary_minute, id) > (?2, ?3) AND summary_minute <= ?4
        ORDER BY summary_minute, id
        LIMIT +?5)
    SELECT p.id, p.summary_minute,
        p.is_active
            AND (?6 IS NULL OR p.mail_off = '[]' OR ?6 NOT IN (SELECT value FROM json_each(p.mail_off)))
            AND (?7 IS NULL OR p.summary_days & ?7 <> 0)
            AND (
                EXISTS (
                    SELECT 1
                    FROM taskflow_tasks AS t
                    WHERE t.user_id = p.id AND t.deleted_at IS NULL AND t.status IN ('pending', 'in_progress'))
                OR ?8 IS NOT NULL AND (
                    EXISTS (
                        SELECT 1
                        FROM taskflow_tasks AS t
                        WHERE t.user_id = p.id AND t.completed_at >= ?8 AND t.completed_at < ?9
                            AND t.deleted_at IS NULL)
                    OR EXISTS (
                        SELECT 1
                        FROM taskflow_meeting_participants AS w
                        CROSS JOIN taskflow_meetings AS m ON m.id = w.meeting_id
                        WHERE w.user_id = p.id AND w.removed_at IS NULL AND w.response_status <> 'declined'
                            AND m.meeting_date >= ?10 AND m.meeting_date < ?11
                            AND m.cancelled_at IS NULL AND m.ended_at IS NULL))) AS found
    FROM page AS p
    ORDER BY p.summary_minute, p.id";
