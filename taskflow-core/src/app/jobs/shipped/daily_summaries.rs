//! Daily summaries, at the local time that each user has chosen.

use async_trait::async_trait;
use chrono::{Datelike, NaiveDate};

use super::super::fan_out::{self, FanOut};
use super::super::{Job, JobContext, JobPage};
use crate::error::Error;
use crate::notice::DailySummaryNotice;
use crate::ports::CohortQuery;
use crate::{
    AcceptedSchedules, CatchUp, Day, DedupeKey, JobName, JobPlan, JobRun, LocalTimeCohort, Notice, NoticeKind,
    Schedule, UserId,
};

impl JobName {
    /// The job that sends daily summaries.
    pub const DAILY_SUMMARIES: Self = Self::new("daily_summaries");
}

pub(super) struct DailySummaries;

#[async_trait]
impl Job for DailySummaries {
    fn name(&self) -> JobName {
        JobName::DAILY_SUMMARIES
    }

    fn summary(&self) -> &'static str {
        "sends the daily summary"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Own, catch_up: CatchUp::Latest }
    }

    fn accepts(&self) -> AcceptedSchedules {
        AcceptedSchedules::ChosenTimes
    }

    async fn has_work(&self, context: &JobContext<'_>) -> Result<bool, Error> {
        fan_out::has_anybody(self, context).await
    }

    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        fan_out::page(self, context).await
    }
}

impl FanOut for DailySummaries {
    fn query(&self, cohort: &LocalTimeCohort) -> CohortQuery {
        CohortQuery {
            kind: NoticeKind::DailySummary,
            weekday: Some(cohort.date.weekday()),
            day: Some(Day::of(cohort.date, &cohort.zone)),
            cohort: cohort.clone(),
        }
    }

    fn notice(&self, _run: &JobRun, cohort: &LocalTimeCohort, user: UserId) -> (DedupeKey, Notice) {
        summary(user, cohort.date)
    }

    fn reason(&self, _cohort: &LocalTimeCohort) -> &'static str {
        "it was time for the daily summary"
    }
}

/// Returns the only summary of a user for a date, wherever they are that day.
pub(in super::super) fn summary(user: UserId, date: NaiveDate) -> (DedupeKey, Notice) {
    (DedupeKey::new(format!("daily-summary/{date}/{user}")), Notice::DailySummary(DailySummaryNotice { date }))
}
