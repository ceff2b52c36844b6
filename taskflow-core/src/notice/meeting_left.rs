use serde::{Deserialize, Serialize};

use super::meeting::{Subject, invitation};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up,
};
use crate::{MeetingId, NoticeContent, Outcome, ParticipantId, Timestamp};

/// A participant has left a meeting; for its organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingLeftNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
}

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
        Ok(NoticeContent::MeetingLeft(invitation(check, meeting, participant)).into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        Some(NoticeContent::MeetingLeft(made_up::invitation(now)?))
    }

    fn thread(&self) -> Option<Thread> {
        Some(Thread::Left(self.meeting))
    }
}
