//! A letter on its way out: what it is about, its words, and the mail a [`Mailer`](crate::ports::Mailer) sends.

mod links;

pub use links::{AnswerLinks, LetterLinks, TaskAction, TaskActionLinks, TaskLinks};

use crate::{
    CustomEmail, DeliveryId, Digest, EmailAddress, Locale, Meeting, MeetingFacts, NoticeKind, Participant, ProblemArea,
    Task, TaskStatus, Timestamp, Zone,
};

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
    /// What to call the reader; empty when only the address is known.
    pub name: String,
    /// The language to write in.
    pub locale: Locale,
    /// The zone to tell times in.
    pub zone: Zone,
    /// The Date of the mail. What is told relative to it (`in 15 minutes`, `tomorrow`) is the same in every repeat.
    pub date: Timestamp,
    /// Where the service lives, without a slash at the end; `None`: it has no address, write no links.
    pub public_url: Option<String>,
    /// Where the reader ends mail of this kind without signing in; only for what recurs, and when the service makes links.
    pub unsubscribe_url: Option<String>,
    /// Signed links to what the letter is about, and to what its reader can do about it.
    pub links: LetterLinks,
    /// What to tell.
    pub topic: NoticeContent,
}

/// What a letter is about: a [`Notice`](crate::Notice) with its ids looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoticeContent {
    /// The account is there.
    Welcome {
        /// Where the reader shows that the address is theirs; `None`: it is verified, or the service makes no links.
        verify_url: Option<String>,
    },
    /// An address is to be verified.
    VerifyEmail {
        /// Where the reader does it.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Somebody asked for a new password.
    PasswordReset {
        /// Where the reader sets it.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: Timestamp,
    },
    /// The status of a task was changed.
    TaskStatus {
        /// The task as it is now.
        task: Task,
        /// What it was before.
        was: TaskStatus,
        /// What it became.
        is: TaskStatus,
    },
    /// The open tasks of a digest; at least one.
    TaskReminder(Box<Digest>),
    /// The day ahead.
    DailySummary(Box<Digest>),
    /// Something is wrong with the service.
    ServerAlert {
        /// Since when.
        since: Timestamp,
        /// What, one line each.
        problems: Vec<String>,
        /// The parts of the service that have them.
        areas: Vec<ProblemArea>,
    },
    /// It is right again.
    ServerRecovery {
        /// Since when it was wrong.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
        /// What was wrong, one line each.
        problems: Vec<String>,
    },
    /// A mail that somebody wrote by hand.
    Letter(Box<CustomEmail>),
    /// A task is due soon.
    TaskDue {
        /// The task as it is now.
        task: Task,
        /// When it is due.
        due_at: Timestamp,
        /// More tasks that are due soon, by time; reminded of in the same minute.
        others: Vec<Task>,
    },
    /// Please come.
    MeetingInvite(Box<Invitation>),
    /// A meeting is different.
    MeetingChange {
        /// As it is now.
        invitation: Box<Invitation>,
        /// As the reader knows it.
        was: MeetingFacts,
    },
    /// A meeting is off, for everybody or for the reader.
    MeetingCancel(Box<Invitation>),
    /// A meeting begins soon.
    MeetingReminder {
        /// Which.
        invitation: Box<Invitation>,
        /// What the organizer adds.
        message: Option<String>,
    },
    /// Somebody is no longer in a meeting of the reader.
    MeetingLeft(Box<Invitation>),
    /// Somebody proposes another time for a meeting of the reader.
    MeetingProposal {
        /// The meeting and who proposes.
        invitation: Box<Invitation>,
        /// When it would begin, if they said so.
        starts_at: Option<Timestamp>,
    },
    /// Mail about a meeting of the reader does not reach somebody.
    MeetingUndelivered(Box<Invitation>),
    /// Any other notice, as one that a host defines: it says what is in its fields.
    Custom(Box<CustomContent>),
}

/// What a mail says that needs nothing but the fields of its notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomContent {
    /// The kind of the notice; also the folder of its templates.
    pub kind: NoticeKind,
    /// The subject of a plain text mail, one line.
    pub subject: String,
    /// What a plain text mail says after its greeting.
    pub text: String,
    /// The fields of the notice, for templates.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// A meeting and one of its participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// The participant: the reader, or who left.
    pub participant: Participant,
    /// Where the participant answers without signing in; `None`: the service makes no links.
    pub respond_url: Option<String>,
}

impl NoticeContent {
    /// The tasks that the letter names, most important first.
    #[must_use]
    pub fn tasks(&self) -> Vec<&Task> {
        match self {
            Self::TaskDue { task, others, .. } => std::iter::once(task).chain(others).collect(),
            Self::TaskStatus { task, .. } => vec![task],
            Self::TaskReminder(digest) | Self::DailySummary(digest) => digest.tasks(),
            _ => Vec::new(),
        }
    }

    /// The meetings that a letter about a day names.
    #[must_use]
    pub fn meetings(&self) -> &[Meeting] {
        match self {
            Self::TaskReminder(digest) | Self::DailySummary(digest) => &digest.meetings.items,
            _ => &[],
        }
    }

    /// The invitation of the reader, for letters about a meeting of theirs; not the one of somebody who left.
    #[must_use]
    pub fn invitation(&self) -> Option<&Invitation> {
        match self {
            Self::MeetingInvite(invitation)
            | Self::MeetingCancel(invitation)
            | Self::MeetingChange { invitation, .. }
            | Self::MeetingReminder { invitation, .. } => Some(invitation),
            _ => None,
        }
    }

    /// Whether the letter carries links that complete its task or postpone the reminder.
    #[must_use]
    pub fn offers_task_actions(&self) -> bool {
        matches!(self, Self::TaskDue { .. })
    }

    /// Whether the letter carries links to answer an invitation.
    #[must_use]
    pub fn asks_for_an_answer(&self) -> bool {
        !matches!(self, Self::MeetingCancel(_))
            && self.invitation().is_some_and(|invitation| !invitation.participant.is_organizer())
    }

    /// The kind of notice it came from; also the name of its templates.
    #[must_use]
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Welcome { .. } => NoticeKind::Welcome,
            Self::VerifyEmail { .. } => NoticeKind::VerifyEmail,
            Self::PasswordReset { .. } => NoticeKind::PasswordReset,
            Self::PasswordChanged { .. } => NoticeKind::PasswordChanged,
            Self::TaskStatus { .. } => NoticeKind::TaskStatus,
            Self::TaskReminder(_) => NoticeKind::TaskReminder,
            Self::DailySummary(_) => NoticeKind::DailySummary,
            Self::ServerAlert { .. } => NoticeKind::ServerAlert,
            Self::ServerRecovery { .. } => NoticeKind::ServerRecovery,
            Self::Letter(_) => NoticeKind::Letter,
            Self::TaskDue { .. } => NoticeKind::TaskDue,
            Self::MeetingInvite(_) => NoticeKind::MeetingInvite,
            Self::MeetingChange { .. } => NoticeKind::MeetingChange,
            Self::MeetingCancel(_) => NoticeKind::MeetingCancel,
            Self::MeetingReminder { .. } => NoticeKind::MeetingReminder,
            Self::MeetingLeft(_) => NoticeKind::MeetingLeft,
            Self::MeetingProposal { .. } => NoticeKind::MeetingProposal,
            Self::MeetingUndelivered(_) => NoticeKind::MeetingUndelivered,
            Self::Custom(content) => content.kind,
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
    /// What a calendar takes over from it.
    pub calendar: Option<CalendarPart>,
    /// What only some mail has in its headers.
    pub headers: Headers,
}

/// What only some mail has in its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Where one click ends mail of this kind (List-Unsubscribe and List-Unsubscribe-Post, RFC 8058). Written also when it is
    /// `http`, as on a network of one's own, where it works all the same; large mail providers heed `https` only (§3.1).
    pub unsubscribe_url: Option<String>,
    /// What it is about: mail with the same name here stands together in the reader's mailbox (References, RFC 5322
    /// §3.6.4). Letters, digits and `-`.
    pub thread: Option<String>,
    /// Whom it says it is to, instead of whom it goes to; empty: whom it goes to.
    pub shown_to: Vec<Mailbox>,
    /// Who reads a copy.
    pub cc: Vec<Mailbox>,
    /// Where answers go.
    pub reply_to: Option<Mailbox>,
}

/// What a calendar shall do with an entry (RFC 5546 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarMethod {
    /// Show it.
    Publish,
    /// Take it over and let its owner answer.
    Request,
    /// Take it off.
    Cancel,
}

impl CalendarMethod {
    /// Its word in a calendar object.
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
    /// What a calendar shall do with it.
    pub method: CalendarMethod,
    /// The object: UTF-8, folded, lines end in CRLF.
    pub text: String,
}

/// A mail in the dev mailbox: sent by nobody, kept in the store to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedMail {
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

impl CapturedMail {
    /// What the ledger has as the answer to a mail that was kept instead of being sent.
    pub const REPLY: &str = "kept in the dev mailbox";
}

/// How many mails the dev mailbox keeps; older ones make room.
pub const MAILBOX_SIZE: usize = 500;

/// A write of the dev mailbox.
#[derive(Debug, Clone, PartialEq)]
pub enum MailboxWrite {
    /// Captures a mail; the mailbox keeps the newest [`MAILBOX_SIZE`]. A mail that is there already stays as it is.
    Capture(CapturedMail),
}
