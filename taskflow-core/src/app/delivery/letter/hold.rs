//! Quiet hours: which mail waits for their end, and which would be too late then.

use crate::notice::Addressee;
use crate::{Delivery, NoticeContent, NoticeKind, Preferences, Timestamp, Zone};

/// Returns the end of the quiet hours that hold a notice at `now`. `None` if nothing holds it, or if its subject
/// happens before that.
pub(in super::super) fn end(
    kind: NoticeKind,
    content: &dyn NoticeContent,
    reader: &Addressee,
    now: Timestamp,
) -> Option<Timestamp> {
    let quiet = reader.preferences.quiet_hours.filter(|_| kind.waits_for_quiet_to_end());
    let end = quiet.and_then(|quiet| quiet.end_after(&reader.zone, now))?;
    content.happens_at(now).is_none_or(|at| at > end).then_some(end)
}

/// Returns when a delivery that was due in quiet hours could leave. Its delay and its expiry count from then.
pub(in super::super) fn could_leave_at(delivery: &Delivery, preferences: &Preferences, zone: &Zone) -> Timestamp {
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
