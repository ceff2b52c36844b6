use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, invitation};
use super::{Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{
    Invitation, LinkTargets, MeetingId, NoticeContent, NoticeKind, Outcome, ParticipantId, PlainText, RenderInput,
    ReplyTo, Timestamp, Variables,
};

/// A participant has left a meeting; for its organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingLeftNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
}

/// The content of a mail that notifies an organizer of participants who left.
///
/// Its templates also have `who` and `email`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingLeftContent(pub Invitation);

impl NoticeType for MeetingLeftNotice {
    const KIND: &'static str = "meeting_left";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl ShippedNotice for MeetingLeftNotice {
    fn needs(&self) -> Needs {
        Needs::meeting(self.meeting, self.participant)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let (meeting, participant) = Subject(self.meeting, self.participant).find(check.batch)?;
        Ok(MeetingLeftContent(invitation(check, meeting, participant)).into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        Some(Box::new(MeetingLeftContent(made_up.invitation()?)))
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(Thread::Left(self.meeting))
    }
}

impl NoticeContent for MeetingLeftContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingLeft
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        let who = meeting::name_or_address(&self.0.participant);
        meeting::plain(input, &self.0, &format!("{who} can't make it"), &format!("{who} will not attend"))
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        meeting::variables(&self.0, None).and(meeting::participant_variables(&self.0.participant))
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::organizer_links(&self.0)
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.0))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Participant(&self.0.participant))
    }

    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.0.meeting)], now)
    }
}
