use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice, made_up};
use crate::{NoticeContent, Outcome, Timestamp, TokenId, TokenPurpose};

/// Somebody asked for a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetNotice {
    /// Sets it.
    pub token: TokenId,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
}

impl NoticeType for PasswordResetNotice {
    const KIND: &'static str = "password_reset";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);

    fn expires_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl ShippedNotice for PasswordResetNotice {
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let url = check.token_url(TokenPurpose::ResetPassword, self.token, self.expires_at)?;
        Ok(NoticeContent::PasswordReset { url, expires_at: self.expires_at }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::PasswordReset { url: made_up::link(), expires_at: now + Duration::from_hours(1) })
    }

    fn overrides(&self) -> Overrides {
        Overrides::Bounce
    }
}
