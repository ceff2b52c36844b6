//! The recurring duties, for administrators: when each is due, what its runs did, and running one by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use taskflow_core::{CatchUp, JobName, JobRun, JobState, RunId, RunState, Timestamp, Trigger};

use super::admin::Admin;
use super::answer::Gone;
use super::list::PageSize;
use super::{ApiError, Field, Findings, Group, Val};
use crate::wiring::Service;

pub(super) struct JobsApi;

/// Every job.
#[derive(Debug, Object)]
#[oai(rename = "JobList")]
struct JobsBody {
    /// All of them.
    items: Vec<JobBody>,
}

/// One of the recurring duties.
#[derive(Debug, Object)]
#[oai(rename = "Job", skip_serializing_if_is_none)]
struct JobBody {
    /// Its name.
    name: Val<JobName>,
    /// When it is due, as its setting has it; absent: never by itself.
    schedule: Option<String>,
    /// What becomes of slots that nobody was there for.
    catch_up: Option<Val<CatchUp>>,
    /// Everything up to here is taken care of.
    done_until: Val<Timestamp>,
    /// When it is due next; absent while it is paused and when it never is by itself.
    next_at: Option<Val<Timestamp>>,
    /// Since when its schedule is not followed.
    paused_at: Option<Val<Timestamp>>,
    /// Its oldest run that is not over.
    open_run: Option<Val<RunId>>,
    /// Whether a node is working on one.
    running: bool,
}

/// Runs, the newest first.
#[derive(Debug, Object)]
#[oai(rename = "JobRunList", skip_serializing_if_is_none)]
struct RunsBody {
    /// One page of them.
    items: Vec<RunBody>,
    /// The `cursor` of the next page, if there is one.
    next: Option<Val<RunId>>,
}

/// One run of a job.
#[derive(Debug, Object)]
#[oai(rename = "JobRun", skip_serializing_if_is_none)]
struct RunBody {
    /// Its id.
    id: Val<RunId>,
    /// Of which job.
    job: Val<JobName>,
    /// The instant it is for.
    slot: Val<Timestamp>,
    /// It takes care of what came due after this and up to the slot.
    since: Val<Timestamp>,
    /// What asked for it: the schedule, or somebody for that slot, or for now.
    trigger: Val<Trigger>,
    /// It counts what it would do and does nothing.
    dry_run: bool,
    /// Where it is on its way.
    state: Val<RunState>,
    /// When it was asked for.
    created_at: Val<Timestamp>,
    /// When it began.
    started_at: Option<Val<Timestamp>>,
    /// When it ended.
    finished_at: Option<Val<Timestamp>>,
    /// The node that has it, or had it last.
    node: Option<String>,
    /// How often it was begun: more than once when a node died over it.
    #[oai(validator(minimum(value = "0")))]
    tries: u32,
    /// What it has counted so far, also while it goes on.
    counts: BTreeMap<String, u64>,
    /// Why it failed.
    error: Option<String>,
}

/// A run that was asked for.
#[derive(Debug, ApiResponse)]
enum Requested {
    /// It begins as soon as a node is free; ask for it again to see how far it is.
    #[oai(status = 202)]
    Requested(
        Json<RunBody>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(prefix_path = "/api/jobs", tag = "Group::Jobs")]
impl JobsApi {
    /// Every job
    ///
    /// For administrators: when each is due, and whether it is running.
    #[oai(path = "/", method = "get", operation_id = "listJobs")]
    async fn list(&self, admin: Admin, Data(service): Data<&Arc<Service>>) -> Result<Json<JobsBody>, ApiError> {
        let states = service.app.jobs(admin.actor()).await?;
        let now = service.clock.now();
        Ok(Json(JobsBody { items: states.into_iter().map(|state| JobBody::new(service, state, now)).collect() }))
    }

    /// Run a job
    ///
    /// For administrators: for the slot at `at`, which must not lie ahead, or for now. A slot is run once. For now,
    /// `task_reminders` and `daily_summaries` look at everybody, wherever their clocks are; nobody gets a second summary
    /// of a day. A dry run of `data_cleanup` stops counting a kind after 20,000 and then calls it `…_at_least`.
    #[oai(path = "/:name/run", method = "post", operation_id = "runJob")]
    async fn run(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
        /// The instant of the slot, which must not lie ahead; now when left out.
        at: Query<Field<Timestamp>>,
        /// Count what it would do, and do nothing.
        dry_run: Query<Field<bool>>,
    ) -> Result<Requested, ApiError> {
        let mut findings = Findings::default();
        let at = findings.optional("at", at.0);
        let dry_run = findings.optional("dry_run", dry_run.0).unwrap_or(false);
        findings.finish(Some(()))?;
        let run = service.app.request_run(admin.actor(), name.0.0, at, dry_run).await?;
        let location = format!("/api/jobs/{}/runs/{}", run.job, run.id);
        Ok(Requested::Requested(Json(run.into()), location))
    }

    /// Pause a job
    ///
    /// For administrators: its schedule is not followed any more. A run that has begun goes on.
    #[oai(path = "/:name/pause", method = "post", operation_id = "pauseJob")]
    async fn pause(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
    ) -> Result<Gone, ApiError> {
        service.app.pause_job(admin.actor(), name.0.0).await?;
        Ok(Gone::Gone)
    }

    /// Resume a job
    ///
    /// For administrators: its schedule is followed again. What came due meanwhile is not made up for.
    #[oai(path = "/:name/resume", method = "post", operation_id = "resumeJob")]
    async fn resume(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
    ) -> Result<Gone, ApiError> {
        service.app.resume_job(admin.actor(), name.0.0).await?;
        Ok(Gone::Gone)
    }

    /// Runs of a job
    ///
    /// For administrators, the newest first.
    #[oai(path = "/:name/runs", method = "get", operation_id = "listJobRuns")]
    async fn runs(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
        /// The page after this run: `next` of the page before.
        cursor: Query<Field<RunId>>,
        /// Runs on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<RunsBody>, ApiError> {
        let mut findings = Findings::default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let found = service.app.job_runs(admin.actor(), name.0.0, cursor, size.and_one_more()).await?;
        let (page, next) = size.cut(found, |run| Val(run.id));
        Ok(Json(RunsBody { items: page.into_iter().map(RunBody::from).collect(), next }))
    }

    /// A run of a job
    ///
    /// For administrators; its counts grow while it goes on.
    #[oai(path = "/:name/runs/:id", method = "get", operation_id = "getJobRun")]
    async fn get_run(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
        id: Path<Val<RunId>>,
    ) -> Result<Json<RunBody>, ApiError> {
        let run = service.app.job_run(admin.actor(), name.0.0, id.0.0).await?;
        Ok(Json(run.into()))
    }
}

impl JobBody {
    fn new(service: &Service, state: JobState, now: Timestamp) -> Self {
        let plan = service.app.job_plan(state.job);
        let next_at = plan.filter(|_| state.paused_at.is_none()).map(|plan| Val(plan.schedule.next(now)));
        Self {
            name: Val(state.job),
            schedule: plan.map(|plan| plan.schedule.to_string()),
            catch_up: plan.map(|plan| Val(plan.catch_up)),
            done_until: Val(state.slot),
            next_at,
            paused_at: state.paused_at.map(Val),
            open_run: state.open.map(Val),
            running: state.busy,
        }
    }
}

impl From<JobRun> for RunBody {
    fn from(run: JobRun) -> Self {
        Self {
            state: Val(run.state()),
            id: Val(run.id),
            job: Val(run.job),
            slot: Val(run.slot),
            since: Val(run.since),
            trigger: Val(run.trigger),
            dry_run: run.dry_run,
            created_at: Val(run.created_at),
            started_at: run.started_at.map(Val),
            finished_at: run.finished_at.map(Val),
            node: run.node,
            tries: run.tries,
            counts: run.counts.iter().map(|(what, count)| (what.to_owned(), count)).collect(),
            error: run.error,
        }
    }
}
