//! Fan-out: everybody whose clock has reached something gets a delivery, a page of people at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, PageOfWork};
use crate::error::Error;
use crate::notice::{DailySummaryNotice, TaskReminderNotice};
use crate::ports::{SweepPosition, SweepQuery};
use crate::{
    Changes, Day, DedupeKey, DeliveryId, JobName, JobRun, LocalMinute, Moment, NewDelivery, Notice, NoticeKind,
    Recipient, RunId, Schedule, Timestamp, Trigger, UserId, When, everybody, moments,
};

/// How far back a sweep looks: what lay longer ago would be too late to be of use, and everybody's clock showed everything
/// once since.
const FARTHEST_BACK: Duration = Duration::from_hours(26);

/// The moments of the runs that this node has, so that they are found once a run and not once a page.
pub(in super::super) type Sweeping = Mutex<BTreeMap<JobName, (RunId, Arc<Vec<Moment>>)>>;

/// Where a sweep goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    zone: String,
    date: NaiveDate,
    /// The minutes of the moment, as an order within the day.
    minute: u16,
    /// The last one who was looked at there.
    after: Option<(u16, Uuid)>,
}

impl Cursor {
    fn at(moment: &Moment, after: Option<SweepPosition>) -> Self {
        Self {
            zone: moment.zone.name().to_owned(),
            date: moment.date,
            minute: match moment.when {
                When::Shown(minute) => minute.get(),
                When::Chosen | When::Instant(_) => moment.chosen.0.get(),
            },
            after: after.map(|(minute, id)| (minute.get(), id.as_uuid())),
        }
    }

    fn is_at(&self, moment: &Moment) -> bool {
        Self { after: None, ..Self::at(moment, None) }.same_place(self)
    }

    fn same_place(&self, other: &Self) -> bool {
        (&self.zone, self.date, self.minute) == (&other.zone, other.date, other.minute)
    }

    fn after(&self) -> Option<SweepPosition> {
        let (minute, id) = self.after?;
        Some((LocalMinute::new(minute).ok()?, UserId::from_uuid(id)))
    }
}

impl App {
    /// Whether a run that is due has anybody to look at. Where everybody's own clock decides, most minutes are nobody's, and
    /// those leave no run behind.
    pub(super) async fn has_anybody(&self, run: &JobRun) -> Result<bool, Error> {
        if !matches!(run.job, JobName::TaskReminders | JobName::DailySummaries) {
            return Ok(true);
        }
        Ok(!self.occupied_moments(run).await?.is_empty())
    }

    /// How many minutes of a sweep lie too long ago for it to look at: whoever was due then has missed theirs.
    pub(super) fn too_long_ago(&self, run: &JobRun) -> u64 {
        let schedule = self.jobs.plans.get(&run.job).map(|plan| &plan.schedule).filter(|schedule| schedule.is_local());
        schedule.map_or(0, |schedule| schedule.count(run.since, run.slot - FARTHEST_BACK))
    }

    /// Looks at the next people and plans a delivery for each whom there is something to tell.
    pub(super) async fn sweep_page(&self, run: &JobRun, size: u32) -> Result<PageOfWork, Error> {
        let all = self.occupied_moments(run).await?;
        let cursor: Option<Cursor> = run.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
        let begins_at = cursor.as_ref().map_or(0, |cursor| self.place_of(cursor, run, &all));
        let mut left = all.iter().skip(begins_at);
        let is_there = |cursor: &Cursor| all.get(begins_at).is_some_and(|moment| cursor.is_at(moment));
        let after = cursor.filter(is_there).and_then(|cursor| cursor.after());
        let mut page = PageOfWork::default();
        let Some(moment) = left.next() else { return Ok(page) };
        let query = query(run, moment);
        let found = self.sweeps.recipients(&query, after, size).await?;
        page.counts.add("examined", u64::from(found.examined));
        // Whether somebody has had theirs before is known to the keys alone.
        page.counts.add("found", found.people.len() as u64);
        let now = self.clock.now();
        let delivery = |person: &SweepPosition| self.swept(run, moment, *person, now);
        page.changes = Changes::new().deliver(found.people.iter().map(delivery));
        let next = match found.next {
            Some(_) => Some(Cursor::at(moment, found.next)),
            None => left.next().map(|moment| Cursor::at(moment, None)),
        };
        page.cursor = next.and_then(|cursor| serde_json::to_string(&cursor).ok());
        Ok(page)
    }

    /// Where among the with_users moments of a run it goes on: at its moment, or if nobody is left there at the next one that is
    /// anybody's. A moment that is none of the run's any more, since the rules of its zone or the settings are others,
    /// begins the sweep anew: its people may stand anywhere now, and what is planned is planned once.
    fn place_of(&self, cursor: &Cursor, run: &JobRun, with_users: &[Moment]) -> usize {
        if let Some(place) = with_users.iter().position(|moment| cursor.is_at(moment)) {
            return place;
        }
        let all = self.moments_of(run);
        let Some(was) = all.iter().position(|moment| cursor.is_at(moment)) else { return 0 };
        let later = all[was..].iter().find_map(|later| with_users.iter().position(|moment| moment == later));
        later.unwrap_or(with_users.len())
    }

    /// Those of the moments of a run that are anybody's, found once a run.
    async fn occupied_moments(&self, run: &JobRun) -> Result<Arc<Vec<Moment>>, Error> {
        let known = lock(&self.sweeping).get(&run.job).filter(|(id, _)| *id == run.id).map(|(_, all)| Arc::clone(all));
        if let Some(known) = known {
            return Ok(known);
        }
        let all = self.moments_of(run);
        let with_users: BTreeSet<_> = self.sweeps.with_users(&all).await?.into_iter().collect();
        let all = all.into_iter().enumerate().filter(|(index, _)| with_users.contains(index)).map(|(_, moment)| moment);
        let all = Arc::new(all.collect::<Vec<_>>());
        lock(&self.sweeping).insert(run.job, (run.id, Arc::clone(&all)));
        Ok(all)
    }

    /// What a run takes care of, in the order of time.
    fn moments_of(&self, run: &JobRun) -> Vec<Moment> {
        if run.trigger == Trigger::Now {
            return everybody(run.slot);
        }
        let since = run.since.max(run.slot - FARTHEST_BACK);
        let schedule = self.jobs.plans.get(&run.job).map(|plan| plan.schedule.clone());
        match schedule.unwrap_or_else(|| crate::JobPlan::of(run.job).schedule) {
            Schedule::Local(minutes) => moments(Some(&minutes), since, run.slot),
            // Whoever plans a summary by another clock than people's own means everybody at once.
            Schedule::Every(_) | Schedule::Daily { .. } => everybody(run.slot),
            Schedule::Own => moments(None, since, run.slot),
        }
    }

    fn swept(&self, run: &JobRun, moment: &Moment, (chosen, user): SweepPosition, now: Timestamp) -> NewDelivery {
        let date = moment.date;
        let (what, reason) = match (run.job, moment.when) {
            (JobName::DailySummaries, _) => (summary(user, date), "it was time for the daily summary"),
            (_, When::Shown(minute)) => (reminder(user, date, minute), "it was time to remind of open tasks"),
            (_, When::Chosen | When::Instant(_)) => {
                let key = DedupeKey::new(format!("task-reminder/{}/{user}", run.slot));
                (
                    (key, Notice::TaskReminder(TaskReminderNotice { date })),
                    "it was time to remind everybody of open tasks",
                )
            }
        };
        self.planned_for(user, what, moment.due_at(chosen), now, reason)
    }

    pub(super) fn planned_for(
        &self,
        user: UserId,
        (dedupe_key, notice): (DedupeKey, Notice),
        due_at: Timestamp,
        now: Timestamp,
        reason: &str,
    ) -> NewDelivery {
        NewDelivery {
            id: DeliveryId::from_uuid(self.ids.next(now)),
            dedupe_key,
            notice,
            recipient: Recipient::User(user),
            planned_at: now,
            due_at,
            reason: reason.to_owned(),
        }
    }
}

/// One summary for a person and a date of theirs, wherever they are that day.
pub(super) fn summary(user: UserId, date: NaiveDate) -> (DedupeKey, Notice) {
    (DedupeKey::new(format!("daily-summary/{date}/{user}")), Notice::DailySummary(DailySummaryNotice { date }))
}

/// One reminder for a person and what their clock shows, wherever they are then.
pub(super) fn reminder(user: UserId, date: NaiveDate, minute: LocalMinute) -> (DedupeKey, Notice) {
    (DedupeKey::new(format!("task-reminder/{date}T{minute}/{user}")), Notice::TaskReminder(TaskReminderNotice { date }))
}

fn query(run: &JobRun, moment: &Moment) -> SweepQuery {
    let moment = moment.clone();
    match run.job {
        JobName::DailySummaries => SweepQuery {
            kind: NoticeKind::DailySummary,
            weekday: Some(moment.date.weekday()),
            day: Some(Day::of(moment.date, &moment.zone)),
            moment,
        },
        _ => SweepQuery { kind: NoticeKind::TaskReminder, weekday: None, day: None, moment },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
