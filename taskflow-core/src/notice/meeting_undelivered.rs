use serde::{Deserialize, Serialize};

use super::meeting::{Subject, invitation};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, cancelled, expired, made_up,
};
use crate::{MeetingId, NoticeContent, Outcome, ParticipantId, Timestamp};

/// Mail about a meeting does not reach a participant; for the organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingUndeliveredNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
}

impl NoticeType for MeetingUndeliveredNotice {
    const KIND: &'static str = "meeting_undelivered";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl ShippedNotice for MeetingUndeliveredNotice {
    fn needs(&self) -> Needs {
        Needs::meeting(self.meeting, self.participant)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let (meeting, participant) = Subject(self.meeting, self.participant).find(check.batch)?;
        if participant.delivery_problem.is_none() {
            return Err(cancelled("mail reaches them again"));
        }
        if meeting.ends_at() <= check.now {
            return Err(expired("the meeting is over"));
        }
        Ok(NoticeContent::MeetingUndelivered(invitation(check, meeting, participant)).into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let mut invitation = made_up::invitation(now)?;
        invitation.participant.delivery_problem = "550 5.1.1 no such user".parse().ok();
        Some(NoticeContent::MeetingUndelivered(invitation))
    }
}
