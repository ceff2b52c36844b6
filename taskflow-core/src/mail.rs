//! A mail on its way out: its content, its words, and the mail a [`Mailer`](crate::ports::Mailer) sends.

mod content;
mod links;
mod variables;

pub use content::{LinkTargets, NoticeContent, OpenTarget, PlainText, ReplyTo, ShownRecipients};
pub use links::{AnswerLinks, MailLinks, TaskAction, TaskActionLinks, TaskLinks};
pub use variables::{Variable, Variables};

use crate::{DeliveryId, EmailAddress, Locale, Meeting, Participant, Timestamp, Zone};

/// A name and an address (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

impl Mailbox {
    /// Returns the name and the address, for example `Ada (ada@example.org)`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.address),
            None => self.address.to_string(),
        }
    }

    /// Returns the name, or the address if there is no name.
    #[must_use]
    pub fn name_or_address(&self) -> &str {
        self.name.as_deref().unwrap_or(self.address.as_str())
    }
}

/// Everything a [`Renderer`](crate::ports::Renderer) needs to write one mail.
#[derive(Debug)]
pub struct RenderInput {
    /// The name of the reader; empty when only the address is known.
    pub name: String,
    /// The language to write in.
    pub locale: Locale,
    /// The time zone of the reader.
    pub zone: Zone,
    /// The Date of the mail. Times relative to it (`in 15 minutes`, `tomorrow`) are the same in every repeat.
    pub date: Timestamp,
    /// The address of the service, without a slash at the end; `None`: write no links to it.
    pub public_url: Option<String>,
    /// The page where the reader ends mail of this kind without signing in. Only recurring mail has one, and only when
    /// the service makes links.
    pub unsubscribe_url: Option<String>,
    /// Signed links to the subject of the mail, and to actions of its reader.
    pub links: MailLinks,
    /// The content of the mail.
    pub content: Box<dyn NoticeContent>,
}

impl RenderInput {
    /// Returns a time in the reader's zone for a mail without templates, for example `2026-11-22 at 10:30 CET`.
    #[must_use]
    pub fn plain_time(&self, at: Timestamp) -> String {
        let clock = self.zone.wall_clock(at);
        format!("{} {}", clock.at.format("%Y-%m-%d at %H:%M"), clock.abbreviation)
    }
}

/// A meeting and one of its participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// The participant: the reader, or the participant whom the organizer is notified about.
    pub participant: Participant,
    /// The page where the participant responds without signing in; `None` if the service makes no links.
    pub respond_url: Option<String>,
}

/// The words of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The subject, one line.
    pub subject: String,
    /// The plain text, complete without the HTML.
    pub text: String,
    /// The same text as HTML.
    pub html: Option<String>,
}

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The delivery it comes from; the Message-ID carries it, so that every repeat has the same.
    pub id: DeliveryId,
    /// The Date of the mail.
    pub date: Timestamp,
    /// The recipient.
    pub to: Mailbox,
    /// The subject and the texts.
    pub content: Content,
    /// The calendar entry that comes with it.
    pub calendar: Option<CalendarPart>,
    /// The headers that only some mail has.
    pub headers: Headers,
}

/// The headers that only some mail has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// The address that ends mail of this kind by one click (List-Unsubscribe and List-Unsubscribe-Post, RFC 8058). An
    /// `http` address is written too, for private networks; large mail providers use `https` only (§3.1).
    pub unsubscribe_url: Option<String>,
    /// The name of its thread: mail with the same name is grouped in the reader's mailbox (References, RFC 5322
    /// §3.6.4). Letters, digits and `-`, at most 200.
    pub thread: Option<String>,
    /// The recipients named in `To`; empty: the recipient of the mail.
    pub shown_to: Vec<Mailbox>,
    /// The recipients named in `Cc`.
    pub cc: Vec<Mailbox>,
    /// The recipient of replies.
    pub reply_to: Option<Mailbox>,
}

/// The method of a calendar entry (RFC 5546 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarMethod {
    /// The calendar shows the entry.
    Publish,
    /// The calendar adds the entry and lets its owner respond.
    Request,
    /// The calendar removes the entry.
    Cancel,
}

impl CalendarMethod {
    /// Returns its word in a calendar object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// A calendar object (RFC 5545) inside a mail (RFC 6047), or by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarPart {
    /// The method of the object.
    pub method: CalendarMethod,
    /// The object: UTF-8, folded, with lines that end in CRLF.
    pub text: String,
}

/// A mail in the dev mailbox: captured in the store instead of being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedMail {
    /// The delivery it comes from; capturing it again changes nothing.
    pub id: DeliveryId,
    /// The time at which it was captured.
    pub kept_at: Timestamp,
    /// The address it would have gone to.
    pub to: EmailAddress,
    /// The subject and the texts.
    pub content: Content,
    /// The whole mail as it would have been sent (RFC 5322).
    pub source: String,
}

impl CapturedMail {
    /// The reply in the ledger for a mail that was captured instead of being sent.
    pub const REPLY: &str = "kept in the dev mailbox";
}

/// The most mails that the dev mailbox keeps; the oldest are removed first.
pub const MAILBOX_SIZE: usize = 500;

/// A write of the dev mailbox.
#[derive(Debug, Clone, PartialEq)]
pub enum MailboxWrite {
    /// Captures a mail; the mailbox keeps the newest [`MAILBOX_SIZE`]. A mail that is there already stays as it is.
    Capture(CapturedMail),
}
