use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, UpdateNotice, tell_news};
use super::{Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{
    CalendarMethod, Invitation, LinkTargets, MeetingId, NoticeContent, NoticeKind, Outcome, ParticipantId, PlainText,
    RenderInput, ReplyTo, Timestamp, Variables,
};

/// A participant is invited to a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingInviteNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// Whether they had left by themselves: then it is an update although they were not notified of a cancellation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// The content of an invitation.
///
/// Its templates, and those of all notices about a meeting, have `title`, `when`, `when_briefly`, `relative` (the time
/// until it starts as the mail is sent), `lasts`, `how`, `organizer`, `organizer_name` (the address where there is no
/// name) and `is_cancelled`; what may be none: `description`, `location`, `meeting_url`, `answer` (the reader's own so
/// far) and `respond_url`, a page where it can be given; `rows`, the facts as a list of `{label, value, was, url}` (the
/// last two may be none); and `changes`, a list of `{what, was, is}`, which is empty but in `meeting_change`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingInviteContent(pub Invitation);

impl NoticeType for MeetingInviteNotice {
    const KIND: &'static str = "meeting_invite";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl MeetingInviteNotice {
    fn subject(&self) -> Subject {
        Subject(self.meeting, self.participant)
    }
}

impl ShippedNotice for MeetingInviteNotice {
    fn needs(&self) -> Needs {
        self.subject().needs_of_news(UpdateNotice::Invite { again: self.again })
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), UpdateNotice::Invite { again: self.again }, check)
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(MeetingInviteContent(made_up.invitation()?)))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}

impl NoticeContent for MeetingInviteContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingInvite
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        meeting::plain(input, &self.0, "Invitation", "You are invited to")
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        meeting::variables(&self.0, None)
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::reader_links(&self.0)
    }

    fn invitation(&self) -> Option<&Invitation> {
        Some(&self.0)
    }

    fn calendar(&self) -> Option<(CalendarMethod, &Invitation)> {
        Some((CalendarMethod::Request, &self.0))
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.0))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Organizer(&self.0.meeting))
    }

    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.0.meeting)], now)
    }
}
