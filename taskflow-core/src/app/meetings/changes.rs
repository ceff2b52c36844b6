//! A change of a meeting as one value: its rows, its reminders, and the notifications of participants.

use std::collections::{BTreeSet, HashMap};

use super::super::App;
use crate::meeting::MeetingDetails;
use crate::notice::SAME_PERSON;
use crate::notice::{MeetingCancelNotice, MeetingChangeNotice, MeetingInviteNotice, MeetingReminderNotice};
use crate::reminder::{MeetingReminder, meeting_reminders, plan_meeting_reminders};
use crate::{
    Actor, Changes, DebounceWindow, DedupeKey, DeliveryWrite, FeedEvent, Meeting, MeetingResponse, MeetingWrite,
    NewDelivery, Notice, Participant, ParticipantId, ParticipantWrite, Revision, Timestamp, UserId,
};

impl App {
    /// Returns the changes that turn `before` into `after`; `None` means that the meeting is new. The caller ensures
    /// that neither the meeting nor a response changed in between.
    pub(in super::super) fn meeting_changes(
        &self,
        actor: Actor,
        before: Option<&MeetingDetails>,
        after: &MeetingDetails,
        now: Timestamp,
    ) -> Changes {
        let was: HashMap<_, _> =
            before.into_iter().flat_map(|before| &before.participants).map(|p| (p.id, p)).collect();
        let mut changes = self.meeting_writes(actor, before, after, now);
        let new_facts = before.is_none_or(|before| before.meeting.facts() != after.meeting.facts());
        let reminded_at = next_reminders(before, after, now);
        let is_soon = before.into_iter().chain([after]).any(|details| begins_soon(&details.meeting, now));
        for participant in &after.participants {
            match was.get(&participant.id) {
                None => changes = changes.write(ParticipantWrite::Insert(participant.clone())),
                Some(before) if *before != participant => {
                    changes = changes.write(ParticipantWrite::Update(participant.clone()));
                }
                Some(_) => {}
            }
            let was_on = was.get(&participant.id).is_some_and(|p| p.is_in())
                && before.is_some_and(|before| before.meeting.cancelled_at.is_none());
            let is_on = participant.is_in() && after.meeting.cancelled_at.is_none();
            // Nor is anybody told that they are off who stays in it as another participant: a CANCEL would take the entry out
            // of the calendar that the next update reaches.
            if participant.is_organizer() || participant.merged_into.is_some() {
                continue;
            }
            changes = changes.deliver(match (was_on, is_on) {
                (false, true) => {
                    let left = was.get(&participant.id).is_some_and(|before| before.has_left());
                    Some(self.invite(&after.meeting, participant, left, now))
                }
                (true, false) => Some(self.cancel(&after.meeting, participant, now)),
                (true, true) if new_facts => {
                    let change = self.change(&after.meeting, participant, now);
                    let at_once = Some(now).filter(|_| is_soon);
                    let reminded_at = reminded_at.get(&participant.id).copied();
                    let due_at = [at_once, reminded_at].into_iter().flatten().fold(change.due_at, Timestamp::min);
                    Some(change.due(due_at))
                }
                (true, true) | (false, false) => None,
            });
        }
        changes.caused_by(after.meeting.created_by).and(self.reminder_changes(before, after, now))
    }

    /// Returns the reminder changes that `after` needs compared with `before`.
    pub(super) fn reminder_changes(
        &self,
        before: Option<&MeetingDetails>,
        after: &MeetingDetails,
        now: Timestamp,
    ) -> Changes {
        let plan = plan_meeting_reminders(before, after, now);
        let mut changes = Changes::new();
        for reminder in plan.cancel {
            let reason = why_cancelled(before, after, &reminder).to_owned();
            changes = changes.write(DeliveryWrite::Cancel { key: reminder.key, reason, at: now });
        }
        // Whoever plans them by an answer, it is the organizer's meeting.
        let reminders = plan.deliver.into_iter().map(|reminder| self.remind(reminder, now));
        changes.deliver(reminders).caused_by(after.meeting.created_by)
    }

    /// Returns the delivery of a reminder.
    pub(super) fn remind(&self, reminder: MeetingReminder, now: Timestamp) -> NewDelivery {
        let reason = match &reminder.notice {
            Notice::MeetingReminder(MeetingReminderNotice { minutes: Some(minutes), .. }) => {
                format!("{minutes} minutes before the meeting")
            }
            _ => "the organizer sent a reminder".to_owned(),
        };
        // One whose minute has passed is due now, after the invitation it comes with.
        self.new_delivery(reminder.key, reminder.notice, reminder.recipient, now)
            .due(reminder.due_at.max(now))
            .because(reason)
    }

    fn meeting_writes(
        &self,
        actor: Actor,
        before: Option<&MeetingDetails>,
        after: &MeetingDetails,
        now: Timestamp,
    ) -> Changes {
        let meeting = &after.meeting;
        let mut changes = match before {
            None => Changes::new().write(MeetingWrite::Insert(meeting.clone())),
            Some(before) => {
                let versions = before.participants.iter().map(|participant| participant.version).sum();
                Changes::new()
                    .write(MeetingWrite::Update(meeting.clone()))
                    .write(ParticipantWrite::ExpectVersions { meeting: meeting.id, versions })
            }
        };
        let facts = meeting.facts();
        let known = |before: &MeetingDetails| (before.meeting.facts(), before.meeting.sequence);
        if before.is_none_or(|before| known(before) != (facts.clone(), meeting.sequence)) {
            let revision =
                Revision { meeting_id: meeting.id, version: meeting.version, sequence: Some(meeting.sequence), facts };
            changes = changes.write(MeetingWrite::InsertRevision(revision));
        }
        // Who is no longer in it learns that, too.
        let audience = people(before.iter().flat_map(|before| &before.participants).chain(&after.participants));
        changes.announce(FeedEvent::meeting(self.event_id(now), actor, before, after, audience))
    }

    fn invite(&self, meeting: &Meeting, participant: &Participant, again: bool, now: Timestamp) -> NewDelivery {
        self.new_delivery(
            DedupeKey::new(format!("meeting-invite/{}/{}/{}", meeting.id, participant.id, meeting.version)),
            Notice::MeetingInvite(MeetingInviteNotice { meeting: meeting.id, participant: participant.id, again }),
            participant.recipient(),
            now,
        )
        .because("the organizer invites")
    }

    fn change(&self, meeting: &Meeting, participant: &Participant, now: Timestamp) -> NewDelivery {
        let version = meeting.version;
        let key = DedupeKey::new(format!("meeting-change/{}/{}/{version}", meeting.id, participant.id));
        let notice =
            Notice::MeetingChange(MeetingChangeNotice { meeting: meeting.id, participant: participant.id, version });
        let delivery = self.new_delivery(key, notice, participant.recipient(), now);
        let due_at = meeting.burst.map_or(now, |burst| burst.due_at);
        delivery.due(due_at).because("the organizer changed the meeting")
    }

    fn cancel(&self, meeting: &Meeting, participant: &Participant, now: Timestamp) -> NewDelivery {
        let reason = match meeting.cancelled_at {
            Some(_) => "the organizer cancelled the meeting",
            None => "the organizer took the participant off the meeting",
        };
        let key = DedupeKey::new(format!("meeting-cancel/{}/{}/{}", meeting.id, participant.id, meeting.version));
        let notice = Notice::MeetingCancel(MeetingCancelNotice { meeting: meeting.id, participant: participant.id });
        self.new_delivery(key, notice, participant.recipient(), now).because(reason)
    }
}

/// Returns whether a meeting is not over and has begun, or begins before the latest time for the notification of a
/// change.
fn begins_soon(meeting: &Meeting, now: Timestamp) -> bool {
    meeting.starts_at <= now + DebounceWindow::LONGEST && meeting.ends_at() > now
}

/// Returns the next reminder of each participant, at `now` or later. The mail about a change waits for the debounce
/// window, but no longer than until then: nobody is reminded of a time that they were not notified of.
fn next_reminders(
    before: Option<&MeetingDetails>,
    after: &MeetingDetails,
    now: Timestamp,
) -> HashMap<ParticipantId, Timestamp> {
    let planned = plan_meeting_reminders(before, after, now)
        .deliver
        .into_iter()
        .map(|new| (new.participant, new.due_at.max(now)));
    let kept =
        meeting_reminders(after).into_iter().map(|kept| (kept.participant, kept.due_at)).filter(|(_, at)| *at >= now);
    planned.chain(kept).fold(HashMap::new(), |mut next, (participant, at)| {
        next.entry(participant).and_modify(|next: &mut Timestamp| *next = at.min(*next)).or_insert(at);
        next
    })
}

/// Returns the accounts of the participants of a meeting, whose clients show it.
pub(super) fn people<'a>(participants: impl IntoIterator<Item = &'a Participant>) -> Vec<UserId> {
    let those_in = participants.into_iter().filter(|participant| participant.is_in());
    let accounts: BTreeSet<UserId> = those_in.filter_map(|participant| participant.user_id).collect();
    accounts.into_iter().collect()
}

/// Returns the reason a reminder is cancelled, for readers of the ledger.
fn why_cancelled(before: Option<&MeetingDetails>, after: &MeetingDetails, reminder: &MeetingReminder) -> &'static str {
    let participant = after.participants.iter().find(|participant| participant.id == reminder.participant);
    let moved = before.is_some_and(|before| before.meeting.starts_at != after.meeting.starts_at);
    match participant {
        _ if after.meeting.cancelled_at.is_some() => "the meeting was cancelled",
        _ if after.meeting.ended_at.is_some() => "the meeting was ended",
        Some(participant) if participant.merged_into.is_some() => SAME_PERSON,
        Some(participant) if !participant.is_in() => "the participant is no longer in the meeting",
        Some(participant) if participant.response == MeetingResponse::Declined => "the participant declined",
        _ if moved => "the meeting was moved",
        _ => "other minutes were chosen",
    }
}
