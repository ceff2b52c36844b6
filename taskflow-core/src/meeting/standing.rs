//! Decides which responses stay valid when a meeting changes: a response belongs to the time and place that was shown
//! (RFC 5546 §2.1.4, RFC 6638 §3.2.8).

use std::collections::BTreeSet;

use super::{MeetingDetails, MeetingFacts, MeetingResponse, Participant};

/// A response to an earlier state of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutdatedAnswer {
    /// The meeting as it was shown; `None` when that is not known any more.
    pub was: Option<MeetingFacts>,
    /// The meeting as it is now, with those who are in it.
    pub now: MeetingDetails,
}

impl MeetingFacts {
    /// Returns whether a response to this is also a response to `other`: time and place are the same (RFC 5546 §2.1.4).
    /// Title and description make no difference.
    #[must_use]
    pub fn same_time_and_place(&self, other: &Self) -> bool {
        self.place_and_time() == other.place_and_time()
    }
}

impl Participant {
    /// Returns their last response, even if they have been asked again since.
    #[must_use]
    pub fn last_response(&self) -> MeetingResponse {
        self.reset_response.unwrap_or(self.response)
    }

    /// Returns the version they responded to, if they are asked again and were not notified since.
    #[must_use]
    pub fn answered_since_told(&self) -> Option<u64> {
        let told = self.told.map_or(0, |told| told.version);
        self.answered_version.filter(|version| self.reset_response.is_some() && *version > told)
    }

    /// Returns the participant asked again: the response is void, comment and chosen reminders stay. A response from
    /// before versions were kept counts as given to `version`.
    fn asked_again(&self, version: u64) -> Self {
        Self {
            response: MeetingResponse::Pending,
            reset_response: Some(self.last_response()),
            answered_version: self.answered_version.or(Some(version)),
            proposed_start: None,
            ..self.clone()
        }
    }

    /// Returns the participant with their last response.
    fn with_last_response(&self) -> Self {
        Self { response: self.last_response(), reset_response: None, ..self.clone() }
    }

    /// Returns whether their last response stays valid for `is`: they gave it to the same time and place, and were
    /// notified of no other since. `facts_at` returns the facts of the meeting at one of its versions.
    fn stands_for<'a>(&self, is: &MeetingFacts, facts_at: impl Fn(u64) -> Option<&'a MeetingFacts>) -> bool {
        let same = |version| facts_at(version).is_some_and(|facts| facts.same_time_and_place(is));
        let told = self.told.filter(|told| self.answered_version.is_none_or(|answered| told.version > answered));
        self.answered_version.is_none_or(same) && told.is_none_or(|told| told.on && same(told.version))
    }
}

/// Returns the participants whose response a change of the meeting puts into question. If time or place differ, or the
/// meeting was restored, these are all participants who have responded, except the organizer. Otherwise they are the
/// participants who came back.
fn in_question<'a>(before: &'a MeetingDetails, after: &'a MeetingDetails) -> impl Iterator<Item = &'a Participant> {
    let (was, is) = (&before.meeting, &after.meeting);
    let everybody =
        !was.facts().same_time_and_place(&is.facts()) || (was.cancelled_at.is_some() && is.cancelled_at.is_none());
    let stayed = move |one: &Participant| before.participants.iter().any(|old| old.id == one.id && old.is_in());
    after.participants.iter().filter(move |one| {
        let answered = one.last_response() != MeetingResponse::Pending;
        one.is_in() && !one.is_organizer() && answered && (everybody || !stayed(one))
    })
}

/// Returns the versions of the meeting that [`keep_what_stands`] needs to know.
pub(crate) fn versions_in_question(before: &MeetingDetails, after: &MeetingDetails) -> BTreeSet<u64> {
    let of = |one: &Participant| [one.answered_version, one.told.map(|told| told.version)];
    in_question(before, after).flat_map(of).flatten().collect()
}

/// Returns `after` with the responses that stay valid: all others are void and asked for again. A void one counts again
/// if it fits again, because edits undid each other before anybody was notified.
pub(crate) fn keep_what_stands<'a>(
    before: &MeetingDetails,
    after: &MeetingDetails,
    facts_at: impl Fn(u64) -> Option<&'a MeetingFacts>,
) -> MeetingDetails {
    let (was, is) = (before.meeting.facts(), after.meeting.facts());
    let mut result = after.clone();
    let ids: BTreeSet<_> = in_question(before, after).map(|one| one.id).collect();
    for one in result.participants.iter_mut().filter(|one| ids.contains(&one.id)) {
        // Answers from before versions were kept were given to what was so until now.
        let unknown = one.answered_version.is_none() && !was.same_time_and_place(&is);
        let decided = match !unknown && one.stands_for(&is, &facts_at) {
            true => one.with_last_response(),
            false => one.asked_again(before.meeting.version),
        };
        let old = before.participants.iter().find(|old| old.id == one.id);
        let version = old.map_or(decided.version, |old| old.version);
        let same = old.is_some_and(|old| *old == Participant { version, ..decided.clone() });
        *one = Participant { version: if same || old.is_none() { version } else { version + 1 }, ..decided };
    }
    result
}
