use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice, found, made_up};
use crate::{NoticeContent, Outcome, Recipient, Timestamp, TokenId, TokenPurpose};

/// The account is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeNotice {
    /// Verifies the address of the reader; absent when nobody makes links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
}

impl NoticeType for WelcomeNotice {
    const KIND: &'static str = "welcome";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Security);
}

impl ShippedNotice for WelcomeNotice {
    /// Asks to verify the address as long as it is not.
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let Recipient::User(id) = check.delivery.recipient else {
            return Ok(NoticeContent::Welcome { verify_url: None }.into());
        };
        let verified = found(check.batch.users.get(&id))?.is_none_or(|user| user.email_verified);
        let expires_at = check.delivery.planned_at + TokenPurpose::VerifyEmail.lifetime();
        let url = |token| check.urls.token(TokenPurpose::VerifyEmail, token, expires_at);
        Ok(NoticeContent::Welcome { verify_url: self.token.filter(|_| !verified).and_then(url) }.into())
    }

    fn sample(_: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::Welcome { verify_url: Some(made_up::link()) })
    }

    fn overrides(&self) -> Overrides {
        if self.token.is_some() { Overrides::Complaint } else { Overrides::Nothing }
    }
}
