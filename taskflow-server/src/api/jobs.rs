//! Scheduled jobs, for administrators: when each is due, what its runs did, and running one by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use taskflow_core::{CatchUp, JobName, JobPlan, JobRun, JobState, RunId, RunState, Timestamp, Trigger};

use super::admin::Admin;
use super::answer::Gone;
use super::list::PageSize;
use super::refuses::Refuses;
use super::{ApiError, Field, Group, Val, ValidationErrors};
use crate::service::Service;

pub(super) struct JobsApi;

/// All jobs.
#[derive(Debug, Object)]
#[oai(rename = "JobList")]
struct JobsBody {
    /// The jobs.
    items: Vec<JobBody>,
}

/// A scheduled job.
#[derive(Debug, Object)]
#[oai(rename = "Job", skip_serializing_if_is_none)]
struct JobBody {
    /// Name of the job.
    name: Val<JobName>,
    /// The schedule, as the setting has it; absent without one.
    schedule: Option<String>,
    /// What happens to scheduled times that no node was running for.
    catch_up: Option<Val<CatchUp>>,
    /// The job is done for all scheduled times up to here.
    done_until: Val<Timestamp>,
    /// When it is due next; absent while it is paused, or when it has no schedule.
    next_at: Option<Val<Timestamp>>,
    /// Since when the job is paused.
    paused_at: Option<Val<Timestamp>>,
    /// The oldest run that has not ended.
    open_run: Option<Val<RunId>>,
    /// Whether a node is working on a run.
    running: bool,
}

/// A page of runs, newest first.
#[derive(Debug, Object)]
#[oai(rename = "JobRunList", skip_serializing_if_is_none)]
struct RunsBody {
    /// The items on this page.
    items: Vec<RunBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<Val<RunId>>,
}

/// A run of a job.
#[derive(Debug, Object)]
#[oai(rename = "JobRun", skip_serializing_if_is_none)]
struct RunBody {
    /// Identifier of the run.
    id: Val<RunId>,
    /// Name of the job.
    job: Val<JobName>,
    /// The scheduled time that the run is for.
    slot: Val<Timestamp>,
    /// The run covers what came due after this and up to `slot`.
    since: Val<Timestamp>,
    /// What requested the run: the schedule, or an administrator for a scheduled time or for now.
    trigger: Val<Trigger>,
    /// Whether the run only counts what it would do.
    dry_run: bool,
    /// State of the run.
    state: Val<RunState>,
    /// When the run was requested.
    created_at: Val<Timestamp>,
    /// When the run started.
    started_at: Option<Val<Timestamp>>,
    /// When the run ended.
    finished_at: Option<Val<Timestamp>>,
    /// The node that works on it, or did last.
    node: Option<String>,
    /// How often the run was started: more than once when a node crashed during it.
    #[oai(validator(minimum(value = "0")))]
    tries: u32,
    /// What the run has counted so far.
    counts: BTreeMap<String, u64>,
    /// Why the run failed.
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
    /// List jobs
    ///
    /// For administrators: when each job is due, and whether it is running.
    #[oai(path = "/", method = "get", operation_id = "listJobs")]
    async fn list(&self, admin: Admin, Data(service): Data<&Arc<Service>>) -> Result<Json<JobsBody>, ApiError> {
        let mut items = Vec::new();
        for state in service.app.jobs().list(admin.actor()).await? {
            let next_at = match state.paused_at {
                None => service.app.jobs().next_due(state.job).await?,
                Some(_) => None,
            };
            let plan = service.app.jobs().plan(state.job);
            items.push(JobBody::new(state, plan, next_at));
        }
        Ok(Json(JobsBody { items }))
    }

    /// Run a job
    ///
    /// For administrators: runs the job for the scheduled time `at`, which must not lie ahead, or for now. Each
    /// scheduled time is run once. A run for now of `task_reminders` and `daily_summaries` covers everybody, whatever
    /// their local time is; nobody gets a second summary of a day. A dry run of `data_cleanup` stops counting a kind
    /// after 20,000 and then names the count `…_at_least`.
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
    ) -> Result<Requested, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let at = findings.optional("at", at.0);
        let dry_run = findings.optional("dry_run", dry_run.0).unwrap_or(false);
        findings.finish(Some(()))?;
        let run = service.app.jobs().request_run(admin.actor(), name.0.0, at, dry_run).await?;
        let location = format!("/api/jobs/{}/runs/{}", run.job, run.id);
        Ok(Requested::Requested(Json(run.into()), location))
    }

    /// Pause a job
    ///
    /// For administrators: stops following the schedule. A run that has begun goes on.
    #[oai(path = "/:name/pause", method = "post", operation_id = "pauseJob")]
    async fn pause(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
    ) -> Result<Gone, ApiError> {
        service.app.jobs().pause(admin.actor(), name.0.0).await?;
        Ok(Gone::Gone)
    }

    /// Resume a job
    ///
    /// For administrators: follows the schedule again. Runs that were due in the meantime are not made up for.
    #[oai(path = "/:name/resume", method = "post", operation_id = "resumeJob")]
    async fn resume(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
    ) -> Result<Gone, ApiError> {
        service.app.jobs().resume(admin.actor(), name.0.0).await?;
        Ok(Gone::Gone)
    }

    /// List the runs of a job
    ///
    /// For administrators, newest first.
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
        let mut findings = ValidationErrors::default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let found = service.app.jobs().runs(admin.actor(), name.0.0, cursor, size.and_one_more()).await?;
        let (page, next) = size.cut(found, |run| Val(run.id));
        Ok(Json(RunsBody { items: page.into_iter().map(RunBody::from).collect(), next }))
    }

    /// Get a run of a job
    ///
    /// For administrators. The counts grow while the run goes on.
    #[oai(path = "/:name/runs/:id", method = "get", operation_id = "getJobRun")]
    async fn get_run(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        name: Path<Val<JobName>>,
        id: Path<Val<RunId>>,
    ) -> Result<Json<RunBody>, ApiError> {
        let run = service.app.jobs().get_run(admin.actor(), name.0.0, id.0.0).await?;
        Ok(Json(run.into()))
    }
}

impl JobBody {
    fn new(state: JobState, plan: Option<&JobPlan>, next_at: Option<Timestamp>) -> Self {
        Self {
            name: Val(state.job),
            schedule: plan.map(|plan| plan.schedule.to_string()),
            catch_up: plan.map(|plan| Val(plan.catch_up)),
            done_until: Val(state.slot),
            next_at: next_at.map(Val),
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
