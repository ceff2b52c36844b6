use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, Timestamp, TokenId, TokenPurpose, Variables};

/// An address is to be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyEmailNotice {
    /// The token that verifies it.
    pub token: TokenId,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
}

/// The content of a mail that verifies its address.
///
/// Its templates have `url` and `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyEmailContent {
    /// The page on which the reader verifies it.
    pub url: String,
    /// The time at which that page expires.
    pub expires_at: Timestamp,
}

impl NoticeType for VerifyEmailNotice {
    const KIND: &'static str = "verify_email";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);

    fn expires_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl ShippedNotice for VerifyEmailNotice {
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let url = check.token_url(TokenPurpose::VerifyEmail, self.token, self.expires_at)?;
        Ok(VerifyEmailContent { url, expires_at: self.expires_at }.into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let expires_at = made_up.now + Duration::from_hours(168);
        Some(Box::new(VerifyEmailContent { url: made_up.link(), expires_at }))
    }

    fn overrides(&self) -> Overrides {
        Overrides::Bounce
    }
}

impl NoticeContent for VerifyEmailContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::VerifyEmail
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText {
            subject: "Confirm your email address".to_owned(),
            text: format!("Please confirm your email address: {}", self.url),
        }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new().with("url", &self.url).with("until", self.expires_at)
    }
}
