//! The signed links of one mail.

use std::collections::BTreeMap;

use super::{LinkTargets, NoticeContent, OpenTarget};
use crate::{MeetingId, MeetingResponse, Snooze, TaskId};

/// Signed links that let the reader of a mail see and do things without signing in. Every link leads to a page that
/// shows its subject. Only the form on that page changes anything, because mail scanners follow links too.
///
/// Empty when the host makes no links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailLinks {
    /// The page of the subject of the mail: its task, its meeting, or the reader's day.
    pub open: Option<String>,
    /// Responses to the invitation; `None` in mail to the organizer and in cancellations.
    pub answers: Option<AnswerLinks>,
    /// The links of the tasks that the mail names.
    pub tasks: BTreeMap<TaskId, TaskLinks>,
    /// The pages of the meetings of the reader's day.
    pub meetings: BTreeMap<MeetingId, String>,
}

/// One link per response. Each opens a page on which that response is the primary button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLinks {
    /// The link to accept.
    pub accept: String,
    /// The link to accept tentatively.
    pub maybe: String,
    /// The link to decline.
    pub decline: String,
}

/// The links of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLinks {
    /// The page of the task.
    pub open: String,
    /// The actions; `None` in lists and for a task that is no longer open.
    pub actions: Option<TaskActionLinks>,
}

/// Links that complete a task or postpone its reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskActionLinks {
    /// The link that completes the task.
    pub done: String,
    /// The link that reminds again in an hour.
    pub snooze_hour: String,
    /// The link that reminds again tomorrow morning.
    pub snooze_tomorrow: String,
}

/// The primary action of a link about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskAction {
    /// The page shows the task.
    Open,
    /// The page offers to complete the task.
    Complete,
    /// The page offers to postpone the reminder.
    Snooze(Snooze),
}

impl TaskAction {
    /// Every action.
    pub const ALL: [Self; 4] =
        [Self::Open, Self::Complete, Self::Snooze(Snooze::OneHour), Self::Snooze(Snooze::TomorrowMorning)];
}

impl AnswerLinks {
    /// Returns one link per response, each made by `url`.
    pub fn new(url: impl Fn(MeetingResponse) -> String) -> Self {
        Self {
            accept: url(MeetingResponse::Accepted),
            maybe: url(MeetingResponse::Tentative),
            decline: url(MeetingResponse::Declined),
        }
    }
}

impl TaskLinks {
    /// Returns the page of the task alone.
    pub fn to_open(url: impl Fn(TaskAction) -> String) -> Self {
        Self { open: url(TaskAction::Open), actions: None }
    }

    /// Returns the page of the task and the links of its actions.
    pub fn with_actions(url: impl Fn(TaskAction) -> String) -> Self {
        let actions = TaskActionLinks {
            done: url(TaskAction::Complete),
            snooze_hour: url(TaskAction::Snooze(Snooze::OneHour)),
            snooze_tomorrow: url(TaskAction::Snooze(Snooze::TomorrowMorning)),
        };
        Self { actions: Some(actions), ..Self::to_open(url) }
    }
}

impl MailLinks {
    /// Returns made-up links below `public_url` for a mail about `content`, to preview it.
    #[must_use]
    pub fn sample(content: &dyn NoticeContent, public_url: &str) -> Self {
        let task_url = |action: TaskAction| {
            let action = match action {
                TaskAction::Open => "",
                TaskAction::Complete => "-done",
                TaskAction::Snooze(Snooze::OneHour) => "-hour",
                TaskAction::Snooze(Snooze::TomorrowMorning) => "-tomorrow",
            };
            format!("{public_url}/t/sample{action}")
        };
        let LinkTargets { open, answers, tasks, task_actions, meetings } = content.links();
        let tasks = tasks.into_iter().map(|task| {
            let links = if task_actions && task.is_open() {
                TaskLinks::with_actions(task_url)
            } else {
                TaskLinks::to_open(task_url)
            };
            (task.id, links)
        });
        let open = open.map(|target| match target {
            OpenTarget::Task(_) => format!("{public_url}/t/sample"),
            OpenTarget::Invitation(_) => format!("{public_url}/r/sample"),
            OpenTarget::Meeting(_) => format!("{public_url}/m/sample"),
            OpenTarget::Day => format!("{public_url}/d/sample"),
            OpenTarget::Url(url) => url,
        });
        Self {
            open,
            answers: answers.map(|_| AnswerLinks::new(|answer| format!("{public_url}/r/sample-{answer}"))),
            tasks: tasks.collect(),
            meetings: meetings.iter().map(|meeting| (meeting.id, format!("{public_url}/r/sample"))).collect(),
        }
    }
}
