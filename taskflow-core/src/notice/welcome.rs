use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice, found};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, Recipient, RenderInput, TokenId, TokenPurpose, Variables};

/// The account is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeNotice {
    /// The token that verifies the address of the reader; absent if no links are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
}

/// The content of the first mail to a new account.
///
/// Its templates have `verify_url`, which may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeContent {
    /// The page on which the reader verifies their address; `None`: it is verified, or the service makes no links.
    pub verify_url: Option<String>,
}

impl NoticeType for WelcomeNotice {
    const KIND: &'static str = "welcome";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);
}

impl ShippedNotice for WelcomeNotice {
    /// Asks to verify the address as long as it is not.
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let Recipient::User(id) = check.delivery.recipient else {
            return Ok(WelcomeContent { verify_url: None }.into());
        };
        let verified = found(check.batch.users.get(&id))?.is_none_or(|user| user.email_verified);
        let expires_at = check.delivery.planned_at + TokenPurpose::VerifyEmail.lifetime();
        let url = |token| check.urls.token(TokenPurpose::VerifyEmail, token, expires_at);
        Ok(WelcomeContent { verify_url: self.token.filter(|_| !verified).and_then(url) }.into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(WelcomeContent { verify_url: Some(made_up.link()) }))
    }

    fn overrides(&self) -> Overrides {
        if self.token.is_some() { Overrides::Complaint } else { Overrides::Nothing }
    }
}

impl NoticeContent for WelcomeContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::Welcome
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        let verify = self.verify_url.as_ref().map(|url| format!(" Please confirm your email address: {url}"));
        PlainText {
            subject: "Welcome to TaskFlow".to_owned(),
            text: format!("Your account is ready.{}", verify.unwrap_or_default()),
        }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new().with("verify_url", self.verify_url.as_ref())
    }
}
