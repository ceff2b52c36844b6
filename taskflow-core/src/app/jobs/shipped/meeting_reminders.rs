//! Repair of meeting reminders: those that no commit could plan, and starts that moved with the rules of their time zone.

use async_trait::async_trait;

use super::super::{Job, JobContext, JobPage};
use crate::error::Error;
use crate::{CatchUp, JobName, JobPlan, MeetingId, Schedule, Timestamp};

impl JobName {
    /// The job that repairs meeting reminders.
    pub const MEETING_REMINDERS: Self = Self::new("meeting_reminders");
}

pub(super) struct MeetingReminders;

#[async_trait]
impl Job for MeetingReminders {
    fn name(&self) -> JobName {
        JobName::MEETING_REMINDERS
    }

    fn summary(&self) -> &'static str {
        "repairs missing meeting reminders (the reminders themselves leave on time)"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(std::time::Duration::from_mins(5)), catch_up: CatchUp::Latest }
    }

    /// Looks at the next meetings. Each is repaired by a commit of its own, which expects the meeting as it was read.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let JobContext { app, run, .. } = *context;
        let Some(cursor) = &run.cursor else {
            let moved = if run.dry_run { 0 } else { app.follow_the_rules_of_zones().await? };
            return Ok(JobPage::new().count("moved", moved).next(Some(String::new())));
        };
        let (planned, next) = app.repair_some(read(cursor), run.dry_run).await?;
        let next = next.map(|(starts_at, id)| format!("{} {id}", starts_at.as_micros()));
        Ok(JobPage::new().count("planned", planned).next(next))
    }
}

fn read(cursor: &str) -> Option<(Timestamp, MeetingId)> {
    let (starts_at, id) = cursor.split_once(' ')?;
    Some((Timestamp::from_micros(starts_at.parse().ok()?), id.parse().ok()?))
}
