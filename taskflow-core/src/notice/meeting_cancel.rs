use serde::{Deserialize, Serialize};

use super::meeting::{Subject, Teller, tell_news};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up,
};
use crate::{MeetingId, NoticeContent, Outcome, ParticipantId, Timestamp};

/// A meeting is off, for everybody or for this participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingCancelNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
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
        self.subject().needs()
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), Teller::Cancel, check)
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let mut invitation = made_up::invitation(now)?;
        invitation.meeting = invitation.meeting.cancel(now);
        Some(NoticeContent::MeetingCancel(invitation))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}
