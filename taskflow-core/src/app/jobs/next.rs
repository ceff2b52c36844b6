//! Calculates the time at which a job is due next.

use std::time::Duration;

use super::super::JobUseCases;
use crate::error::Error;
use crate::schedule::cohorts_due;
use crate::{JobName, Schedule, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);

impl JobUseCases<'_> {
    /// Returns the time at which a job is due next for anybody. By local time that is the first minute within a day at
    /// which any user is due by the schedule. `None` if nobody is, or if the job has no schedule.
    pub async fn next_due(self, job: JobName) -> Result<Option<Timestamp>, Error> {
        let Some(plan) = self.app.jobs.plans.get(&job) else { return Ok(None) };
        let now = self.app.clock.now();
        let minutes = match &plan.schedule {
            Schedule::Local(minutes) => Some(minutes.as_slice()),
            Schedule::Own => None,
            Schedule::Every(_) | Schedule::Daily { .. } => return Ok(Some(plan.schedule.next(now))),
        };
        let (mut from, mut until) = (plan.schedule.latest(now), plan.schedule.next(now) + Duration::from_hours(24));
        if self.app.cohort_scan_port()?.with_users(&cohorts_due(minutes, from, until)).await?.is_empty() {
            return Ok(None);
        }
        // Somebody is due after `from` and up to `until`, which is halved until it is one minute.
        while until.since(from) > MINUTE {
            let half = plan.schedule.latest(from + until.since(from) / 2).max(from + MINUTE);
            match self.app.cohort_scan_port()?.with_users(&cohorts_due(minutes, from, half)).await?.is_empty() {
                true => from = half,
                false => until = half,
            }
        }
        Ok(Some(until))
    }
}
