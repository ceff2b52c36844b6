use std::borrow::Cow;

use uuid::Uuid;

use crate::{MeetingResponse, NoticeKind, Snooze, TaskAction, Timestamp};

/// The action that a link in a mail permits its reader without signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkPurpose {
    /// See a meeting and respond to the invitation.
    Respond,
    /// The same, with a chosen response that only has to be confirmed.
    RespondWith(MeetingResponse),
    /// See a meeting as its organizer.
    OpenMeeting,
    /// See a task, complete it or postpone its reminder.
    Task(TaskAction),
    /// See the content of a day.
    OpenDay,
    /// Show that an address is one's own.
    VerifyEmail,
    /// Set a password without knowing the old one.
    ResetPassword,
    /// End mail of a kind.
    Unsubscribe(NoticeKind),
}

impl LinkPurpose {
    /// Returns its word inside a token; never changes.
    #[must_use]
    pub fn as_str(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Respond => "respond",
            Self::RespondWith(MeetingResponse::Accepted) => "respond.accepted",
            Self::RespondWith(MeetingResponse::Tentative) => "respond.tentative",
            Self::RespondWith(MeetingResponse::Declined) => "respond.declined",
            // No mail carries such a link.
            Self::RespondWith(MeetingResponse::Pending) => "respond.pending",
            Self::OpenMeeting => "open_meeting",
            Self::OpenDay => "open_day",
            Self::Task(TaskAction::Open) => "task.open",
            Self::Task(TaskAction::Complete) => "task.complete",
            Self::Task(TaskAction::Snooze(Snooze::OneHour)) => "task.snooze_hour",
            Self::Task(TaskAction::Snooze(Snooze::TomorrowMorning)) => "task.snooze_tomorrow",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::Unsubscribe(kind) => return Cow::Owned(format!("unsubscribe.{kind}")),
        })
    }
}

/// The content of a signed link in a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The action that the link permits.
    pub purpose: LinkPurpose,
    /// The id of its subject: for `Respond` and `RespondWith` of a participant, for `OpenMeeting` of a meeting, for
    /// `Task` of a task, for `OpenDay` of a user. For `Unsubscribe` it is the id of a user or of a participant without
    /// an account, for the others of a [`Token`](crate::Token).
    pub id: Uuid,
    /// The time at which the link expires.
    pub expires_at: Timestamp,
    /// The version of the meeting that the mail shows, for `Respond` and `RespondWith`; `None` in links from before it
    /// was kept.
    pub version: Option<u64>,
}

/// Makes the links that stand in mail, and reads them back.
///
/// # Contract
///
/// * The same link is the same address, byte for byte, so that a repeated mail is the same mail.
/// * Nobody without the key can make one; nothing about it is stored. Keys may be replaced without breaking what was
///   sent.
/// * `open` says nothing about time: who asks compares [`Link::expires_at`].
pub trait Links: Send + Sync {
    /// Returns the URL to put into a mail.
    fn url(&self, link: &Link) -> String;

    /// Returns the link that a token stands for; `None` if the token was not made here or is for another purpose.
    fn open(&self, purpose: LinkPurpose, token: &str) -> Option<Link>;
}
