//! What people have done, in numbers.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{TaskStatistics, Timestamp};

use super::admin::Admin;
use super::{ApiError, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(super) struct StatisticsApi;

/// What somebody has done. Tasks in the trash do not count, but for the streak.
#[derive(Debug, Object)]
#[oai(rename = "Statistics", skip_serializing_if_is_none)]
struct StatisticsBody {
    /// When it was counted: once an hour, if anything has changed.
    counted_at: Val<Timestamp>,
    /// All tasks.
    total: u64,
    /// Not begun.
    pending: u64,
    /// Begun.
    in_progress: u64,
    /// Done.
    completed: u64,
    /// Open, and their time has passed.
    overdue: u64,
    /// The part that is done, from 0 to 1; absent without tasks.
    completion_rate: Option<f64>,
    /// Seconds from making a task to completing it, on average; absent when none is done.
    average_lead_seconds: Option<u64>,
    /// On how many days in a row something was completed, up to today or yesterday.
    streak_days: u32,
}

/// The whole service.
#[derive(Debug, Object)]
#[oai(rename = "Totals", skip_serializing_if_is_none)]
struct TotalsBody {
    /// When it was counted. Absent as long as that is not complete: then there are at least so many.
    counted_at: Option<Val<Timestamp>>,
    /// Accounts.
    users: u64,
    /// Those that are not locked.
    active_users: u64,
    /// Tasks outside the trash.
    tasks: u64,
    /// Those of them that are done.
    completed_tasks: u64,
    /// Meetings that are not cancelled.
    meetings: u64,
    /// Deliveries ever planned.
    deliveries: u64,
}

#[OpenApi(tag = "Group::Jobs")]
impl StatisticsApi {
    /// What I have done
    #[oai(path = "/api/users/me/statistics", method = "get", operation_id = "getStatistics")]
    async fn mine(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Json<StatisticsBody>, ApiError> {
        Ok(Json(service.app.statistics(caller.actor()).await?.into()))
    }

    /// The whole service in numbers
    ///
    /// For administrators, counted once an hour.
    #[oai(path = "/api/stats", method = "get", operation_id = "getTotals")]
    async fn totals(&self, admin: Admin, Data(service): Data<&Arc<Service>>) -> Result<Json<TotalsBody>, ApiError> {
        let totals = service.app.totals(admin.actor()).await?;
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
