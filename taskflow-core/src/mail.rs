//! A letter on its way out: what it is about, its words, and the mail a [`Mailer`](crate::ports::Mailer) sends.

use crate::{DeliveryId, EmailAddress, Locale, NoticeKind, Task, Timestamp, Zone};

/// A name and an address (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// What people call it.
    pub name: Option<String>,
    /// Where it is.
    pub address: EmailAddress,
}

/// Everything a [`Renderer`](crate::ports::Renderer) needs to find the words of one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What to call the reader.
    pub name: String,
    /// The language to write in.
    pub locale: Locale,
    /// The zone to tell times in.
    pub zone: Zone,
    /// Where the service lives, without a slash at the end; `None`: it has no address, write no links.
    pub public_url: Option<String>,
    /// What to tell.
    pub topic: Topic,
}

/// What a letter is about: a [`Notice`](crate::Notice) with its ids looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic {
    /// The account is there.
    Welcome,
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: Timestamp,
    },
    /// A task is due soon.
    TaskDue {
        /// The task as it is now.
        task: Task,
        /// When it is due.
        due_at: Timestamp,
    },
}

impl Topic {
    /// The kind of notice it came from; also the name of its templates.
    #[must_use]
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Welcome => NoticeKind::Welcome,
            Self::PasswordChanged { .. } => NoticeKind::PasswordChanged,
            Self::TaskDue { .. } => NoticeKind::TaskDue,
        }
    }
}

/// The words of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// One line.
    pub subject: String,
    /// Plain text; stands on its own.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
}

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The delivery it comes from; the Message-ID carries it, so that every repeat has the same.
    pub id: DeliveryId,
    /// Its Date.
    pub date: Timestamp,
    /// Whom it goes to.
    pub to: Mailbox,
    /// Its words.
    pub content: Content,
}

/// A mail in the dev mailbox: sent by nobody, kept in the store to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMail {
    /// The delivery it comes from; keeping it again changes nothing.
    pub id: DeliveryId,
    /// When it was kept.
    pub kept_at: Timestamp,
    /// The address it would have gone to.
    pub to: EmailAddress,
    /// Its words.
    pub content: Content,
    /// The whole mail as it would have been sent (RFC 5322).
    pub source: String,
}

/// How many mails the dev mailbox keeps; older ones make room.
pub const MAILBOX_SIZE: usize = 500;
