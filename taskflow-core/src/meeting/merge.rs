//! Merges two participants of a meeting who turn out to be the same person.

use super::{MeetingDetails, MeetingResponse, Participant};
use crate::{EmailAddress, Timestamp, UserId};

impl Participant {
    /// Merges another participant who is the same person: the stronger role, the later response with its comment, and
    /// the chosen reminders. An organizer stays accepted.
    fn with_all_of(&self, other: &Self) -> Self {
        let answered = |one: &Self| (one.last_response() != MeetingResponse::Pending).then_some(one.responded_at);
        let later = if answered(other) > answered(self) && !self.is_organizer() { other } else { self };
        Self {
            name: self.name.clone().or_else(|| other.name.clone()),
            role: self.role.min(other.role),
            response: later.response,
            comment: later.comment.clone().or_else(|| self.comment.clone()).or_else(|| other.comment.clone()),
            responded_at: later.responded_at,
            answered_version: later.answered_version,
            reset_response: later.reset_response,
            proposed_start: later.proposed_start,
            reminders: self.reminders.clone().or_else(|| other.reminders.clone()),
            locale: self.locale.clone().or_else(|| other.locale.clone()),
            time_zone: self.time_zone.clone().or_else(|| other.time_zone.clone()),
            // Mail goes to the address that was just shown to be theirs.
            delivery_problem: other.delivery_problem.clone(),
            ..self.clone()
        }
    }

    /// Returns the participant represented by another one from `now` on.
    fn merged_into(&self, other: &Self, now: Timestamp) -> Self {
        let removed_at = self.removed_at.or(Some(now));
        Self { removed_at, merged_into: Some(other.id), version: self.version + 1, ..self.clone() }
    }
}

/// Returns the meeting with one participant for `user` if it has another for the guest of `email`. The one who
/// participates represents both; if both do, it is the one with the account. `None` if there are no two, or if neither
/// participates.
pub(crate) fn merge_guest(
    before: &MeetingDetails,
    email: &EmailAddress,
    user: UserId,
    now: Timestamp,
) -> Option<MeetingDetails> {
    let key = email.key();
    let of_user =
        |in_it: bool| before.participants.iter().position(|one| one.user_id == Some(user) && one.is_in() == in_it);
    let guest = |one: &Participant| one.user_id.is_none() && one.merged_into.is_none() && one.email.key() == key;
    let guest = before.participants.iter().position(guest)?;
    let own = of_user(true).or_else(|| of_user(false))?;
    let mut after = before.clone();
    let (mine, theirs) = (&before.participants[own], &before.participants[guest]);
    match (mine.is_in(), theirs.is_in()) {
        (true, in_it) => {
            if in_it {
                let both = mine.with_all_of(theirs);
                let version = mine.version + u64::from(both != *mine);
                after.participants[own] = Participant { version, ..both };
            }
            after.participants[guest] = theirs.merged_into(mine, now);
        }
        (false, true) => {
            after.participants[guest] =
                Participant { user_id: Some(user), version: theirs.version + 1, ..theirs.clone() };
            after.participants[own] = mine.merged_into(theirs, now);
        }
        (false, false) => return None,
    }
    after.meeting = before.meeting.touched(now);
    Some(after)
}
