//! The content of a mail: its words, its links, and its presentation in mail programs.

use std::any::Any;
use std::fmt;

use super::variables::Variables;
use super::{CalendarMethod, Invitation, Mailbox, RenderInput};
use crate::{CustomEmail, Meeting, NoticeKind, Participant, Task, Timestamp};

/// The content of a mail: a [`Notice`](crate::Notice) with its ids looked up. Each notice has its own, in its own file.
pub trait NoticeContent: fmt::Debug + Any + Send + Sync {
    /// Returns the kind of notice that it came from; also the folder of its templates.
    fn kind(&self) -> NoticeKind;

    /// Returns the words of a mail without templates, in English.
    fn plain(&self, input: &RenderInput) -> PlainText;

    /// Returns the variables of its templates, beside those that all templates have.
    fn variables<'a>(&'a self, input: &'a RenderInput) -> Variables<'a>;

    /// Returns the words of a custom email. They are sent as they are, without a template.
    fn written(&self) -> Option<&CustomEmail> {
        None
    }

    /// Returns the links of its mail.
    fn links(&self) -> LinkTargets<'_> {
        LinkTargets::default()
    }

    /// Returns the invitation of its reader, for mail about a meeting that they are invited to. Mail to an organizer
    /// about another participant has none.
    fn invitation(&self) -> Option<&Invitation> {
        None
    }

    /// Returns the calendar entry that comes with its mail.
    fn calendar(&self) -> Option<(CalendarMethod, &Invitation)> {
        None
    }

    /// Returns the thread that its mail belongs to ([`Headers::thread`](crate::Headers::thread)).
    fn thread(&self) -> Option<String> {
        None
    }

    /// Returns who gets replies to its mail; `None`: the service.
    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        None
    }

    /// Returns the recipients that its mail names, where they differ from its reader.
    fn shown_recipients(&self) -> ShownRecipients {
        ShownRecipients::default()
    }

    /// Returns the time at which its subject happens, if that lies ahead of `now` or goes on. Quiet hours do not hold a
    /// mail that would come too late.
    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let _ = now;
        None
    }
}

impl dyn NoticeContent {
    /// Returns the content as its own type, if it is of that type.
    #[must_use]
    pub fn downcast_ref<C: NoticeContent>(&self) -> Option<&C> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// The words of a mail without templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText {
    /// The subject, one line.
    pub subject: String,
    /// The text after the greeting.
    pub text: String,
}

/// The pages and actions that a mail links to. [`MailLinks`](crate::MailLinks) has their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkTargets<'a> {
    /// The page of the subject of the mail.
    pub open: Option<OpenTarget<'a>>,
    /// The invitation that the reader can respond to.
    pub answers: Option<&'a Invitation>,
    /// The tasks that the mail names, most important first.
    pub tasks: Vec<&'a Task>,
    /// True if open tasks among them have links that complete them or postpone the reminder.
    pub task_actions: bool,
    /// The meetings of the reader's day.
    pub meetings: &'a [Meeting],
}

/// The page of the subject of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenTarget<'a> {
    /// A task, one of [`LinkTargets::tasks`].
    Task(&'a Task),
    /// A meeting, for a participant.
    Invitation(&'a Invitation),
    /// A meeting, for its organizer.
    Meeting(&'a Meeting),
    /// The reader's day.
    Day,
    /// A page of the host.
    Url(String),
}

/// The recipient of replies to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyTo<'a> {
    /// The organizer of a meeting, unless they read the mail.
    Organizer(&'a Meeting),
    /// A participant of a meeting, unless they read the mail.
    Participant(&'a Participant),
    /// An address of its own.
    Mailbox(Mailbox),
}

/// The recipients that a mail names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownRecipients {
    /// The recipients in `To`; empty: the reader.
    pub to: Vec<Mailbox>,
    /// The recipients in `Cc`.
    pub cc: Vec<Mailbox>,
}
