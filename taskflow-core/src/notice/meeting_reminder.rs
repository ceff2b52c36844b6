use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, invitation, participant_reads};
use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, cancelled, expired,
};
use crate::{
    Entity, Invitation, LinkTargets, Meeting, MeetingId, MeetingResponse, NoticeContent, NoticeKind, Outcome,
    Participant, ParticipantId, PlainText, RenderInput, ReplyTo, Timestamp, Variables, reminder_minutes,
};

/// A meeting begins soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingReminderNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// The start of the meeting as this was planned; a meeting that moved has another notice.
    pub starts_at: Timestamp,
    /// The minutes before the start; `None`: the organizer sent it by hand.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// A message from the organizer.
    #[serde(default)]
    pub message: Option<String>,
}

/// The content of a reminder of a meeting.
///
/// Its templates also have `message`, which may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingReminderContent {
    /// The meeting and its reader.
    pub invitation: Invitation,
    /// A message from the organizer.
    pub message: Option<String>,
}

impl NoticeType for MeetingReminderNotice {
    const KIND: &'static str = "meeting_reminder";
    const POLICY: NoticePolicy = NoticePolicy { kept_until_due: true, ..NoticePolicy::recurring(Priority::Meeting) };

    fn expires_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(match self.minutes {
            // One that is due as the meeting begins has that minute.
            Some(0) => self.starts_at + Duration::from_mins(1),
            Some(_) | None => self.starts_at,
        })
    }
}

impl MeetingReminderNotice {
    fn subject(&self) -> Subject {
        Subject(self.meeting, self.participant)
    }
}

impl ShippedNotice for MeetingReminderNotice {
    fn needs(&self) -> Needs {
        self.subject().needs()
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let (meeting, participant) = self.subject().find(check.batch)?;
        check.addressee = participant_reads(meeting, participant, check.batch)?;
        still_reminds(meeting, participant, self.starts_at)?;
        // Whatever minutes the organizer writes into one that is sent by hand, it is one of its own.
        let asked = self.minutes.filter(|_| !check.delivery.dedupe_key.is_by_hand());
        if asked.is_some_and(|minutes| a_nearer_one_is_due(meeting, participant, minutes, check.now)) {
            return Err(expired("a later reminder of the meeting has come due"));
        }
        let invitation = invitation(check, meeting, participant);
        Ok(MeetingReminderContent { invitation, message: self.message.clone() }.into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let message = Some(made_up.text("Please bring your figures.").to_owned());
        Some(Box::new(MeetingReminderContent { invitation: made_up.invitation()?, message }))
    }

    fn participant(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(self.subject().thread())
    }

    fn reminds(&self) -> Option<Entity> {
        Some(Entity::Meeting(self.meeting))
    }
}

fn still_reminds(meeting: &Meeting, participant: &Participant, starts_at: Timestamp) -> Result<(), Outcome> {
    let reason = if meeting.cancelled_at.is_some() {
        "the meeting is cancelled"
    } else if meeting.ended_at.is_some() {
        "the meeting was ended"
    } else if meeting.starts_at != starts_at {
        "the meeting begins at another time"
    } else if !participant.is_in() {
        "the participant is no longer in the meeting"
    } else if participant.response == MeetingResponse::Declined {
        "the participant declined"
    } else {
        return Ok(());
    };
    Err(cancelled(reason))
}

/// Returns whether another reminder of the participant, nearer to the meeting, is due: it contains all that this one
/// does.
fn a_nearer_one_is_due(meeting: &Meeting, participant: &Participant, minutes: u32, now: Timestamp) -> bool {
    let mut nearer = reminder_minutes(meeting, participant).iter().filter(|other| other.get() < minutes);
    nearer.any(|other| meeting.starts_at - other.duration() <= now)
}

impl NoticeContent for MeetingReminderContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingReminder
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        meeting::plain(input, &self.invitation, "Soon", "This meeting starts soon:")
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        meeting::variables(&self.invitation, None).with("message", self.message.as_ref())
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::reader_links(&self.invitation)
    }

    fn invitation(&self) -> Option<&Invitation> {
        Some(&self.invitation)
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.invitation))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Organizer(&self.invitation.meeting))
    }

    fn happens_at(&self, _: Timestamp) -> Option<Timestamp> {
        Some(self.invitation.meeting.starts_at)
    }
}
