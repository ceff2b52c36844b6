use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, day, expired, found,
};
use crate::{
    Digest, LinkTargets, NoticeContent, NoticeKind, OpenTarget, Outcome, PlainText, RenderInput, TaskPriority,
    Timestamp, Variables,
};

/// The summary of the day ahead. Its content is looked up when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailySummaryNotice {
    /// The day, where the reader was as this was planned.
    pub date: NaiveDate,
}

/// The content of a daily summary: a day that is not empty.
///
/// Its templates have `day` and `parts`, as [`TaskReminderContent`](super::TaskReminderContent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailySummaryContent(pub Digest);

impl NoticeType for DailySummaryNotice {
    const KIND: &'static str = "daily_summary";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Digest);

    /// Returns six hours after `due_at`, because the next summary is not far and has newer content.
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
            Some(digest) if !digest.is_empty() => Ok(DailySummaryContent(digest.clone()).into()),
            Some(_) | None => Err(expired("there is nothing to say of the day")),
        }
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(DailySummaryContent(Digest {
            done: made_up.excerpt(vec![made_up.task("Book the train", TaskPriority::Low, 0)?]),
            meetings: vec![made_up.invitation()?.meeting].into(),
            ..made_up.open_tasks()?
        })))
    }
}

impl NoticeContent for DailySummaryContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::DailySummary
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        let Digest { date, done, overdue, today, week, later, meetings } = &self.0;
        let open = today.total + week.total + later.total;
        PlainText {
            subject: format!("Your day: {date}"),
            text: format!("{} done, {} overdue, {open} open, {} meetings.", done.total, overdue.total, meetings.total),
        }
    }

    fn variables<'a>(&'a self, input: &'a RenderInput) -> Variables<'a> {
        let digest = &self.0;
        let meetings = day::part("digest.meetings", &digest.meetings, |meeting| day::meeting(meeting, input));
        let done = day::part("digest.done", &digest.done, |task| day::completed_task(task, input));
        let [overdue, today, week, later] = day::task_parts(digest, input);
        let parts: Vec<_> = [overdue, today, meetings, week, later, done].into_iter().flatten().collect();
        Variables::new().with("day", digest.date).with("parts", parts)
    }

    fn links(&self) -> LinkTargets<'_> {
        let Digest { meetings, .. } = &self.0;
        let (tasks, meetings) = (self.0.tasks(), meetings.items.as_slice());
        LinkTargets { open: Some(OpenTarget::Day), tasks, meetings, ..LinkTargets::default() }
    }
}
