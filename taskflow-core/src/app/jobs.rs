//! Scheduled jobs: finding due ones, holding a run, and working on it page by page.
//!
//! A run is a row that one node at a time holds under a lease. Each page of its work is one commit together with the
//! progress of the run, so a node that claims an abandoned run continues after the last commit. Deliveries of a page
//! are planned by key, so a page that is done twice plans once.

mod fan_out;
mod job;
mod missed_after_zone_change;
mod next;
mod runner;
mod shipped;
mod totals;

use std::collections::BTreeMap;
use std::time::Duration;

pub use job::{Job, JobContext, JobPage};
pub use shipped::{Limits, MonitoringReport, RetentionPolicy, shipped_jobs};

pub(super) use fan_out::KnownCohorts;
use runner::SMALLEST_PAGE;
pub(super) use totals::{Count, Counting};

use super::App;
use crate::error::{Error, FieldError};
use crate::{
    Actor, Changes, Counts, DueAction, EmailAddress, JobName, JobPlan, JobRun, JobState, JobWrite, RunId, Timestamp,
    Trigger,
};

/// The schedules of the jobs and the settings they run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Jobs {
    /// The schedule of each job. A shipped job without one never runs by itself; a host's own job without one follows
    /// its default plan.
    pub plans: BTreeMap<JobName, JobPlan>,
    /// Name of this node.
    pub node: String,
    /// Duration of the lease of a run that is not renewed; default 2 minutes.
    pub lease: Duration,
    /// Maximum number of users or rows in one page; default 1,000.
    pub page: u32,
    /// The longest time that the commit of a page should take; pages become smaller when it takes longer.
    pub longest_commit: Duration,
    /// Address that is notified of problems of the service.
    pub admin: Option<EmailAddress>,
    /// The thresholds above which server monitoring reports a problem.
    pub limits: Limits,
    /// The retention of data.
    pub keeping: RetentionPolicy,
}

impl Default for Jobs {
    /// Returns every shipped job with its default plan, pages of 1,000 rows, commits of 10 ms and a lease of two
    /// minutes.
    fn default() -> Self {
        Self {
            plans: shipped_jobs().iter().map(|job| (job.name(), job.default_plan())).collect(),
            node: "node".to_owned(),
            lease: Duration::from_secs(120),
            page: 1_000,
            longest_commit: Duration::from_millis(10),
            admin: None,
            limits: Limits::default(),
            keeping: RetentionPolicy::default(),
        }
    }
}

/// The result of one step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// The run as this node left it.
    pub run: JobRun,
    /// True if another node took the run over, because this one was silent for too long.
    pub lost: bool,
}

use_cases! {
    /// Use cases of scheduled jobs.
    JobUseCases,
    /// Returns the use cases of scheduled jobs.
    jobs
}

impl<'a> JobUseCases<'a> {
    /// Runs everything that is due of every registered job, one job after the other, and reports the runs. Several nodes may
    /// do so at the same time: each run is held by one of them.
    pub async fn run_due(self) -> Result<Vec<RunReport>, Error> {
        let mut reports = Vec::new();
        for job in self.due().await? {
            reports.extend(self.run(job).await?);
        }
        Ok(reports)
    }

    /// Returns the registered jobs that have something to do now for a node that is free. Costs one small read.
    /// Nothing is due while the clock of this process is wrong.
    pub async fn due(self) -> Result<Vec<JobName>, Error> {
        let now = self.app.clock.now();
        if !self.app.clock_is_right() {
            return Ok(Vec::new());
        }
        let states = self.app.job_store_port()?.jobs().await?;
        let due = |name: &JobName| {
            let state = states.iter().find(|state| state.job == *name);
            match state {
                Some(state) if state.busy => false,
                Some(state) if state.open.is_some() => true,
                Some(state) => self.app.due_slot(state, now).is_some(),
                None => self.app.jobs.plans.contains_key(name),
            }
        };
        Ok(self.registered().map(Job::name).filter(due).collect())
    }

    /// Runs the due runs of one job until none is left, and reports them. A job that is not registered is ignored.
    pub async fn run(self, name: JobName) -> Result<Vec<RunReport>, Error> {
        let Some(job) = self.registered_as(name) else { return Ok(Vec::new()) };
        let mut reports = Vec::new();
        while !self.app.draining()
            && let Some((run, lease)) = self.app.begin_run(job).await?
        {
            reports.push(self.app.work_on(job, run, lease).await?);
        }
        Ok(reports)
    }

    /// Returns the registered jobs: the shipped ones and then the host's own, as they were registered.
    pub fn registered(self) -> impl Iterator<Item = &'a dyn Job> {
        let own = |name| self.app.own_jobs.iter().find(move |own| own.name() == name);
        let shipped = shipped_jobs().iter().map(move |job| own(job.name()).map_or(*job, |own| &**own));
        let is_new = |own: &&dyn Job| shipped_jobs().iter().all(|job| job.name() != own.name());
        shipped.chain(self.app.own_jobs.iter().map(|own| &**own).filter(is_new))
    }

    /// Returns the registered job of that name.
    #[must_use]
    pub fn registered_as(self, name: JobName) -> Option<&'a dyn Job> {
        self.registered().find(|job| job.name() == name)
    }

    /// Returns the state of every job: the registered ones, and then those that only the store knows because another release
    /// or another host has run them. For administrators.
    pub async fn list(self, actor: Actor) -> Result<Vec<JobState>, Error> {
        self.app.admit_admin(actor).await?;
        let mut states = self.app.job_store_port()?.jobs().await?;
        let now = self.app.clock.now();
        let registered = self.registered().map(Job::name).map(|job| {
            let known = states.iter().position(|state| state.job == job).map(|place| states.remove(place));
            known.unwrap_or_else(|| {
                let slot = self.app.jobs.plans.get(&job).map_or(now, |plan| plan.schedule.latest(now));
                JobState { job, slot, paused_at: None, memo: None, open: None, busy: false }
            })
        });
        let mut all: Vec<JobState> = registered.collect();
        all.append(&mut states);
        Ok(all)
    }

    /// Returns when a job is due; `None`: never by itself.
    #[must_use]
    pub fn plan(self, job: JobName) -> Option<&'a JobPlan> {
        self.app.jobs.plans.get(&job)
    }

    /// Returns up to `size` runs of a job before `before`, newest first, also of a job that only the store knows. For
    /// administrators. `NotFound` for a job that neither this binary nor the store knows.
    pub async fn runs(
        self,
        actor: Actor,
        job: JobName,
        before: Option<RunId>,
        size: u32,
    ) -> Result<Vec<JobRun>, Error> {
        self.app.admit_admin(actor).await?;
        if self.registered_as(job).is_none()
            && !self.app.job_store_port()?.jobs().await?.iter().any(|state| state.job == job)
        {
            return Err(Error::NotFound("job"));
        }
        Ok(self.app.job_store_port()?.runs(job, before, size).await?)
    }

    /// Returns one run of a job. For administrators.
    pub async fn get_run(self, actor: Actor, job: JobName, id: RunId) -> Result<JobRun, Error> {
        self.app.admit_admin(actor).await?;
        self.app.job_store_port()?.run(id).await?.filter(|run| run.job == job).ok_or(Error::NotFound("run"))
    }

    /// Requests a run for the scheduled time `at`, or for now. For administrators. The run waits until a node begins it, also
    /// while the job is paused. `Taken` when that time was run or is to be, `Invalid` when it lies ahead, `NotFound` when no
    /// such job is registered.
    ///
    /// A time that the schedule has not come to yet is run with everything that came due before it, since the schedule
    /// passes all of that together.
    pub async fn request_run(
        self,
        actor: Actor,
        job: JobName,
        at: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<JobRun, Error> {
        self.app.admit_admin(actor).await?;
        let registered = self.registered_as(job).ok_or(Error::NotFound("job"))?;
        let now = self.app.clock.now();
        let slot = at.unwrap_or(now);
        if slot > now {
            return Err(FieldError::new("at", "must not lie ahead").into());
        }
        let plan = self.app.jobs.plans.get(&job).cloned().unwrap_or_else(|| registered.default_plan());
        let before = plan.schedule.latest(slot - Duration::from_micros(1));
        let states = self.app.job_store_port()?.jobs().await?;
        let followed = states.iter().find(|state| state.job == job && state.paused_at.is_none());
        let followed = followed.filter(|_| self.app.jobs.plans.contains_key(&job));
        let run = JobRun {
            id: RunId::from_uuid(self.app.ids.next(now)),
            job,
            slot,
            since: followed.map_or(before, |state| before.min(state.slot)),
            trigger: if at.is_some() { Trigger::Slot } else { Trigger::Now },
            dry_run,
            created_at: now,
            started_at: None,
            finished_at: None,
            node: None,
            tries: 0,
            cursor: None,
            counts: Counts::default(),
            error: None,
        };
        self.app.commit(&Changes::new().write(JobWrite::InsertRun(run.clone()))).await?;
        actor.acted(if dry_run { "dry-run job" } else { "run job" }, format_args!("{job} run {}", run.id));
        Ok(run)
    }

    /// Stops following the schedule of a job. For administrators.
    pub async fn pause(self, actor: Actor, job: JobName) -> Result<(), Error> {
        self.app.admit_admin(actor).await?;
        self.registered_as(job).ok_or(Error::NotFound("job"))?;
        self.app.commit(&Changes::new().write(JobWrite::Pause { job, at: self.app.clock.now() })).await?;
        actor.acted("pause job", format_args!("{job}"));
        Ok(())
    }

    /// Follows the schedule of a job again from now on. For administrators.
    pub async fn resume(self, actor: Actor, job: JobName) -> Result<(), Error> {
        self.app.admit_admin(actor).await?;
        self.registered_as(job).ok_or(Error::NotFound("job"))?;
        let now = self.app.clock.now();
        let states = self.app.job_store_port()?.jobs().await?;
        // A job that no node has begun to look after is not paused either.
        let Some(state) = states.iter().find(|state| state.job == job) else { return Ok(()) };
        let slot = self.app.jobs.plans.get(&job).map_or(now, |plan| plan.resumed(state.slot, now));
        self.app.commit(&Changes::new().write(JobWrite::Resume { job, slot })).await?;
        actor.acted("resume job", format_args!("{job}"));
        Ok(())
    }
}

impl App {
    fn due_slot(&self, state: &JobState, now: Timestamp) -> Option<DueAction> {
        let plan = self.jobs.plans.get(&state.job)?;
        if state.paused_at.is_some() { None } else { plan.due(state.slot, now) }
    }
}
