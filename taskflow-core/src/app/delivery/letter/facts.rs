//! Looking up what a batch of deliveries is about: one read per kind of thing, whatever their number.

use std::collections::{BTreeSet, HashSet};

use super::super::App;
use crate::error::StoreError;
use crate::ports::{Claimed, Loaded, Viewer};
use crate::{
    DeliveryState, Meeting, MeetingId, Notice, Participant, ParticipantId, Recipient, Revision, Task, TaskId, User,
    UserId,
};

/// What a batch of deliveries is about.
pub(in super::super) struct Facts {
    pub(super) users: Loaded<UserId, User>,
    pub(super) tasks: Loaded<TaskId, Task>,
    pub(super) meetings: Loaded<MeetingId, Meeting>,
    pub(super) participants: Loaded<ParticipantId, Participant>,
    /// By what a participant was told last.
    pub(super) revisions: Loaded<(MeetingId, u64), Revision>,
    /// Who is being sent an invitation at this moment, as far as it matters to another notice.
    pub(super) invites_in_flight: HashSet<ParticipantId>,
    /// Addresses that get no mail, by their keys.
    pub(super) suppressed: HashSet<String>,
}

impl App {
    /// Looks everything up that the batch needs.
    pub(in super::super) async fn load(&self, claims: &[Claimed]) -> Result<Facts, StoreError> {
        let (mut users, mut tasks, mut meetings, mut participants) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for Claimed { delivery, .. } in claims {
            if let Recipient::User(id) = delivery.recipient {
                users.insert(id);
            }
            match &delivery.notice {
                Ok(Notice::TaskDue { task, .. } | Notice::TaskStatus { task, .. }) => {
                    tasks.insert(*task);
                }
                Ok(
                    Notice::MeetingInvite { meeting, participant }
                    | Notice::MeetingChange { meeting, participant, .. }
                    | Notice::MeetingCancel { meeting, participant }
                    | Notice::MeetingReminder { meeting, participant, .. }
                    | Notice::MeetingLeft { meeting, participant },
                ) => {
                    meetings.insert(*meeting);
                    participants.insert(*participant);
                }
                Ok(
                    Notice::Letter(_)
                    | Notice::Sample { .. }
                    | Notice::Welcome { .. }
                    | Notice::VerifyEmail { .. }
                    | Notice::PasswordReset { .. }
                    | Notice::PasswordChanged { .. },
                )
                | Err(_) => {}
            }
        }
        let mut facts = Facts {
            users: Loaded::new(),
            tasks: Loaded::new(),
            meetings: Loaded::new(),
            participants: Loaded::new(),
            revisions: Loaded::new(),
            invites_in_flight: HashSet::new(),
            suppressed: HashSet::new(),
        };
        if !tasks.is_empty() {
            facts.tasks = self.store.tasks_by_id(&Vec::from_iter(tasks), None).await?;
        }
        if !meetings.is_empty() {
            // People before the meeting: who answers or is moved in between is seen with a meeting at least as new.
            facts.participants = self.store.participants_by_id(&Vec::from_iter(participants)).await?;
            facts.meetings = self.store.meetings_by_id(&Vec::from_iter(meetings), Viewer::Anyone).await?;
            let of = |participant: &Participant| Some((participant.meeting_id, participant.told?.version));
            let told: BTreeSet<_> = facts.participants.values().flatten().filter_map(of).collect();
            if !told.is_empty() {
                facts.revisions = self.store.revisions(&Vec::from_iter(told)).await?;
            }
            facts.invites_in_flight = self.invites_in_flight(claims, &facts).await?;
            // A guest may have got an account since this was planned.
            users.extend(facts.participants.values().flatten().filter_map(|participant| participant.user_id));
        }
        if !users.is_empty() {
            facts.users = self.store.users(&Vec::from_iter(users)).await?;
        }
        let bare = claims.iter().filter_map(|Claimed { delivery, .. }| match &delivery.recipient {
            Recipient::Address(address) => Some(address),
            Recipient::User(_) => None,
        });
        let theirs = facts.users.values().flatten().map(|user| &user.email);
        let addresses: Vec<_> = bare.chain(theirs).cloned().collect();
        facts.suppressed = self.store.suppressed(&addresses).await?;
        Ok(facts)
    }

    /// Changed or cancelled before the invitation was known to have arrived: rare, so a read per meeting will do.
    async fn invites_in_flight(&self, claims: &[Claimed], facts: &Facts) -> Result<HashSet<ParticipantId>, StoreError> {
        let mut unsure = BTreeSet::new();
        for Claimed { delivery, .. } in claims {
            let Ok(Notice::MeetingChange { meeting, participant, .. } | Notice::MeetingCancel { meeting, participant }) =
                &delivery.notice
            else {
                continue;
            };
            let participant = facts.participants.get(participant).and_then(|found| found.as_ref().ok());
            if participant.is_some_and(|participant| participant.told.is_none_or(|told| !told.on)) {
                unsure.insert(*meeting);
            }
        }
        let mut in_flight = HashSet::new();
        for meeting in unsure {
            let invites = self.outbox.deliveries_with_key(&format!("meeting-invite/{meeting}/"), MOST_INVITES).await?;
            for invite in invites.into_iter().filter(|invite| invite.state == DeliveryState::Claimed) {
                if let Ok(Notice::MeetingInvite { participant, .. }) = invite.notice {
                    in_flight.insert(participant);
                }
            }
        }
        Ok(in_flight)
    }
}

/// Most invitations that are read of one meeting.
const MOST_INVITES: u32 = 2_000;
