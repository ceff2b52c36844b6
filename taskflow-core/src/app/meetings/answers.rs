//! Answers to invitations: in the service, by a link in a mail, and by calendars.

mod reply;

pub use reply::ReplyTaken;

use super::super::retry::Attempt;
use super::super::{App, LinkUseCases, ParticipantUseCases};
use super::active_participants;
use super::changes::people;
use super::people::still_on;
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::notice::MeetingProposalNotice;
use crate::ports::{Counter, Link, LinkPurpose, ProposedStart};
use crate::{
    Actor, Comment, DedupeKey, FeedEvent, Invitation, Locale, MeetingFacts, MeetingId, MeetingResponse, MeetingWrite,
    NewDelivery, Notice, OutdatedAnswer, Participant, ParticipantId, ParticipantWrite, Recipient, Revision, Timestamp,
    Viewer, Zone,
};

/// The invitation behind a link in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedInvitation {
    /// The meeting as it is now, and the participant.
    pub invitation: Invitation,
    /// The meeting as the mail showed it, if its time or place has changed since.
    pub was: Option<MeetingFacts>,
    /// The language the participant reads.
    pub locale: Locale,
    /// The zone they read times in.
    pub time_zone: Zone,
}

/// A response as it was given.
struct GivenResponse {
    response: MeetingResponse,
    comment: Option<Comment>,
    /// The time of the response, if it is not now.
    at: Option<Timestamp>,
    shown: Shown,
    /// The proposed other time.
    counter: Option<Counter>,
}

/// The state of the meeting to which somebody responds.
#[derive(Clone, Copy)]
enum Shown {
    /// The meeting as it is.
    Present,
    /// One of its versions.
    Version(u64),
    /// The state with this SEQUENCE in calendars.
    Sequence(u32),
}

impl ParticipantUseCases<'_> {
    /// Records the actor's response to an invitation: to `version` of the meeting, or to its present version.
    ///
    /// Fails with `Outdated` when time or place differ from that version.
    pub async fn respond(
        self,
        actor: Actor,
        id: MeetingId,
        response: MeetingResponse,
        comment: Option<Comment>,
        version: Option<u64>,
    ) -> Result<Participant, Error> {
        let scope = actor.scope()?;
        let mine = |participants: &[Participant]| {
            participants.iter().find(|one| one.user_id == Some(scope.person()) && one.is_in()).cloned()
        };
        let shown = version.map_or(Shown::Present, Shown::Version);
        self.app
            .answer(
                actor,
                Viewer::Person(scope.reading()),
                id,
                mine,
                GivenResponse { response, comment, at: None, shown, counter: None },
            )
            .await
    }
}

impl LinkUseCases<'_> {
    /// Returns the invitation behind a link in a mail. Fails with `NotFound` if the link was not made here or has
    /// expired, or if its reader is no longer a participant.
    pub async fn invitation(self, token: &str) -> Result<LinkedInvitation, Error> {
        let no_such = || Error::NotFound("invitation");
        let links = self.app.links.as_ref().ok_or_else(no_such)?;
        self.app.ensure_clock()?;
        let link = self.app.respond_link(token).ok_or_else(no_such)?;
        if link.expires_at <= self.app.clock.now() {
            return Err(no_such());
        }
        let participant = self.app.participant(ParticipantId::from_uuid(link.id)).await?.ok_or_else(no_such)?;
        // Whoever turned out to be somebody in the meeting answers as them.
        let participant = match participant.merged_into {
            Some(same) => self.app.participant(same).await?.ok_or_else(no_such)?,
            None => participant,
        };
        if !participant.is_in() {
            return Err(no_such());
        }
        let meeting_id = participant.meeting_id;
        let found = self.app.store.meetings_by_id(&[meeting_id], Viewer::Service).await?.remove(&meeting_id);
        let meeting = found.ok_or_else(no_such)?.map_err(|bad| Error::Internal(bad.into()))?;
        let was = match link.version {
            Some(version) => self.app.revision(meeting_id, version).await?.map(|revision| revision.facts),
            None => None,
        };
        let was = was.filter(|was| !was.same_time_and_place(&meeting.facts()));
        // A guest reads the organizer's language and the zone of the meeting unless they were given others.
        let reads = match participant.user_id.or(meeting.created_by) {
            Some(user) => self.app.store.user(user).await?,
            None => None,
        };
        let (locale, time_zone) = match reads {
            Some(user) if participant.user_id.is_some() => (user.locale, user.time_zone),
            user => {
                let locale = participant.locale.clone().or(user.map(|user| user.locale)).unwrap_or_else(Locale::en);
                (locale, participant.time_zone.clone().unwrap_or_else(|| meeting.time_zone.clone()))
            }
        };
        let invitation = Invitation { meeting, participant, respond_url: Some(links.url(&link)) };
        Ok(LinkedInvitation { invitation, was, locale, time_zone })
    }

    /// Records the response of the holder of a link in a mail: to `version` of the meeting, otherwise to the version
    /// that the mail shows.
    ///
    /// Fails with `Outdated` when time or place differ from that version.
    pub async fn respond(
        self,
        token: &str,
        response: MeetingResponse,
        comment: Option<Comment>,
        version: Option<u64>,
    ) -> Result<Participant, Error> {
        let LinkedInvitation { invitation: Invitation { participant, .. }, .. } = self.invitation(token).await?;
        let linked = self.app.respond_link(token).and_then(|link| link.version);
        let shown = version.or(linked).map_or(Shown::Present, Shown::Version);
        let actor = participant.user_id.map_or(Actor::System, Actor::User);
        let this = |participants: &[Participant]| {
            participants.iter().find(|one| one.id == participant.id && one.is_in()).cloned()
        };
        let given = GivenResponse { response, comment, at: None, shown, counter: None };
        self.app.answer(actor, Viewer::Service, participant.meeting_id, this, given).await
    }
}

impl App {
    /// Returns the link behind a token, whether it carries a response or not.
    fn respond_link(&self, token: &str) -> Option<Link> {
        let answers = MeetingResponse::ALL.into_iter().map(LinkPurpose::RespondWith);
        let purposes = std::iter::once(LinkPurpose::Respond).chain(answers);
        purposes.into_iter().find_map(|purpose| self.links.as_ref()?.open(purpose, token))
    }

    /// Fails with `Outdated` unless a response to what the participant was shown is also a response to the present
    /// meeting.
    async fn still_so(&self, details: &MeetingDetails, who: &Participant, shown: Shown) -> Result<(), Error> {
        let meeting = &details.meeting;
        let (was, known) = match shown {
            Shown::Present => return Ok(()),
            Shown::Version(version) if version == meeting.version => return Ok(()),
            Shown::Sequence(sequence) if sequence >= meeting.sequence => return Ok(()),
            // One that is yet to come was shown to nobody, unless the store was restored from a backup.
            Shown::Version(version) if version > meeting.version => (None, false),
            Shown::Version(version) => (self.revision(meeting.id, version).await?, true),
            // Edits that undid each other raise the sequence, and nobody hears of them: what counts is what they were
            // told last.
            Shown::Sequence(sequence) => match who.told.filter(|told| told.on) {
                Some(told) => {
                    let revision = self.revision(meeting.id, told.version).await?;
                    let told_by = |revision: &Revision| {
                        // From before it was kept: the first version had the first sequence.
                        let kept = revision.sequence.or((revision.version == 1).then_some(0));
                        kept.is_some_and(|told| told <= sequence)
                    };
                    let known = revision.as_ref().is_some_and(told_by);
                    (revision, known)
                }
                None => (None, false),
            },
        };
        let was = was.map(|revision| revision.facts);
        if known && was.as_ref().is_some_and(|was| was.same_time_and_place(&meeting.facts())) {
            return Ok(());
        }
        Err(Error::Outdated(Box::new(OutdatedAnswer { was, now: active_participants(details.clone()) })))
    }

    /// Returns a participant, whether they still participate or not.
    pub(in super::super) async fn participant(&self, id: ParticipantId) -> Result<Option<Participant>, Error> {
        let found = self.store.participants_by_id(&[id]).await?.remove(&id);
        found.transpose().map_err(|bad| Error::Internal(bad.into()))
    }

    /// Returns the facts of a meeting at one of its versions.
    pub(in super::super) async fn revision(&self, meeting: MeetingId, version: u64) -> Result<Option<Revision>, Error> {
        let wanted = (meeting, version);
        let found = self.store.revisions(&[wanted]).await?.remove(&wanted);
        found.transpose().map_err(|bad| Error::Internal(bad.into()))
    }

    /// Records a response, with its effect on the reminders of the participant.
    async fn answer(
        &self,
        actor: Actor,
        viewer: Viewer,
        id: MeetingId,
        who: impl Fn(&[Participant]) -> Option<Participant> + Send,
        GivenResponse { response, comment, at: given_at, shown, counter }: GivenResponse,
    ) -> Result<Participant, Error> {
        if response == MeetingResponse::Pending {
            return Err(FieldError::new("response", "must be accepted, declined or tentative").into());
        }
        self.retry(id.as_uuid(), || async {
            let details = self.meeting_details(viewer, id).await?;
            let before = who(&details.participants).ok_or(Error::NotFound("participant"))?;
            let now = self.clock.now();
            still_on(&details, now)?;
            self.still_so(&details, &before, shown).await?;
            // A calendar says when the answer was given, which is not later than it came.
            let at = given_at.map_or(now, |at| at.min(now));
            let mut after = before.respond(response, comment.clone(), at);
            // Every answer takes back what was proposed before.
            let proposed = counter.and_then(|counter| counter.starts_at).map(|start| match start {
                ProposedStart::At(at) => at,
                ProposedStart::Local(local) => details.meeting.time_zone.instant(local),
            });
            if proposed != before.proposed_start && after.version == before.version {
                (after.version, after.responded_at) = (before.version + 1, Some(at));
            }
            after.proposed_start = proposed;
            if after == before {
                return Ok(Attempt::Unchanged(before));
            }
            after.answered_version = Some(details.meeting.version);
            let changes = self.answer_changes(actor, &details, &before, &after, now);
            let proposal = counter.and_then(|_| self.proposal(&details, &after, now));
            Ok(Attempt::Commit(changes.deliver(proposal).under(viewer), after))
        })
        .await
    }

    /// Notifies the organizer that a participant proposes another time.
    fn proposal(&self, details: &MeetingDetails, who: &Participant, now: Timestamp) -> Option<NewDelivery> {
        let (meeting, participant) = (details.meeting.id, who.id);
        details.meeting.created_by.map(|organizer| {
            self.new_delivery(
                DedupeKey::new(format!("meeting-proposal/{meeting}/{participant}/{}", who.version)),
                Notice::MeetingProposal(MeetingProposalNotice { meeting, participant, starts_at: who.proposed_start }),
                Recipient::User(organizer),
                now,
            )
            .because("a participant proposes another time")
        })
    }

    fn answer_changes(
        &self,
        actor: Actor,
        details: &MeetingDetails,
        before: &Participant,
        after: &Participant,
        now: Timestamp,
    ) -> crate::Changes {
        let meeting = &details.meeting;
        let audience = people(&details.participants);
        let was = MeetingDetails { meeting: meeting.clone(), participants: vec![before.clone()] };
        let is = MeetingDetails { meeting: meeting.clone(), participants: vec![after.clone()] };
        self.reminder_changes(Some(&was), &is, now)
            .write(ParticipantWrite::Update(after.clone()))
            .write(MeetingWrite::ExpectVersion { id: meeting.id, version: meeting.version })
            .announce(FeedEvent::response(self.event_id(now), actor, before, after, now, audience))
    }
}
