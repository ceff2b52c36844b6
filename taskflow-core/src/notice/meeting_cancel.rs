use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, UpdateNotice, tell_news};
use super::{Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{
    CalendarMethod, Invitation, LinkTargets, MeetingId, NoticeContent, NoticeKind, OpenTarget, Outcome, ParticipantId,
    PlainText, RenderInput, ReplyTo, Timestamp, Variables,
};

/// A meeting is off, for everybody or for this participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingCancelNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
}

/// The content of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingCancelContent {
    /// The meeting as the reader knows it, and the reader.
    pub invitation: Invitation,
    /// The start and the end that the meeting had in the end, which the reader may not know.
    pub last_planned: (Timestamp, Timestamp),
}

impl NoticeType for MeetingCancelNotice {
    const KIND: &'static str = "meeting_cancel";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl MeetingCancelNotice {
    fn subject(&self) -> Subject {
        Subject(self.meeting, self.participant)
    }
}

impl ShippedNotice for MeetingCancelNotice {
    fn needs(&self) -> Needs {
        self.subject().needs_of_news(UpdateNotice::Cancel)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), UpdateNotice::Cancel, check)
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let mut invitation = made_up.invitation()?;
        invitation.meeting = invitation.meeting.cancel(made_up.now);
        let last_planned = meeting::span(&invitation.meeting);
        Some(Box::new(MeetingCancelContent { invitation, last_planned }))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}

impl NoticeContent for MeetingCancelContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingCancel
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        meeting::plain(input, &self.invitation, "Cancelled", "This meeting is cancelled:")
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        meeting::variables(&self.invitation, None)
    }

    fn links(&self) -> LinkTargets<'_> {
        LinkTargets { open: Some(OpenTarget::Invitation(&self.invitation)), ..LinkTargets::default() }
    }

    fn invitation(&self) -> Option<&Invitation> {
        Some(&self.invitation)
    }

    fn calendar(&self) -> Option<(CalendarMethod, &Invitation)> {
        Some((CalendarMethod::Cancel, &self.invitation))
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.invitation))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Organizer(&self.invitation.meeting))
    }

    /// Returns the earlier of both starts, because participants would come to that one.
    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.invitation.meeting), self.last_planned], now)
    }
}
