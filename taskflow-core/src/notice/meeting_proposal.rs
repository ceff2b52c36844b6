use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meeting::{Subject, invitation, is_on};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, cancelled, expired, made_up,
};
use crate::{MeetingId, MeetingResponse, NoticeContent, Outcome, ParticipantId, Timestamp};

/// A participant proposes another time; for the organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingProposalNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// The proposed start, if the proposal has one. Once the participant no longer proposes it, the proposal no longer
    /// stands.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
}

impl NoticeType for MeetingProposalNotice {
    const KIND: &'static str = "meeting_proposal";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl ShippedNotice for MeetingProposalNotice {
    fn needs(&self) -> Needs {
        Needs::meeting(self.meeting, self.participant)
    }

    /// A later answer or another time of the meeting takes a proposal back.
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let (meeting, participant) = Subject(self.meeting, self.participant).find(check.batch)?;
        if !is_on(meeting, participant) {
            return Err(cancelled("the meeting is off, or they are no longer in it"));
        }
        if participant.response != MeetingResponse::Tentative || participant.proposed_start != self.starts_at {
            return Err(cancelled("the proposal no longer stands"));
        }
        if meeting.ends_at() <= check.now {
            return Err(expired("the meeting is over"));
        }
        let invitation = invitation(check, meeting, participant);
        Ok(NoticeContent::MeetingProposal { invitation, starts_at: self.starts_at }.into())
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let mut invitation = made_up::invitation(now)?;
        let starts_at = Some(invitation.meeting.starts_at + Duration::from_hours(2));
        invitation.participant.comment = "Could we meet a little later?".parse().ok();
        Some(NoticeContent::MeetingProposal { invitation, starts_at })
    }
}
