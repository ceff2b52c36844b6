use serde::{Deserialize, Serialize};

use super::{Checked, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice};
use crate::{Headers, Mailbox, NoticeContent, Outcome, Timestamp};

/// A mail that somebody wrote by hand: its words are here, since they are nowhere else.
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
    /// The addresses that it says it is to.
    pub to: Vec<String>,
    /// The addresses that it says get a copy.
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
        Ok(NoticeContent::Letter(Box::new(self.clone())).into())
    }

    fn sample(_: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::Letter(Box::new(Self {
            subject: "News of the week".to_owned(),
            text: Some("Good morning,\n\nthere is news.\n".to_owned()),
            html: None,
            to: vec!["ada@example.org".to_owned()],
            cc: Vec::new(),
            reply_to: None,
        })))
    }

    fn headers(&self) -> Headers {
        let mailbox = |address: &String| Some(Mailbox { name: None, address: address.parse().ok()? });
        Headers {
            shown_to: self.to.iter().filter_map(mailbox).collect(),
            cc: self.cc.iter().filter_map(mailbox).collect(),
            reply_to: self.reply_to.as_ref().and_then(mailbox),
            ..Headers::default()
        }
    }
}
