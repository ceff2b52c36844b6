use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice, made_up};
use crate::{NoticeContent, Outcome, Timestamp, TokenId, TokenPurpose};

/// An address is to be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyEmailNotice {
    /// Verifies it.
    pub token: TokenId,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
}

impl NoticeType for VerifyEmailNotice {
    const KIND: &'static str = "verify_email";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);

    fn expires_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl ShippedNotice for VerifyEmailNotice {
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let url = check.token_url(TokenPurpose::VerifyEmail, self.token, self.expires_at)?;
        Ok(NoticeContent::VerifyEmail { url, expires_at: self.expires_at }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::VerifyEmail { url: made_up::link(), expires_at: now + Duration::from_hours(168) })
    }

    fn overrides(&self) -> Overrides {
        Overrides::Bounce
    }
}
