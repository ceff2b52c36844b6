use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice};
use crate::{NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, Timestamp, Variables};

/// The password was changed; who did not do it must know.
///
/// Its templates have `when`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChangedNotice {
    /// The time at which it was changed.
    pub at: Timestamp,
}

impl NoticeType for PasswordChangedNotice {
    const KIND: &'static str = "password_changed";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);
}

impl ShippedNotice for PasswordChangedNotice {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        Ok(self.clone().into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(Self { at: made_up.now }))
    }

    fn overrides(&self) -> Overrides {
        Overrides::Complaint
    }
}

impl NoticeContent for PasswordChangedNotice {
    fn kind(&self) -> NoticeKind {
        NoticeKind::PasswordChanged
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        PlainText {
            subject: "Your password was changed".to_owned(),
            text: format!("Your password was changed on {}.", input.plain_time(self.at)),
        }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new().with("when", self.at)
    }
}
