//! The execution of a run, from the claim of its lease to its end.

use std::time::Duration;

use super::super::App;
use super::{Job, JobContext, RunReport};
use crate::error::{Error, StoreError};
use crate::job::RunLease;
use crate::{Changes, Counts, DueAction, JobRun, JobWrite, LeaseToken, RunId, Trigger};

/// Maximum number of times in a row that a page is repeated because of a concurrent change.
const MOST_RACES: u32 = 5;
/// The longest time that a run waits for an unavailable store.
const LONGEST_OUTAGE: Duration = Duration::from_hours(24);
/// The smallest page.
pub(super) const SMALLEST_PAGE: u32 = 20;

impl App {
    /// Holds the next run of a job: one that was abandoned or requested, or that of the scheduled time that is due.
    pub(super) async fn begin_run(&self, registered: &dyn Job) -> Result<Option<(JobRun, RunLease)>, Error> {
        let (now, job) = (self.clock.now(), registered.name());
        if !self.clock_is_right() {
            return Ok(None);
        }
        let lease = RunLease {
            token: LeaseToken::from_uuid(self.ids.next(now)),
            lasts: self.jobs.lease,
            node: self.jobs.node.clone(),
        };
        let Some(state) = self.job_store_port()?.jobs().await?.into_iter().find(|state| state.job == job) else {
            // The first time that any node looks after it: what lies behind was nobody's job.
            if let Some(plan) = self.jobs.plans.get(&job) {
                self.job_store_port()?.advance_to(job, None, plan.schedule.latest(now)).await?;
            }
            return Ok(None);
        };
        if state.busy {
            return Ok(None);
        }
        if let Some(open) = state.open {
            return Ok(self.job_store_port()?.claim_run(open, &lease, now).await?.map(|run| (run, lease)));
        }
        let (slot, missed) = match self.due_slot(&state, now) {
            None => return Ok(None),
            Some(DueAction::Pass { slot }) => {
                self.job_store_port()?.advance_to(job, Some(state.slot), slot).await?;
                return Ok(None);
            }
            Some(DueAction::SetBack { slot }) => {
                if self.job_store_port()?.advance_to(job, Some(state.slot), slot).await? {
                    tracing::warn!(%job, was = %state.slot, %slot, "a scheduled time far ahead of the clock was set back");
                }
                return Ok(None);
            }
            Some(DueAction::Run { slot, missed }) => (slot, missed),
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
        if !registered.has_work(&JobContext { app: self, run: &run, size: self.first_size(registered) }).await? {
            self.job_store_port()?.advance_to(job, Some(state.slot), slot).await?;
            return Ok(None);
        }
        Ok(self.job_store_port()?.claim_slot(&run, &lease).await?.then_some((run, lease)))
    }

    /// Works on a run that is held until it is over, lost, or this node is to end.
    pub(super) async fn work_on(&self, job: &dyn Job, mut run: JobRun, lease: RunLease) -> Result<RunReport, Error> {
        let (mut size, mut races) = (self.first_size(job), 0);
        loop {
            // A page goes by the time; another node takes the run over.
            if self.draining() || !self.clock_is_right() {
                let release = JobWrite::ReleaseRun { id: run.id, lease: lease.token };
                let lost = was_lost(self.commit(&Changes::new().write(release)).await)?;
                return Ok(RunReport { run, lost });
            }
            let page = match job.page(&JobContext { app: self, run: &run, size }).await {
                Ok(page) => page,
                Err(error) => return self.fail(run, &lease, error).await,
            };
            let before = run.clone();
            run.counts.extend(&page.counts);
            run.cursor = page.cursor;
            let now = self.clock.now();
            let progress = match &run.cursor {
                Some(cursor) => JobWrite::AdvanceRun {
                    id: run.id,
                    lease: lease.clone(),
                    cursor: cursor.clone(),
                    counts: run.counts.clone(),
                },
                None => JobWrite::FinishRun {
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
            size = if is_last_of_its_kind { self.first_size(job) } else { self.next_size(size, took) };
        }
    }

    fn first_size(&self, job: &dyn Job) -> u32 {
        self.jobs.page.min(job.first_page_size())
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

    /// Ends a run with an error. While the store is unavailable the run waits instead, for up to a day, for the first node
    /// that finds the store back.
    async fn fail(&self, mut run: JobRun, lease: &RunLease, error: Error) -> Result<RunReport, Error> {
        let now = self.clock.now();
        let since = run.started_at.unwrap_or(now);
        if matches!(error, Error::Unavailable(_)) && now.since(since) < LONGEST_OUTAGE {
            let release = JobWrite::ReleaseRun { id: run.id, lease: lease.token };
            // If the store does not take that either, the lease lapses.
            let _ = self.commit(&Changes::new().write(release)).await;
            return Err(error);
        }
        run.error = Some(error.to_string());
        run.finished_at = Some(now);
        let finish = JobWrite::FinishRun {
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
}

/// Returns whether a commit found that another node holds the run by now.
fn was_lost(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(false),
        Err(Error::Stale) => Ok(true),
        Err(error) => Err(error),
    }
}
