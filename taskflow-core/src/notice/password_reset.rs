use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, Timestamp, TokenId, TokenPurpose, Variables};

/// A password reset was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetNotice {
    /// The token that sets it.
    pub token: TokenId,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
}

/// The content of a mail that lets its reader set a new password.
///
/// Its templates have `url` and `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordResetContent {
    /// The page on which the reader sets it.
    pub url: String,
    /// The time at which that page expires.
    pub expires_at: Timestamp,
}

impl NoticeType for PasswordResetNotice {
    const KIND: &'static str = "password_reset";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);

    fn expires_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl ShippedNotice for PasswordResetNotice {
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let url = check.token_url(TokenPurpose::ResetPassword, self.token, self.expires_at)?;
        Ok(PasswordResetContent { url, expires_at: self.expires_at }.into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let expires_at = made_up.now + Duration::from_hours(1);
        Some(Box::new(PasswordResetContent { url: made_up.link(), expires_at }))
    }

    fn overrides(&self) -> Overrides {
        Overrides::Bounce
    }
}

impl NoticeContent for PasswordResetContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::PasswordReset
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText {
            subject: "Set a new password".to_owned(),
            text: format!("You can set a new password here: {}", self.url),
        }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new().with("url", &self.url).with("until", self.expires_at)
    }
}
