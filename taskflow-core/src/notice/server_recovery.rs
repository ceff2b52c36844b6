use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, Timestamp, Variables};

/// The service is right again.
///
/// Its templates have `problems`, a list of lines, `since` and `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecoveryNotice {
    /// The time since when something was wrong.
    pub since: Timestamp,
    /// The time until when it was.
    pub until: Timestamp,
    /// The problems that are over, one line each.
    pub problems: Vec<String>,
}

impl NoticeType for ServerRecoveryNotice {
    const KIND: &'static str = "server_recovery";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for ServerRecoveryNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        Ok(self.clone().into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let since = made_up.now - Duration::from_mins(25);
        Some(Box::new(Self { since, until: made_up.now, problems: made_up.problems() }))
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(Thread::Server)
    }
}

impl NoticeContent for ServerRecoveryNotice {
    fn kind(&self) -> NoticeKind {
        NoticeKind::ServerRecovery
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText {
            subject: "Everything is running normally again".to_owned(),
            text: format!("This problem has been resolved:\n{}", self.problems.join("\n")),
        }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new()
            .with("problems", self.problems.iter().collect::<Vec<_>>())
            .with("since", self.since)
            .with("until", self.until)
    }
}
