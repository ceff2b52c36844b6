//! The signed links of one letter.

use std::collections::BTreeMap;

use super::NoticeContent;
use crate::{MeetingId, MeetingResponse, Snooze, TaskId};

/// Signed links that let the reader of a letter see and do things without signing in. Every link leads to a page that
/// shows what it is about; only the form on that page changes anything, because mail scanners follow links too.
///
/// Empty when the host makes no links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterLinks {
    /// The page of what the letter is about: its task, its meeting, or the reader's day. `None` for letters about none of
    /// these.
    pub open: Option<String>,
    /// Answers to the invitation; `None` where nobody is asked: letters to the organizer, and cancellations.
    pub answers: Option<AnswerLinks>,
    /// The tasks that the letter names.
    pub tasks: BTreeMap<TaskId, TaskLinks>,
    /// The pages of the meetings that a letter about a day names.
    pub meetings: BTreeMap<MeetingId, String>,
}

/// One link per answer. Each opens a page on which that answer is the primary button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLinks {
    /// Accept.
    pub accept: String,
    /// Maybe.
    pub maybe: String,
    /// Decline.
    pub decline: String,
}

/// The links of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLinks {
    /// Shows the task.
    pub open: String,
    /// What can be done about it; `None` in lists and for a task that is no longer open.
    pub actions: Option<TaskActionLinks>,
}

/// Links that complete a task or postpone its reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskActionLinks {
    /// Completes the task.
    pub done: String,
    /// Reminds again in an hour.
    pub snooze_hour: String,
    /// Reminds again tomorrow morning.
    pub snooze_tomorrow: String,
}

/// What a link about a task offers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskAction {
    /// Look at it.
    Open,
    /// Complete it.
    Complete,
    /// Postpone its reminder.
    Snooze(Snooze),
}

impl TaskAction {
    /// Every action.
    pub const ALL: [Self; 4] =
        [Self::Open, Self::Complete, Self::Snooze(Snooze::OneHour), Self::Snooze(Snooze::TomorrowMorning)];
}

impl AnswerLinks {
    /// One link per answer, each made by `url`.
    pub fn new(url: impl Fn(MeetingResponse) -> String) -> Self {
        Self {
            accept: url(MeetingResponse::Accepted),
            maybe: url(MeetingResponse::Tentative),
            decline: url(MeetingResponse::Declined),
        }
    }
}

impl TaskLinks {
    /// Only the page of the task.
    pub fn to_open(url: impl Fn(TaskAction) -> String) -> Self {
        Self { open: url(TaskAction::Open), actions: None }
    }

    /// The page of the task and what can be done about it.
    pub fn with_actions(url: impl Fn(TaskAction) -> String) -> Self {
        let actions = TaskActionLinks {
            done: url(TaskAction::Complete),
            snooze_hour: url(TaskAction::Snooze(Snooze::OneHour)),
            snooze_tomorrow: url(TaskAction::Snooze(Snooze::TomorrowMorning)),
        };
        Self { actions: Some(actions), ..Self::to_open(url) }
    }
}

impl LetterLinks {
    /// Made-up links below `public_url` for a letter about `topic`, to see what its mail looks like.
    #[must_use]
    pub fn sample(topic: &NoticeContent, public_url: &str) -> Self {
        let task_url = |action: TaskAction| {
            let action = match action {
                TaskAction::Open => "",
                TaskAction::Complete => "-done",
                TaskAction::Snooze(Snooze::OneHour) => "-hour",
                TaskAction::Snooze(Snooze::TomorrowMorning) => "-tomorrow",
            };
            format!("{public_url}/t/sample{action}")
        };
        let open = match topic {
            NoticeContent::TaskDue { .. } | NoticeContent::TaskStatus { .. } => Some("t"),
            NoticeContent::MeetingLeft(_)
            | NoticeContent::MeetingProposal { .. }
            | NoticeContent::MeetingUndelivered(_) => Some("m"),
            topic if topic.invitation().is_some() => Some("r"),
            NoticeContent::TaskReminder { .. } | NoticeContent::DailySummary(_) => Some("d"),
            _ => None,
        };
        let tasks = topic.tasks().into_iter().map(|task| {
            let links = if topic.offers_task_actions() && task.is_open() {
                TaskLinks::with_actions(task_url)
            } else {
                TaskLinks::to_open(task_url)
            };
            (task.id, links)
        });
        let answers =
            topic.asks_for_an_answer().then(|| AnswerLinks::new(|answer| format!("{public_url}/r/sample-{answer}")));
        let open = open.map(|page| format!("{public_url}/{page}/sample"));
        let meetings = topic.meetings().iter().map(|meeting| (meeting.id, format!("{public_url}/r/sample")));
        Self { open, answers, tasks: tasks.collect(), meetings: meetings.collect() }
    }
}
