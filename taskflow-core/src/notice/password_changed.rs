use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice};
use crate::{NoticeContent, Outcome, Timestamp};

/// The password was changed; who did not do it must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChangedNotice {
    /// The time at which it was changed.
    pub at: Timestamp,
}

impl NoticeType for PasswordChangedNotice {
    const KIND: &'static str = "password_changed";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);
}

impl ShippedNotice for PasswordChangedNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        Ok(NoticeContent::PasswordChanged { at: self.at }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::PasswordChanged { at: now })
    }

    fn overrides(&self) -> Overrides {
        Overrides::Complaint
    }
}
