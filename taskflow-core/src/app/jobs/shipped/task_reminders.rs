//! Reminders of open tasks, twice a day in each user's time zone.

use async_trait::async_trait;
use chrono::NaiveDate;

use super::super::fan_out::{self, FanOut};
use super::super::{Job, JobContext, JobPage};
use crate::error::Error;
use crate::notice::TaskReminderNotice;
use crate::ports::CohortQuery;
use crate::{
    AcceptedSchedules, CatchUp, CohortTime, DedupeKey, JobName, JobPlan, JobRun, LocalMinute, LocalTimeCohort, Notice,
    NoticeKind, Schedule, UserId,
};

impl JobName {
    /// The job that reminds users of open tasks.
    pub const TASK_REMINDERS: Self = Self::new("task_reminders");
}

pub(super) struct TaskReminders;

#[async_trait]
impl Job for TaskReminders {
    fn name(&self) -> JobName {
        JobName::TASK_REMINDERS
    }

    fn summary(&self) -> &'static str {
        "reminds people of open tasks"
    }

    fn default_plan(&self) -> JobPlan {
        let minute = |hour: u16| LocalMinute::new(hour * 60).unwrap_or_default();
        JobPlan { schedule: Schedule::Local(vec![minute(8), minute(20)]), catch_up: CatchUp::Latest }
    }

    fn accepts(&self) -> AcceptedSchedules {
        AcceptedSchedules::LocalTimes
    }

    async fn has_work(&self, context: &JobContext<'_>) -> Result<bool, Error> {
        fan_out::has_anybody(self, context).await
    }

    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        fan_out::page(self, context).await
    }
}

impl FanOut for TaskReminders {
    fn query(&self, cohort: &LocalTimeCohort) -> CohortQuery {
        CohortQuery { kind: NoticeKind::TaskReminder, weekday: None, day: None, cohort: cohort.clone() }
    }

    fn notice(&self, run: &JobRun, cohort: &LocalTimeCohort, user: UserId) -> (DedupeKey, Notice) {
        let date = cohort.date;
        match cohort.when {
            CohortTime::Shown(minute) => reminder(user, date, minute),
            CohortTime::Chosen | CohortTime::Instant(_) => {
                let key = DedupeKey::new(format!("task-reminder/{}/{user}", run.slot));
                (key, Notice::TaskReminder(TaskReminderNotice { date }))
            }
        }
    }

    fn reason(&self, cohort: &LocalTimeCohort) -> &'static str {
        match cohort.when {
            CohortTime::Shown(_) => "it was time to remind of open tasks",
            CohortTime::Chosen | CohortTime::Instant(_) => "it was time to remind everybody of open tasks",
        }
    }
}

/// Returns the only reminder of a user for a minute of their local time, wherever they are then.
pub(in super::super) fn reminder(user: UserId, date: NaiveDate, minute: LocalMinute) -> (DedupeKey, Notice) {
    (DedupeKey::new(format!("task-reminder/{date}T{minute}/{user}")), Notice::TaskReminder(TaskReminderNotice { date }))
}
