//! Fan-out: every user whose local time has reached a scheduled time gets a delivery, a page of users at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, Job, JobContext, JobPage};
use crate::error::Error;
use crate::ports::{CohortPosition, CohortQuery};
use crate::{
    Changes, CohortTime, DedupeKey, JobName, JobRun, LocalMinute, LocalTimeCohort, NewDelivery, Notice, Recipient,
    RunId, Schedule, Timestamp, Trigger, UserId, all_zones, cohorts_due,
};

/// The farthest back that a fan-out looks. What is older would be too late to be of use, and every clock has shown
/// every time of day since.
const FARTHEST_BACK: Duration = Duration::from_hours(26);

/// The cohorts of the runs that this node holds, so that they are found once a run and not once a page.
pub(in super::super) type KnownCohorts = Mutex<BTreeMap<JobName, (RunId, Arc<Vec<LocalTimeCohort>>)>>;

/// A job that plans a delivery for each user of the cohorts that a run covers.
pub(super) trait FanOut: Job {
    /// Returns the query for the users of a cohort.
    fn query(&self, cohort: &LocalTimeCohort) -> CohortQuery;

    /// Returns the notice for a user of a cohort, and the key that makes it unique.
    fn notice(&self, run: &JobRun, cohort: &LocalTimeCohort, user: UserId) -> (DedupeKey, Notice);

    /// Returns the reason of the delivery, for readers of the ledger.
    fn reason(&self, cohort: &LocalTimeCohort) -> &'static str;
}

/// The start of the next page.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    zone: String,
    date: NaiveDate,
    /// The minutes of the cohort, as an order within the day.
    minute: u16,
    /// The last user of the cohort who was examined.
    after: Option<(u16, Uuid)>,
}

impl Cursor {
    fn at(cohort: &LocalTimeCohort, after: Option<CohortPosition>) -> Self {
        Self {
            zone: cohort.zone.name().to_owned(),
            date: cohort.date,
            minute: match cohort.when {
                CohortTime::Shown(minute) => minute.get(),
                CohortTime::Chosen | CohortTime::Instant(_) => cohort.chosen.0.get(),
            },
            after: after.map(|(minute, id)| (minute.get(), id.as_uuid())),
        }
    }

    fn is_at(&self, cohort: &LocalTimeCohort) -> bool {
        Self { after: None, ..Self::at(cohort, None) }.same_place(self)
    }

    fn same_place(&self, other: &Self) -> bool {
        (&self.zone, self.date, self.minute) == (&other.zone, other.date, other.minute)
    }

    fn after(&self) -> Option<CohortPosition> {
        let (minute, id) = self.after?;
        Some((LocalMinute::new(minute).ok()?, UserId::from_uuid(id)))
    }
}

/// Returns whether a run has any users. By local time nobody is due in most minutes, and those create no run.
pub(super) async fn has_anybody(job: &impl FanOut, context: &JobContext<'_>) -> Result<bool, Error> {
    Ok(!with_users(job, context).await?.is_empty())
}

/// Examines the next users and plans a delivery for each who is to be notified.
pub(super) async fn page(job: &impl FanOut, context: &JobContext<'_>) -> Result<JobPage, Error> {
    let JobContext { app, run, size } = *context;
    let all = with_users(job, context).await?;
    let cursor: Option<Cursor> = run.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
    let begins_at = cursor.as_ref().map_or(0, |cursor| place_of(cursor, job, context, &all));
    let mut left = all.iter().skip(begins_at);
    let is_there = |cursor: &Cursor| all.get(begins_at).is_some_and(|cohort| cursor.is_at(cohort));
    let after = cursor.filter(is_there).and_then(|cursor| cursor.after());
    let Some(cohort) = left.next() else { return Ok(JobPage::new()) };
    let found = app.cohort_scan_port()?.recipients(&job.query(cohort), after, size).await?;
    let now = context.now();
    let delivery = |(chosen, user): &CohortPosition| {
        app.planned_for(*user, job.notice(run, cohort, *user), cohort.due_at(*chosen), now, job.reason(cohort))
    };
    let changes = Changes::new().deliver(found.people.iter().map(delivery));
    let next = match found.next {
        Some(_) => Some(Cursor::at(cohort, found.next)),
        None => left.next().map(|cohort| Cursor::at(cohort, None)),
    };
    // Whether somebody has had theirs before is known to the keys alone.
    let page = JobPage::new().count("examined", found.examined.into()).count("found", found.people.len() as u64);
    Ok(page.commit(changes).next(next.and_then(|cursor| serde_json::to_string(&cursor).ok())))
}

/// Returns the place among the cohorts with users at which a run continues: its cohort or, if nobody is left there, the
/// next one that has users. If the run no longer covers its cohort, because the rules of the zone or the settings have
/// changed, the fan-out starts again: its users may be in any cohort now, and a delivery that is planned twice is
/// planned once.
fn place_of(cursor: &Cursor, job: &dyn Job, context: &JobContext<'_>, with_users: &[LocalTimeCohort]) -> usize {
    if let Some(place) = with_users.iter().position(|cohort| cursor.is_at(cohort)) {
        return place;
    }
    let all = cohorts_of(job, context);
    let Some(was) = all.iter().position(|cohort| cursor.is_at(cohort)) else { return 0 };
    let later = all[was..].iter().find_map(|later| with_users.iter().position(|cohort| cohort == later));
    later.unwrap_or(with_users.len())
}

/// Returns the cohorts of a run that have anybody, found once a run.
async fn with_users(job: &dyn Job, context: &JobContext<'_>) -> Result<Arc<Vec<LocalTimeCohort>>, Error> {
    let JobContext { app, run, .. } = *context;
    let known = lock(&app.known_cohorts).get(&run.job).filter(|(id, _)| *id == run.id).map(|(_, all)| Arc::clone(all));
    if let Some(known) = known {
        return Ok(known);
    }
    let all = cohorts_of(job, context);
    let with_users: BTreeSet<_> = app.cohort_scan_port()?.with_users(&all).await?.into_iter().collect();
    let all = all.into_iter().enumerate().filter(|(index, _)| with_users.contains(index)).map(|(_, cohort)| cohort);
    let all = Arc::new(all.collect::<Vec<_>>());
    lock(&app.known_cohorts).insert(run.job, (run.id, Arc::clone(&all)));
    Ok(all)
}

/// Returns the cohorts that a run covers, in the order of time.
fn cohorts_of(job: &dyn Job, JobContext { app, run, .. }: &JobContext<'_>) -> Vec<LocalTimeCohort> {
    if run.trigger == Trigger::Now {
        return all_zones(run.slot);
    }
    let since = run.since.max(run.slot - FARTHEST_BACK);
    let plan = app.jobs.plans.get(&run.job).cloned();
    match plan.unwrap_or_else(|| job.default_plan()).schedule {
        Schedule::Local(minutes) => cohorts_due(Some(&minutes), since, run.slot),
        // A summary that is scheduled by one clock is for everybody at once.
        Schedule::Every(_) | Schedule::Daily { .. } => all_zones(run.slot),
        Schedule::Own => cohorts_due(None, since, run.slot),
    }
}

impl App {
    /// Returns the number of minutes of a run by local time that are too old for it: users who were due then have
    /// missed theirs.
    pub(super) fn too_long_ago(&self, run: &JobRun) -> u64 {
        let schedule = self.jobs.plans.get(&run.job).map(|plan| &plan.schedule).filter(|schedule| schedule.is_local());
        schedule.map_or(0, |schedule| schedule.count(run.since, run.slot - FARTHEST_BACK))
    }

    pub(super) fn planned_for(
        &self,
        user: UserId,
        (dedupe_key, notice): (DedupeKey, Notice),
        due_at: Timestamp,
        now: Timestamp,
        reason: &str,
    ) -> NewDelivery {
        self.new_delivery(dedupe_key, notice, Recipient::User(user), now).due(due_at).because(reason)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
