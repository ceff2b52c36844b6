use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, invitation, is_on};
use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, cancelled, expired,
};
use crate::{
    Comment, Invitation, LinkTargets, MeetingId, MeetingResponse, NoticeContent, NoticeKind, Outcome, ParticipantId,
    PlainText, RenderInput, ReplyTo, Timestamp, Variables,
};

/// A participant proposes another time; for the organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingProposalNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
    /// The proposed start, if the proposal has one. The proposal is void once the participant no longer proposes it.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
}

/// The content of a mail that notifies an organizer of a proposal of another time.
///
/// Its templates also have `who`, `email`, `proposed`, the time, and `comment`; the last two may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingProposalContent {
    /// The meeting, and the participant who proposes.
    pub invitation: Invitation,
    /// The proposed start, if the proposal has one.
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

    /// Drops a proposal that a later response or another time of the meeting has replaced.
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
        Ok(MeetingProposalContent { invitation, starts_at: self.starts_at }.into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let mut invitation = made_up.invitation()?;
        let starts_at = Some(invitation.meeting.starts_at + Duration::from_hours(2));
        invitation.participant.comment = made_up.text("Could we meet a little later?").parse().ok();
        Some(Box::new(MeetingProposalContent { invitation, starts_at }))
    }
}

impl NoticeContent for MeetingProposalContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingProposal
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        let participant = &self.invitation.participant;
        let who = meeting::name_or_address(participant);
        let at = self.starts_at.map_or_else(String::new, |at| format!(" {}", input.plain_time(at)));
        let comment = participant.comment.as_ref().map_or("", Comment::as_str);
        let line = format!("{who} proposes another time:{at} {comment}\n\nYour meeting is");
        meeting::plain(input, &self.invitation, &format!("{who} proposes another time"), &line)
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        let participant = &self.invitation.participant;
        meeting::variables(&self.invitation, None)
            .and(meeting::participant_variables(participant))
            .with("proposed", self.starts_at)
            .with("comment", participant.comment.as_ref().map(Comment::as_str))
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::organizer_links(&self.invitation)
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.invitation))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        Some(ReplyTo::Participant(&self.invitation.participant))
    }

    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.invitation.meeting)], now)
    }
}
