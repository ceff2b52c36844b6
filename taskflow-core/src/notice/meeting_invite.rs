use serde::{Deserialize, Serialize};

use super::meeting::{Subject, Teller, tell_news};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up,
};
use crate::{MeetingId, NoticeContent, Outcome, ParticipantId, Timestamp};

/// Somebody is invited to a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingInviteNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// True if they had left by themselves: it is news even though nobody told them that it is off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

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
        self.subject().needs()
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), Teller::Invite { again: self.again }, check)
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::MeetingInvite(made_up::invitation(now)?))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}
