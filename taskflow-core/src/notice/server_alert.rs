use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, Timestamp, Variable, Variables};

/// Something is wrong with the service.
///
/// Its templates have `problems`, a list of lines, `since`, `until` (none: it lasts) and `areas`, the parts of the
/// service that have them (`database`, `mail_queue`, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAlertNotice {
    /// The time since when something is wrong.
    pub since: Timestamp,
    /// The problems, one line each.
    pub problems: Vec<String>,
    /// The parts of the service that have them, for advice on what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<ProblemArea>,
}

/// A part of the service that monitoring watches. A stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemArea {
    /// The database is slow.
    Database,
    /// Due mail is not sent.
    MailQueue,
    /// Too many mails are refused.
    MailFailures,
    /// The disk is nearly full.
    Disk,
    /// A node has stopped its heartbeat.
    Nodes,
    /// Limits refuse many requests.
    Limits,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ProblemArea {
    /// Returns its word in stores and in the keys of the advice.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::MailQueue => "mail_queue",
            Self::MailFailures => "mail_failures",
            Self::Disk => "disk",
            Self::Nodes => "nodes",
            Self::Limits => "limits",
            Self::Unknown => "unknown",
        }
    }
}

impl NoticeType for ServerAlertNotice {
    const KIND: &'static str = "server_alert";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for ServerAlertNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        Ok(self.clone().into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let areas = vec![ProblemArea::MailQueue];
        Some(Box::new(Self { since: made_up.now, problems: made_up.problems(), areas }))
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(Thread::Server)
    }
}

impl NoticeContent for ServerAlertNotice {
    fn kind(&self) -> NoticeKind {
        NoticeKind::ServerAlert
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText { subject: "Something is wrong".to_owned(), text: self.problems.join("\n") }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        let areas: Vec<_> = self.areas.iter().map(|area| area.as_str()).collect();
        Variables::new()
            .with("problems", self.problems.iter().collect::<Vec<_>>())
            .with("areas", areas)
            .with("since", self.since)
            .with("until", Variable::None)
    }
}
