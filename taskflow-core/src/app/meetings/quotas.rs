//! Use of the quotas of organizers: meetings that lie ahead, invitations, and strangers among the invited.

use std::collections::HashSet;

use super::super::App;
use crate::error::Error;
use crate::meeting::MeetingDetails;
use crate::{Actor, Changes, EmailAddress, Participant, Quota, Timestamp, UserId};

impl App {
    /// Returns the writes that count the organizer's use when `before` becomes `after`; `None` means that the meeting
    /// is new. Changes that the service makes by itself are never refused.
    pub(super) async fn quota_changes(
        &self,
        actor: Actor,
        before: Option<&MeetingDetails>,
        after: &MeetingDetails,
        now: Timestamp,
    ) -> Result<Changes, Error> {
        let (Some(organizer), Some(_)) = (after.meeting.created_by, actor.user_id()) else { return Ok(Changes::new()) };
        let lies_ahead = |details: &MeetingDetails| details.meeting.is_on() && details.meeting.starts_at > now;
        let more_meetings = lies_ahead(after) && !before.is_some_and(lies_ahead);
        let invited = newly_invited(before, after);
        let (strangers, stranger_count) = self.strangers(organizer, &invited).await?;
        let counted = [
            (Quota::Meetings, u64::from(more_meetings)),
            (Quota::Invitations, count(invited.len())),
            (strangers, stranger_count),
        ];
        let writes = counted.into_iter().filter_map(|(quota, more)| self.quotas.take(quota, organizer, more, now));
        Ok(writes.fold(Changes::new(), Changes::write))
    }

    /// Counts those of the invited who have never accepted an invitation of the organizer, with or without an account:
    /// organizers do not learn which.
    async fn strangers(&self, organizer: UserId, invited: &[EmailAddress]) -> Result<(Quota, u64), Error> {
        let limited = |quota| self.quotas.limit(quota).is_some();
        if invited.is_empty() || !(limited(Quota::Strangers) || limited(Quota::StrangersUnverified)) {
            return Ok((Quota::Strangers, 0));
        }
        let user = self.store.user(organizer).await?.ok_or(Error::NotFound("user"))?;
        let quota = if user.email_verified { Quota::Strangers } else { Quota::StrangersUnverified };
        let known = self.store.accepted_before(organizer, invited).await?;
        Ok((quota, count(invited.iter().filter(|address| !known.contains(&address.key())).count())))
    }
}

/// Returns the addresses of those who are invited when `before` becomes `after`.
fn newly_invited(before: Option<&MeetingDetails>, after: &MeetingDetails) -> Vec<EmailAddress> {
    let is_on = |details: &MeetingDetails, one: &Participant| {
        details.meeting.cancelled_at.is_none() && one.is_in() && !one.is_organizer()
    };
    let was_on: HashSet<_> = before
        .into_iter()
        .flat_map(|before| before.participants.iter().filter(|one| is_on(before, one)))
        .map(|one| one.id)
        .collect();
    let more = after.participants.iter().filter(|one| is_on(after, one) && !was_on.contains(&one.id));
    more.map(|one| one.email.clone()).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
