use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meeting::{Subject, Teller, tell_news};
use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, made_up,
};
use crate::{MeetingFacts, MeetingId, NoticeContent, Outcome, ParticipantId, Timestamp};

/// A meeting is different from what a participant was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingChangeNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// The version that brought the change; a later one may tell more.
    pub version: u64,
}

impl NoticeType for MeetingChangeNotice {
    const KIND: &'static str = "meeting_change";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl MeetingChangeNotice {
    fn subject(&self) -> Subject {
        Subject(self.meeting, self.participant)
    }
}

impl ShippedNotice for MeetingChangeNotice {
    fn needs(&self) -> Needs {
        self.subject().needs()
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), Teller::Change { version: self.version }, check)
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let invitation = made_up::invitation(now)?;
        let facts = invitation.meeting.facts();
        let starts_at = facts.starts_at - Duration::from_hours(2);
        let was = MeetingFacts { starts_at, location: Some("Room 2".to_owned()), ..facts };
        Some(NoticeContent::MeetingChange { invitation, was })
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}
