use serde::{Deserialize, Serialize};

use super::{Checked, MadeUp, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice};
use crate::{Mailbox, NoticeContent, NoticeKind, Outcome, PlainText, RenderInput, ReplyTo, ShownRecipients, Variables};

/// A custom email. It contains its words, because they are stored nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomEmail {
    /// The subject, one line.
    pub subject: String,
    /// The plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The addresses shown in `To`.
    pub to: Vec<String>,
    /// The addresses shown in `Cc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// The address that replies go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl NoticeType for CustomEmail {
    const KIND: &'static str = "letter";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Task);
}

impl ShippedNotice for CustomEmail {
    fn check(&self, _: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        Ok(self.clone().into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(Self {
            subject: made_up.text("News of the week").to_owned(),
            text: Some("Good morning,\n\nthere is news.\n".to_owned()),
            html: None,
            to: vec!["ada@example.org".to_owned()],
            cc: Vec::new(),
            reply_to: None,
        }))
    }
}

impl NoticeContent for CustomEmail {
    fn kind(&self) -> NoticeKind {
        NoticeKind::Letter
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText { subject: self.subject.clone(), text: self.text.clone().unwrap_or_default() }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        Variables::new()
    }

    fn written(&self) -> Option<&CustomEmail> {
        Some(self)
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        self.reply_to.as_deref().and_then(mailbox).map(ReplyTo::Mailbox)
    }

    fn shown_recipients(&self) -> ShownRecipients {
        let mailboxes = |addresses: &[String]| addresses.iter().filter_map(|address| mailbox(address)).collect();
        ShownRecipients { to: mailboxes(&self.to), cc: mailboxes(&self.cc) }
    }
}

fn mailbox(address: &str) -> Option<Mailbox> {
    Some(Mailbox { name: None, address: address.parse().ok()? })
}
