use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, UpdateNotice, tell_news};
use super::{Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread};
use crate::{
    CalendarMethod, Invitation, LinkTargets, MeetingFacts, MeetingId, NoticeContent, NoticeKind, Outcome,
    ParticipantId, PlainText, RenderInput, ReplyTo, Timestamp, Variables,
};

/// A meeting differs from what a participant was last notified of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingChangeNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// The version that brought the change; a later one may contain more changes.
    pub version: u64,
}

/// The content of a mail about changes to a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingChangeContent {
    /// The meeting as it is now, and its reader.
    pub invitation: Invitation,
    /// The meeting as the reader knows it.
    pub was: MeetingFacts,
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
        self.subject().needs_of_news(UpdateNotice::Change { version: self.version })
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        tell_news(self.subject(), UpdateNotice::Change { version: self.version }, check)
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let invitation = made_up.invitation()?;
        let facts = invitation.meeting.facts();
        let starts_at = facts.starts_at - Duration::from_hours(2);
        let (title, description) = match made_up.typed {
            Some(_) => (made_up.earlier_text(""), Some(made_up.earlier_text(""))),
            None => (facts.title.clone(), facts.description.clone()),
        };
        let was =
            MeetingFacts { title, description, starts_at, location: Some(made_up.earlier_text("Room 2")), ..facts };
        Some(Box::new(MeetingChangeContent { invitation, was }))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }
}

impl NoticeContent for MeetingChangeContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingChange
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        meeting::plain(input, &self.invitation, "Changed", "There are changes to")
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        meeting::variables(&self.invitation, Some(&self.was))
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::reader_links(&self.invitation)
    }

    fn invitation(&self) -> Option<&Invitation> {
        Some(&self.invitation)
    }

    fn calendar(&self) -> Option<(CalendarMethod, &Invitation)> {
        Some((CalendarMethod::Request, &self.invitation))
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.invitation))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Organizer(&self.invitation.meeting))
    }

    /// Returns the earlier of both starts, because participants would come to that one.
    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.invitation.meeting), (self.was.starts_at, self.was.ends_at())], now)
    }
}
