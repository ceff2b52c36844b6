//! What people have done, in numbers, and the state of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{MonitoringReport, TaskStatistics, Timestamp};

use super::admin::Admin;
use super::refuses::Refuses;
use super::{ApiError, Group, Val};
use crate::api::Caller;
use crate::service::Service;

pub(super) struct StatisticsApi;

/// Statistics of the account. Tasks in the trash count only for the streak.
#[derive(Debug, Object)]
#[oai(rename = "Statistics", skip_serializing_if_is_none)]
struct StatisticsBody {
    /// When this was counted: once an hour, if anything has changed.
    counted_at: Val<Timestamp>,
    /// All tasks.
    total: u64,
    /// Tasks that have not been started.
    pending: u64,
    /// Tasks in progress.
    in_progress: u64,
    /// Completed tasks.
    completed: u64,
    /// Open tasks whose due time has passed.
    overdue: u64,
    /// Completed share of all tasks, from 0 to 1; absent without tasks.
    completion_rate: Option<f64>,
    /// Average number of seconds from creating a task to completing it; absent when none is completed.
    average_lead_seconds: Option<u64>,
    /// Number of days in a row on which a task was completed, up to today or yesterday.
    streak_days: u32,
}

/// Numbers of the whole service.
#[derive(Debug, Object)]
#[oai(rename = "Totals", skip_serializing_if_is_none)]
struct TotalsBody {
    /// When this was counted. Absent while counting is not complete: the numbers are then lower bounds.
    counted_at: Option<Val<Timestamp>>,
    /// Accounts.
    users: u64,
    /// Accounts that are not locked.
    active_users: u64,
    /// Tasks outside the trash.
    tasks: u64,
    /// Completed tasks.
    completed_tasks: u64,
    /// Meetings that are not cancelled.
    meetings: u64,
    /// Deliveries ever planned.
    deliveries: u64,
}

/// The state of the service as monitoring sees it.
#[derive(Debug, Object)]
#[oai(rename = "MonitoringReport", skip_serializing_if_is_none)]
struct MonitoringBody {
    /// Time of the check.
    at: Val<Timestamp>,
    /// What is wrong now; empty when everything is in order.
    problems: Vec<ProblemBody>,
    /// Since when the longest waiting of the due mails waits; absent when none is due.
    oldest_due_at: Option<Val<Timestamp>>,
    /// Mails that the relay accepted within the last hour. This and the next two count the last 10,000 mails at most.
    delivered_last_hour: u64,
    /// Mails that were given up within the last hour.
    discarded_last_hour: u64,
    /// Mails that expired within the last hour because they were not sent in time.
    expired_last_hour: u64,
    /// Requests that limits refused on this node within the last hour, by limit.
    refused_requests_last_hour: BTreeMap<String, u64>,
}

/// A problem of the service.
#[derive(Debug, Object)]
#[oai(rename = "MonitoringProblem")]
struct ProblemBody {
    /// The part of the service: `database`, `mail_queue`, `mail_failures`, `disk`, `nodes` or `limits`.
    area: String,
    /// The problem in a sentence.
    text: String,
}

impl From<MonitoringReport> for MonitoringBody {
    fn from(report: MonitoringReport) -> Self {
        let problem =
            |(area, text): (taskflow_core::ProblemArea, String)| ProblemBody { area: area.as_str().to_owned(), text };
        Self {
            at: Val(report.at),
            problems: report.problems.into_iter().map(problem).collect(),
            oldest_due_at: report.oldest_due_at.map(Val),
            delivered_last_hour: report.mail.delivered,
            discarded_last_hour: report.mail.discarded,
            expired_last_hour: report.mail.expired,
            refused_requests_last_hour: report.refused_requests,
        }
    }
}

#[OpenApi(tag = "Group::Jobs")]
impl StatisticsApi {
    /// Check the service
    ///
    /// For administrators: checks the service now, as the job `server_monitoring` does every few minutes. The job alerts
    /// `ADMIN_EMAIL`; this answers alone.
    #[oai(path = "/api/monitoring", method = "get", operation_id = "getMonitoring")]
    async fn monitoring(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
    ) -> Result<Json<MonitoringBody>, ApiError> {
        Ok(Json(service.app.statistics().monitoring(admin.actor()).await?.into()))
    }

    /// Get statistics
    ///
    /// Returns what the account has done, counted once an hour.
    #[oai(path = "/api/users/me/statistics", method = "get", operation_id = "getStatistics")]
    async fn mine(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
    ) -> Result<Json<StatisticsBody>, Refuses<404>> {
        Ok(Json(service.app.statistics().of_tasks(caller.actor()).await?.into()))
    }

    /// Get totals
    ///
    /// For administrators: numbers of the whole service, counted once an hour.
    #[oai(path = "/api/stats", method = "get", operation_id = "getTotals")]
    async fn totals(&self, admin: Admin, Data(service): Data<&Arc<Service>>) -> Result<Json<TotalsBody>, ApiError> {
        let totals = service.app.statistics().totals(admin.actor()).await?;
        Ok(Json(TotalsBody {
            counted_at: totals.counted_at.map(Val),
            users: totals.users,
            active_users: totals.active_users,
            tasks: totals.tasks,
            completed_tasks: totals.completed_tasks,
            meetings: totals.meetings,
            deliveries: totals.deliveries,
        }))
    }
}

impl From<TaskStatistics> for StatisticsBody {
    fn from(statistics: TaskStatistics) -> Self {
        let counts = statistics.counts;
        Self {
            counted_at: Val(statistics.counted_at),
            total: counts.total,
            pending: counts.pending,
            in_progress: counts.in_progress,
            completed: counts.completed,
            overdue: counts.overdue,
            completion_rate: statistics.completion_rate(),
            average_lead_seconds: statistics.lead_time().map(|time| time.as_secs()),
            streak_days: statistics.streak_days,
        }
    }
}
