use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, expired, found, made_up,
};
use crate::{Digest, NoticeContent, Outcome, TaskPriority, Timestamp};

/// The day ahead. What it holds is found when it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailySummaryNotice {
    /// The day, where the reader was as this was planned.
    pub date: NaiveDate,
}

impl NoticeType for DailySummaryNotice {
    const KIND: &'static str = "daily_summary";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Digest);

    /// The next one is not far, and says what is so then.
    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(6))
    }
}

impl ShippedNotice for DailySummaryNotice {
    fn needs(&self) -> Needs {
        Needs::digest(self.date, true)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        match found(check.batch.digests.get(&check.delivery.id))? {
            Some(digest) if !digest.is_empty() => Ok(NoticeContent::DailySummary(Box::new(digest.clone())).into()),
            Some(_) | None => Err(expired("there is nothing to say of the day")),
        }
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::DailySummary(Box::new(Digest {
            done: vec![made_up::task("Book the train", TaskPriority::Low, now, 0)?].into(),
            meetings: vec![made_up::invitation(now)?.meeting].into(),
            ..made_up::open_tasks(now)?
        })))
    }
}
