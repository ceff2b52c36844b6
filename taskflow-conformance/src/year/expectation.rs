//! Reminders that a list of actions requires, computed from nothing but the actions and the clock. This must not use
//! the code that plans reminders, because it exists to find errors in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::NaiveDateTime;
use taskflow_core::{MeetingId, Timestamp, Zone};

/// Somebody, by their address.
pub(super) type Who = String;

/// Something that was done to a meeting, and when.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) at: Timestamp,
    pub(super) meeting: MeetingId,
    pub(super) what: What,
}

/// An action on a meeting.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Called for this wall clock time of this zone, with these people, the organizer among them.
    Called {
        zone: Zone,
        wall: NaiveDateTime,
        minutes: u32,
        people: Vec<Who>,
    },
    /// Moved to another wall clock time of its zone; who has declined that, as the service says: whether an answer stands is
    /// not for this to find out.
    Moved(NaiveDateTime, BTreeSet<Who>),
    /// Reminds those who have not chosen themselves this many minutes before.
    Reminds(u32),
    Cancelled,
    /// On again, with those who have declined it.
    Restored(BTreeSet<Who>),
    /// Ended early; moving it makes it a meeting that is yet to come.
    Ended,
    /// Invited, or invited again with the minutes they chose; whether they have declined, as the service says.
    Invited(Who, bool),
    /// Taken off, or left.
    TakenOff(Who),
    /// Answered that they come, or may come; or that they do not.
    Answered(Who, bool),
    /// Chose their own minutes, or none of their own.
    Chose(Who, Option<Vec<u32>>),
}

/// One mail that must be sent, once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reminder {
    pub(super) meeting: MeetingId,
    pub(super) starts_at: Timestamp,
    pub(super) who: Who,
    pub(super) minutes: u32,
}

#[derive(Debug, Default)]
struct Person {
    is_in: bool,
    declined: bool,
    own: Option<Vec<u32>>,
}

#[derive(Debug)]
struct State {
    zone: Zone,
    starts_at: Timestamp,
    minutes: u32,
    cancelled: bool,
    ended: bool,
    people: BTreeMap<Who, Person>,
}

/// Every reminder that must be mailed until then, and when. What is due at the instant of a deed leaves before it.
pub(super) fn expected(deeds: &[Deed], until: Timestamp) -> BTreeMap<Reminder, Timestamp> {
    let mut of_meeting: BTreeMap<MeetingId, Vec<&Deed>> = BTreeMap::new();
    deeds.iter().for_each(|deed| of_meeting.entry(deed.meeting).or_default().push(deed));
    let mut all = BTreeMap::new();
    for (meeting, deeds) in of_meeting {
        let mut state = None;
        for (n, deed) in deeds.iter().enumerate() {
            state = Some(after(state, &deed.what));
            let next = deeds.get(n + 1).map_or(until, |next| next.at);
            for (reminder, at) in state.iter().flat_map(|state| asked(meeting, state, deed.at)) {
                if at <= next {
                    all.entry(reminder).or_insert(at);
                }
            }
        }
    }
    all
}

/// Returns the reminders that a meeting in this state from `since` on requires, with the times at which they leave. A
/// reminder leaves in its minute, or at once if that has passed and the meeting has not begun. Of several that have
/// passed, only the nearest leaves.
fn asked(meeting: MeetingId, state: &State, since: Timestamp) -> Vec<(Reminder, Timestamp)> {
    if state.cancelled || state.ended || state.starts_at <= since {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (who, person) in state.people.iter().filter(|(_, person)| person.is_in && !person.declined) {
        let minutes: BTreeSet<u32> = match &person.own {
            Some(own) => own.iter().copied().collect(),
            None => [state.minutes].into(),
        };
        let due_at = |minutes: u32| state.starts_at - Duration::from_secs(u64::from(minutes) * 60);
        for &chosen in &minutes {
            let at = due_at(chosen).max(since);
            if !minutes.range(..chosen).any(|&nearer| due_at(nearer) <= at) {
                let (starts_at, who) = (state.starts_at, who.clone());
                all.push((Reminder { meeting, starts_at, who, minutes: chosen }, at));
            }
        }
    }
    all
}

fn after(before: Option<State>, what: &What) -> State {
    let Some(mut state) = before else {
        let What::Called { zone, wall, minutes, people } = what else { panic!("a meeting begins with {what:?}") };
        let person = |who: &Who| (who.clone(), Person { is_in: true, ..Person::default() });
        return State {
            starts_at: zone.instant(*wall),
            zone: zone.clone(),
            minutes: *minutes,
            cancelled: false,
            ended: false,
            people: people.iter().map(person).collect(),
        };
    };
    let mut person = |who: &Who, change: &dyn Fn(&mut Person)| change(state.people.entry(who.clone()).or_default());
    match what {
        What::Called { .. } => panic!("a meeting is called once"),
        What::Moved(wall, declined) => {
            let starts_at = state.zone.instant(*wall);
            state.ended &= starts_at == state.starts_at;
            state.starts_at = starts_at;
            answers(&mut state.people, declined);
        }
        What::Reminds(minutes) => state.minutes = *minutes,
        What::Cancelled => state.cancelled = true,
        What::Restored(declined) => {
            state.cancelled = false;
            answers(&mut state.people, declined);
        }
        What::Ended => state.ended = true,
        What::Invited(who, declined) => {
            person(who, &|person| (person.is_in, person.declined) = (true, *declined));
        }
        What::TakenOff(who) => person(who, &|person| person.is_in = false),
        What::Answered(who, comes) => person(who, &|person| person.declined = !comes),
        What::Chose(who, minutes) => person(who, &|person| person.own.clone_from(minutes)),
    }
    state
}

fn answers(people: &mut BTreeMap<Who, Person>, declined: &BTreeSet<Who>) {
    people.iter_mut().for_each(|(who, person)| person.declined = declined.contains(who));
}
