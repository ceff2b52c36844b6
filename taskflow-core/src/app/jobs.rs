//! The recurring duties: finding the slot that is due, holding its run, and doing it page by page.
//!
//! A run is a row that one node at a time holds under a lease. Each page of its work is one commit together with how far it
//! has come, so whoever takes over a run that was left goes on where the last commit ended. What a page plans is planned by
//! key, so a page that is done twice plans once.

mod cleanup;
mod left_behind;
mod monitor;
mod next;
mod reminders;
mod sweep;
mod tally;
mod totals;

use std::collections::BTreeMap;
use std::time::Duration;

pub use cleanup::RetentionPolicy;
pub use monitor::Limits;
pub(super) use sweep::Sweeping;
pub(super) use totals::{Count, Counting};

use super::App;
use crate::error::{Error, FieldError, StoreError};
use crate::ports::RunLease;
use crate::{
    Actor, Changes, Counts, DueSlot, EmailAddress, JobName, JobPlan, JobRun, JobState, LeaseToken, RunId, Timestamp,
    Trigger, Write,
};

/// When and how the duties are done.
#[derive(Debug, Clone, PartialEq)]
pub struct Jobs {
    /// When each is due; one that is not here never is by itself.
    pub plans: BTreeMap<JobName, JobPlan>,
    /// What to call this node.
    pub node: String,
    /// How long a run is held without a sign of life.
    pub lease: Duration,
    /// Most people or rows in one page.
    pub page: u32,
    /// How long a page's commit shall take at most; pages become smaller when it takes longer.
    pub longest_commit: Duration,
    /// Who is told when something is wrong with the service.
    pub admin: Option<EmailAddress>,
    /// What counts as wrong.
    pub limits: Limits,
    /// How long things are kept.
    pub keeping: RetentionPolicy,
}

impl Default for Jobs {
    /// Every job as [`JobPlan::of`] has it, pages of 1,000 that take 10 ms, a lease of two minutes.
    fn default() -> Self {
        Self {
            plans: JobName::ALL.into_iter().map(|job| (job, JobPlan::of(job))).collect(),
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

/// What one step did of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// The run as this node left it.
    pub run: JobRun,
    /// Somebody else has it by now: it was not heard of for too long.
    pub lost: bool,
}

/// A page of a run's work: what to commit, and how far that brings the run.
#[derive(Default)]
struct PageOfWork {
    /// What to write; nothing of it is in a dry run.
    changes: Changes,
    /// What it counts.
    counts: Counts,
    /// Where the next page begins; `None`: this was the last one.
    cursor: Option<String>,
    /// What the job's next run shall know.
    memo: Option<String>,
    /// How long it has kept others from writing already, in a transaction before its commit.
    held: Duration,
    /// The next page is of another kind of rows, of which nobody knows what they cost.
    is_last_of_its_kind: bool,
}

/// How often in a row a page is decided anew because somebody else was faster.
const MOST_RACES: u32 = 5;
/// How long a store that is away is waited for with a run that has begun.
const LONGEST_OUTAGE: Duration = Duration::from_hours(24);

/// The smallest page.
const SMALLEST_PAGE: u32 = 20;

impl App {
    /// Does everything that is due of every job, one after the other, and reports the runs it had. Several nodes may do so at
    /// the same time: each run is somebody's.
    pub async fn run_due_jobs(&self) -> Result<Vec<RunReport>, Error> {
        let mut reports = Vec::new();
        for job in self.due_jobs().await? {
            reports.extend(self.run_job(job).await?);
        }
        Ok(reports)
    }

    /// The jobs that have something to do now for a node that is free. Costs one small read.
    pub async fn due_jobs(&self) -> Result<Vec<JobName>, Error> {
        let now = self.clock.now();
        let states = self.slots.jobs().await?;
        let due = |job: &JobName| {
            let state = states.iter().find(|state| state.job == *job);
            match state {
                Some(state) if state.busy => false,
                Some(state) if state.open.is_some() => true,
                Some(state) => self.due_slot(state, now).is_some(),
                None => self.jobs.plans.contains_key(job),
            }
        };
        Ok(JobName::ALL.into_iter().filter(due).collect())
    }

    /// Does what is due of one job until nothing is, and reports the runs it had.
    pub async fn run_job(&self, job: JobName) -> Result<Vec<RunReport>, Error> {
        let mut reports = Vec::new();
        while !self.draining()
            && let Some((run, lease)) = self.begin_run(job).await?
        {
            reports.push(self.work_on(run, lease).await?);
        }
        Ok(reports)
    }

    /// Where every job stands.
    pub async fn jobs(&self, actor: Actor) -> Result<Vec<JobState>, Error> {
        self.admit_admin(actor).await?;
        let states = self.slots.jobs().await?;
        let now = self.clock.now();
        let fresh = |job: JobName| {
            let slot = self.jobs.plans.get(&job).map_or(now, |plan| plan.schedule.latest(now));
            JobState { job, slot, paused_at: None, memo: None, open: None, busy: false }
        };
        let state = |job: JobName| states.iter().find(|state| state.job == job).cloned();
        Ok(JobName::ALL.into_iter().map(|job| state(job).unwrap_or_else(|| fresh(job))).collect())
    }

    /// When a job is due; `None`: never by itself.
    #[must_use]
    pub fn job_plan(&self, job: JobName) -> Option<&JobPlan> {
        self.jobs.plans.get(&job)
    }

    /// Up to `size` runs of a job before `before`, the newest first.
    pub async fn job_runs(
        &self,
        actor: Actor,
        job: JobName,
        before: Option<RunId>,
        size: u32,
    ) -> Result<Vec<JobRun>, Error> {
        self.admit_admin(actor).await?;
        Ok(self.slots.runs(job, before, size).await?)
    }

    /// One run of a job.
    pub async fn job_run(&self, actor: Actor, job: JobName, id: RunId) -> Result<JobRun, Error> {
        self.admit_admin(actor).await?;
        self.slots.run(id).await?.filter(|run| run.job == job).ok_or(Error::NotFound("run"))
    }

    /// Asks for a run by hand: for the slot at `at`, or for now. It waits until a node begins it, also while the job is
    /// paused. `Taken` when that slot was run or is to be, `Invalid` when it lies ahead.
    ///
    /// A slot that the schedule has not come to yet is run with everything that came due before it, since the schedule
    /// passes all of that together with the slot.
    pub async fn request_run(
        &self,
        actor: Actor,
        job: JobName,
        at: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<JobRun, Error> {
        self.admit_admin(actor).await?;
        let now = self.clock.now();
        let slot = at.unwrap_or(now);
        if slot > now {
            return Err(FieldError::new("at", "must not lie ahead").into());
        }
        let plan = self.jobs.plans.get(&job).cloned().unwrap_or_else(|| JobPlan::of(job));
        let before = plan.schedule.latest(slot - Duration::from_micros(1));
        let states = self.slots.jobs().await?;
        let followed = states.iter().find(|state| state.job == job && state.paused_at.is_none());
        let followed = followed.filter(|_| self.jobs.plans.contains_key(&job));
        let run = JobRun {
            id: RunId::from_uuid(self.ids.next(now)),
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
        self.commit(&Changes::new().write(Write::InsertRun(run.clone()))).await?;
        actor.acted(if dry_run { "dry-run job" } else { "run job" }, format_args!("{job} run {}", run.id));
        Ok(run)
    }

    /// No longer follows the schedule of a job.
    pub async fn pause_job(&self, actor: Actor, job: JobName) -> Result<(), Error> {
        self.admit_admin(actor).await?;
        self.commit(&Changes::new().write(Write::PauseJob { job, at: self.clock.now() })).await?;
        actor.acted("pause job", format_args!("{job}"));
        Ok(())
    }

    /// Follows the schedule of a job again from now on.
    pub async fn resume_job(&self, actor: Actor, job: JobName) -> Result<(), Error> {
        self.admit_admin(actor).await?;
        let now = self.clock.now();
        let states = self.slots.jobs().await?;
        // One that nobody has looked after yet is not paused either.
        let Some(state) = states.iter().find(|state| state.job == job) else { return Ok(()) };
        let slot = self.jobs.plans.get(&job).map_or(now, |plan| plan.resumed(state.slot, now));
        self.commit(&Changes::new().write(Write::ResumeJob { job, slot })).await?;
        actor.acted("resume job", format_args!("{job}"));
        Ok(())
    }

    fn due_slot(&self, state: &JobState, now: Timestamp) -> Option<DueSlot> {
        let plan = self.jobs.plans.get(&state.job)?;
        if state.paused_at.is_some() { None } else { plan.due(state.slot, now) }
    }

    /// Holds the next run of a job: one that was left or asked for, or the slot that is due.
    async fn begin_run(&self, job: JobName) -> Result<Option<(JobRun, RunLease)>, Error> {
        let now = self.clock.now();
        let lease = RunLease {
            token: LeaseToken::from_uuid(self.ids.next(now)),
            lasts: self.jobs.lease,
            node: self.jobs.node.clone(),
        };
        let Some(state) = self.slots.jobs().await?.into_iter().find(|state| state.job == job) else {
            // The first time anybody looks after it: what lies behind was nobody's duty.
            if let Some(plan) = self.jobs.plans.get(&job) {
                self.slots.advance_to(job, None, plan.schedule.latest(now)).await?;
            }
            return Ok(None);
        };
        if state.busy {
            return Ok(None);
        }
        if let Some(open) = state.open {
            return Ok(self.slots.claim_run(open, &lease, now).await?.map(|run| (run, lease)));
        }
        let (slot, missed) = match self.due_slot(&state, now) {
            None => return Ok(None),
            Some(DueSlot::Pass { slot }) => {
                self.slots.advance_to(job, Some(state.slot), slot).await?;
                return Ok(None);
            }
            Some(DueSlot::SetBack { slot }) => {
                if self.slots.advance_to(job, Some(state.slot), slot).await? {
                    tracing::warn!(%job, was = %state.slot, %slot, "a slot far ahead of the clock was set back");
                }
                return Ok(None);
            }
            Some(DueSlot::Run { slot, missed }) => (slot, missed),
        };
        let mut run = JobRun {
            id: RunId::from_uuid(self.ids.next(now)),
            job,
            slot,
            since: state.slot,
            trigger: Trigger::Schedule,
            dry_run: false,
            created_at: now,
            started_at: Some(now),
            finished_at: None,
            node: Some(self.jobs.node.clone()),
            tries: 1,
            cursor: None,
            counts: Counts::default(),
            error: None,
        };
        run.counts.add("missed", missed + self.too_long_ago(&run));
        if !self.has_anybody(&run).await? {
            self.slots.advance_to(job, Some(state.slot), slot).await?;
            return Ok(None);
        }
        Ok(self.slots.claim_slot(&run, &lease).await?.then_some((run, lease)))
    }

    /// Works on a run that is held until it is over, lost, or this node is to end.
    async fn work_on(&self, mut run: JobRun, lease: RunLease) -> Result<RunReport, Error> {
        let (mut size, mut races) = (self.first_size(run.job), 0);
        loop {
            if self.draining() {
                let release = Write::ReleaseRun { id: run.id, lease: lease.token };
                let lost = was_lost(self.commit(&Changes::new().write(release)).await)?;
                return Ok(RunReport { run, lost });
            }
            let page = match self.page_of_work(&run, size).await {
                Ok(page) => page,
                Err(error) => return self.fail(run, &lease, error).await,
            };
            let before = run.clone();
            run.counts.extend(&page.counts);
            run.cursor = page.cursor;
            let now = self.clock.now();
            let progress = match &run.cursor {
                Some(cursor) => Write::AdvanceRun {
                    id: run.id,
                    lease: lease.clone(),
                    cursor: cursor.clone(),
                    counts: run.counts.clone(),
                },
                None => Write::FinishRun {
                    id: run.id,
                    lease: lease.token,
                    at: now,
                    counts: run.counts.clone(),
                    error: None,
                    memo: page.memo.filter(|_| !run.dry_run),
                },
            };
            let changes = if run.dry_run { Changes::new() } else { page.changes };
            let (held, is_last_of_its_kind) = (page.held, page.is_last_of_its_kind);
            let (fence, began) = (changes.writes.len(), self.clock.monotonic());
            match self.commit_indexed(&changes.write(progress)).await {
                Ok(()) => {}
                Err(StoreError::Stale { write }) if write == fence => return Ok(RunReport { run, lost: true }),
                // Somebody was faster with a row of this page, which is decided anew.
                Err(StoreError::Stale { .. }) if races < MOST_RACES => {
                    races += 1;
                    run = before;
                    continue;
                }
                Err(error) => return self.fail(before, &lease, error.into()).await,
            }
            races = 0;
            if run.cursor.is_none() {
                run.finished_at = Some(now);
                return Ok(RunReport { run, lost: false });
            }
            // Whoever else wants to write waits for one of the two transactions.
            let took = held.max(self.clock.monotonic().saturating_sub(began));
            size = if is_last_of_its_kind { self.first_size(run.job) } else { self.next_size(size, took) };
        }
    }

    /// Where nobody knows yet what a row costs, as little as makes sense; most of a sweep's cost very little.
    fn first_size(&self, job: JobName) -> u32 {
        self.jobs.page.min(if job == JobName::DataCleanup { SMALLEST_PAGE } else { SMALLEST_PAGE * 10 })
    }

    /// Pages grow as long as their commits are quick.
    fn next_size(&self, size: u32, took: Duration) -> u32 {
        let longest = self.jobs.longest_commit;
        let next = if took > longest {
            size / 2
        } else if took < longest / 2 {
            size * 2
        } else {
            size
        };
        next.clamp(SMALLEST_PAGE.min(self.jobs.page), self.jobs.page.max(1))
    }

    /// A store that is away is waited for, for a day: the run is left to whoever is there first when it is back. Everything
    /// else is the end of the run.
    async fn fail(&self, mut run: JobRun, lease: &RunLease, error: Error) -> Result<RunReport, Error> {
        let now = self.clock.now();
        let since = run.started_at.unwrap_or(now);
        if matches!(error, Error::Unavailable(_)) && now.since(since) < LONGEST_OUTAGE {
            let release = Write::ReleaseRun { id: run.id, lease: lease.token };
            // If that is not heard either, the lease lapses.
            let _ = self.commit(&Changes::new().write(release)).await;
            return Err(error);
        }
        run.error = Some(error.to_string());
        run.finished_at = Some(now);
        let finish = Write::FinishRun {
            id: run.id,
            lease: lease.token,
            at: now,
            counts: run.counts.clone(),
            error: run.error.clone(),
            memo: None,
        };
        let lost = was_lost(self.commit(&Changes::new().write(finish)).await)?;
        tracing::error!(job = %run.job, run = %run.id, error = &error as &dyn std::error::Error, "a run failed");
        Ok(RunReport { run, lost })
    }

    async fn page_of_work(&self, run: &JobRun, size: u32) -> Result<PageOfWork, Error> {
        match run.job {
            JobName::TaskReminders | JobName::DailySummaries => self.sweep_page(run, size).await,
            JobName::MeetingReminders => self.repair_page(run).await,
            JobName::ServerMonitoring => self.monitor_page(run).await,
            JobName::DataCleanup => self.cleanup_page(run, size).await,
            JobName::Statistics => self.tally_page(run, size).await,
        }
    }
}

/// Whether a commit found the run to be somebody else's by now.
fn was_lost(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(false),
        Err(Error::Stale) => Ok(true),
        Err(error) => Err(error),
    }
}
