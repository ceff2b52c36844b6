use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up};
use crate::{NoticeContent, Outcome, Timestamp};

/// Something is wrong with the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAlertNotice {
    /// Since when something is wrong.
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
    /// The database answers slowly.
    Database,
    /// Due mail is not sent.
    MailQueue,
    /// Too many mails are refused.
    MailFailures,
    /// The disk is nearly full.
    Disk,
    /// A node has stopped its heartbeat.
    Nodes,
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
            Self::Unknown => "unknown",
        }
    }
}

impl NoticeType for ServerAlertNotice {
    const KIND: &'static str = "server_alert";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for ServerAlertNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let Self { since, problems, areas } = self.clone();
        Ok(NoticeContent::ServerAlert { since, problems, areas }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let areas = vec![ProblemArea::MailQueue];
        Some(NoticeContent::ServerAlert { since: now, problems: made_up::problems(), areas })
    }

    fn thread(&self) -> Option<Thread> {
        Some(Thread::Server)
    }
}
