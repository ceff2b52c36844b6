use std::time::Duration;

use async_trait::async_trait;

use super::super::App;
use crate::error::Error;
use crate::{
    AcceptedSchedules, Changes, Counts, DedupeKey, InvalidValue, JobName, JobPlan, JobRun, NewDelivery, Notice,
    Recipient, Timestamp,
};

/// A job: work that is done at scheduled times, page by page.
///
/// The shipped jobs are registered in every [`App`]; a host adds its own with
/// [`AppBuilder::job`](crate::AppBuilder::job). All of them are run by the same steps: [`JobUseCases::run_due`](crate::use_cases::JobUseCases::run_due),
/// [`JobUseCases::run`](crate::use_cases::JobUseCases::run).
///
/// # Contract
///
/// * A page is bounded by [`JobContext::size`], writes nothing by itself and holds nothing: what it decides is committed
///   together with how far the run has come, fenced by the run's lease.
/// * A page may be done again, by another node too: after a crash, and when a row had changed in the meantime. Deliveries
///   have keys, so that planning them twice sends one mail.
/// * A dry run counts what it would do. Its changes are not committed; a job that writes elsewhere asks
///   [`JobContext::run`] for `dry_run`.
#[async_trait]
pub trait Job: Send + Sync {
    /// Returns the name, unique among the registered jobs. Runs are stored under it: it never changes.
    fn name(&self) -> JobName;

    /// Returns a description of the job, as a verb phrase in the third person for help texts: "deletes data past its
    /// retention".
    fn summary(&self) -> &'static str {
        "is a job of the host"
    }

    /// Returns the schedule of the job unless the host sets another one.
    fn default_plan(&self) -> JobPlan;

    /// Returns the schedules that the job can follow.
    fn accepts(&self) -> AcceptedSchedules {
        AcceptedSchedules::OneClock
    }

    /// Returns the size of the first page of a run. Pages grow and shrink from there with the time that their commits
    /// take.
    fn first_page_size(&self) -> u32 {
        200
    }

    /// Returns whether a scheduled time has any work. One without creates no run; only the job's scheduled time
    /// advances.
    async fn has_work(&self, _context: &JobContext<'_>) -> Result<bool, Error> {
        Ok(true)
    }

    /// Does one page of work, from the run's cursor on. An error fails the run; while the store is unavailable the run
    /// waits instead.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error>;
}

impl dyn Job + '_ {
    /// Reads a schedule for this job; `off` is `None`. See [`JobPlan::parse`].
    pub fn parse_plan(&self, text: &str) -> Result<Option<JobPlan>, InvalidValue> {
        JobPlan::parse(text, self.default_plan().catch_up, self.accepts())
    }

    /// Writes a plan as `parse_plan` reads it.
    #[must_use]
    pub fn written_plan(&self, plan: &JobPlan) -> String {
        plan.written(self.default_plan().catch_up)
    }
}

/// The context in which a job works on one page.
#[derive(Debug, Clone, Copy)]
pub struct JobContext<'a> {
    pub(super) app: &'a App,
    pub(super) run: &'a JobRun,
    pub(super) size: u32,
}

impl<'a> JobContext<'a> {
    /// Returns the app that the job is registered in.
    #[must_use]
    pub fn app(&self) -> &'a App {
        self.app
    }

    /// Returns the run that the page belongs to: its scheduled time, the period it covers, its cursor and its counts.
    #[must_use]
    pub fn run(&self) -> &'a JobRun {
        self.run
    }

    /// Returns the number of rows that the page should examine.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns the time by the app's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Returns the memo that the job's last finished run left for this one; see [`JobPage::leave_memo`].
    pub async fn memo(&self) -> Result<Option<String>, Error> {
        let states = self.app.job_store_port()?.jobs().await?;
        Ok(states.into_iter().find(|state| state.job == self.run.job).and_then(|state| state.memo))
    }

    /// Makes a delivery that is due at `due_at`. Of one key one is ever sent, however often it is planned.
    #[must_use]
    pub fn delivery(
        &self,
        dedupe_key: DedupeKey,
        notice: Notice,
        recipient: Recipient,
        due_at: Timestamp,
        reason: &str,
    ) -> NewDelivery {
        self.app.new_delivery(dedupe_key, notice, recipient, self.now()).due(due_at).because(reason)
    }
}

/// One page of a run's work: the changes to commit, the counts, and the start of the next page.
#[derive(Debug, Default)]
#[must_use = "a page is done when the job returns it"]
pub struct JobPage {
    pub(super) changes: Changes,
    pub(super) counts: Counts,
    pub(super) cursor: Option<String>,
    pub(super) memo: Option<String>,
    /// The time for which the page has blocked other writers so far, in transactions before its commit.
    pub(super) held: Duration,
    /// The next page is of another kind of rows, whose cost is unknown.
    pub(super) is_last_of_its_kind: bool,
}

impl JobPage {
    /// Begins the last page of a run: nothing to commit, nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds changes to commit, together with how far the run has come.
    pub fn commit(mut self, changes: Changes) -> Self {
        self.changes = self.changes.and(changes);
        self
    }

    /// Adds to one of the run's counts.
    pub fn count(mut self, what: &str, count: u64) -> Self {
        self.counts.add(what, count);
        self
    }

    /// Sets where the next page begins; without it this page is the run's last. Only the job itself reads the cursor.
    pub fn next(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }

    /// Sets the [memo](JobContext::memo) for the job's next run. Kept from the last page only, and not from a dry run.
    pub fn leave_memo(mut self, memo: Option<String>) -> Self {
        self.memo = memo;
        self
    }
}
