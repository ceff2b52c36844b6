use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up};
use crate::{NoticeContent, Outcome, Timestamp};

/// The service is right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecoveryNotice {
    /// Since when something was wrong.
    pub since: Timestamp,
    /// Until when it was.
    pub until: Timestamp,
    /// The problems that are over, one line each.
    pub problems: Vec<String>,
}

impl NoticeType for ServerRecoveryNotice {
    const KIND: &'static str = "server_recovery";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for ServerRecoveryNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let Self { since, until, problems } = self.clone();
        Ok(NoticeContent::ServerRecovery { since, until, problems }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let since = now - Duration::from_mins(25);
        Some(NoticeContent::ServerRecovery { since, until: now, problems: made_up::problems() })
    }

    fn thread(&self) -> Option<Thread> {
        Some(Thread::Server)
    }
}
