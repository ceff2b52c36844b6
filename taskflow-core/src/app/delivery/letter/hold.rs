//! Quiet hours: what waits for their end, and what would come too late then.

use super::super::order::ON_TIME;
use crate::notice::{Addressee, BatchContext};
use crate::{Delivery, Meeting, MeetingFacts, Notice, NoticeContent, Outcome, Preferences, Timestamp, Zone};

/// Holds a notice until its reader's quiet hours end, unless what it is about happens before that.
pub(super) fn held(
    notice: &Notice,
    topic: &NoticeContent,
    reader: &Addressee,
    facts: &BatchContext,
    now: Timestamp,
) -> Result<(), Outcome> {
    match end(notice, topic, reader, facts, now) {
        Some(until) => Err(Outcome::Held { until }),
        None => Ok(()),
    }
}

/// When the quiet hours end that hold a notice at `now`; `None`: nothing holds it.
pub(super) fn end(
    notice: &Notice,
    topic: &NoticeContent,
    reader: &Addressee,
    facts: &BatchContext,
    now: Timestamp,
) -> Option<Timestamp> {
    let quiet = reader.preferences.quiet_hours.filter(|_| notice.kind().waits_for_quiet_to_end());
    let end = quiet.and_then(|quiet| quiet.end_after(&reader.zone, now))?;
    happens_at(notice, topic, facts, now).is_none_or(|at| at > end).then_some(end)
}

/// When what a notice is about happens, if it lies ahead or goes on; of a meeting that was moved the earlier start, since
/// people would come then.
fn happens_at(notice: &Notice, topic: &NoticeContent, facts: &BatchContext, now: Timestamp) -> Option<Timestamp> {
    let of = |meeting: &Meeting| (meeting.starts_at, meeting.ends_at());
    let known = |was: &MeetingFacts| (was.starts_at, was.ends_at());
    let times = match topic {
        // Once it is overdue the reminder can no longer come in time.
        NoticeContent::TaskDue { due_at, .. } => return Some(*due_at).filter(|at| *at + ON_TIME > now),
        NoticeContent::MeetingReminder { invitation, .. } => return Some(invitation.meeting.starts_at),
        NoticeContent::MeetingInvite(invitation)
        | NoticeContent::MeetingLeft(invitation)
        | NoticeContent::MeetingUndelivered(invitation)
        | NoticeContent::MeetingProposal { invitation, .. } => [Some(of(&invitation.meeting)), None],
        NoticeContent::MeetingChange { invitation, was } => [Some(of(&invitation.meeting)), Some(known(was))],
        NoticeContent::MeetingCancel(invitation) => {
            // The mail shows what the reader knows; it may have been moved since.
            let Notice::MeetingCancel(cancel) = notice else { return Some(invitation.meeting.starts_at) };
            let present = facts.meetings.get(&cancel.meeting).and_then(|found| found.as_ref().ok());
            [Some(of(&invitation.meeting)), present.map(of)]
        }
        _ => return None,
    };
    times.into_iter().flatten().filter(|(_, ends_at)| *ends_at > now).map(|(starts_at, _)| starts_at).min()
}

/// When a delivery that was due in quiet hours could leave: what it is late by, and how long it is of use, counts from here.
pub(super) fn could_leave_at(delivery: &Delivery, preferences: &Preferences, zone: &Zone) -> Timestamp {
    let due_at = delivery.due_at;
    if !delivery.kind.waits_for_quiet_to_end() {
        return due_at;
    }
    let quiet_ended = preferences.quiet_hours.and_then(|quiet| quiet.end_after(zone, due_at));
    // What failed before waits for its next try, which is no hold; a hold forgets what failed before.
    let was_held = delivery.last_error.is_none() && delivery.first_claimed_at.is_some_and(|at| at < delivery.next_at);
    let held_until = Some(delivery.next_at).filter(|_| was_held);
    [quiet_ended, held_until].into_iter().flatten().fold(due_at, Timestamp::max)
}
