use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, day, expired, found,
};
use crate::{
    Digest, LinkTargets, NoticeContent, NoticeKind, OpenTarget, Outcome, PlainText, RenderInput, Schedule, Timestamp,
    Variables,
};

/// The open tasks of a user, twice a day. They are looked up when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReminderNotice {
    /// The day it is for, where the reader was as this was planned.
    pub date: NaiveDate,
}

/// The content of a reminder of open tasks; at least one.
///
/// Its templates have `first`, the title of the first task, `next`, the titles of up to three, `total`, their number,
/// and `parts`, the tasks in parts. A part has a `title`, `items`, the number of all items in `total`, and in `more`
/// the number of those that are not shown, in words (may be none). An item has `title`, `about`, `url` (a signed link;
/// both may be none) and `is_late`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReminderContent(pub Digest);

impl NoticeType for TaskReminderNotice {
    const KIND: &'static str = "task_reminder";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Digest);

    /// Returns six hours after `due_at`, because the next reminder is not far and has newer content.
    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(6))
    }
}

impl ShippedNotice for TaskReminderNotice {
    fn needs(&self) -> Needs {
        Needs::digest(self.date, false)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        if a_later_one_is_due(check) {
            return Err(expired("a later reminder lists what is open"));
        }
        match found(check.batch.digests.get(&check.delivery.id))? {
            Some(digest) if digest.open() > 0 => Ok(TaskReminderContent(digest.clone()).into()),
            Some(_) | None => Err(expired("nothing is open any more")),
        }
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(TaskReminderContent(made_up.open_tasks()?)))
    }
}

impl NoticeContent for TaskReminderContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::TaskReminder
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        let open = self.0.open();
        PlainText { subject: format!("{open} open tasks"), text: format!("You have {open} open tasks.") }
    }

    fn variables<'a>(&'a self, input: &'a RenderInput) -> Variables<'a> {
        let next: Vec<_> = self.0.tasks().into_iter().take(3).map(|task| task.title.as_str()).collect();
        let parts: Vec<_> = day::task_parts(&self.0, input).into_iter().flatten().collect();
        Variables::new()
            .with("first", self.0.first_task().map(|task| task.title.as_str()))
            .with("next", next)
            .with("total", self.0.open())
            .with("parts", parts)
    }

    fn links(&self) -> LinkTargets<'_> {
        let Digest { meetings, .. } = &self.0;
        let (tasks, meetings) = (self.0.tasks(), meetings.items.as_slice());
        LinkTargets { open: Some(OpenTarget::Day), tasks, meetings, ..LinkTargets::default() }
    }
}

/// Returns whether the reader's clock has shown another of the minutes at which they are reminded since this was due,
/// as after a hold or downtime.
fn a_later_one_is_due(check: &PreSendCheck<'_>) -> bool {
    let Some(Schedule::Local(minutes)) = check.task_reminders else { return false };
    let (zone, due_at, now) = (&check.addressee.zone, check.delivery.due_at, check.now);
    let date = |at| zone.wall_clock(at).at.date();
    let dates = date(due_at).iter_days().take_while(|day| *day <= date(now)).take(3);
    let mut shown = dates
        .filter(|day| zone.has_date(*day))
        .flat_map(|day| minutes.iter().map(move |minute| zone.instant(day.and_time(minute.time()))));
    shown.any(|at| at > due_at && at <= now)
}
