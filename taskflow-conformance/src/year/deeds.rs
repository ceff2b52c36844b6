//! Random actions of users on their meetings in the course of a year, within the rules.

mod acts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDateTime, Timelike};
use taskflow_core::ports::Clock;
use taskflow_core::{
    Actor, App, DurationMinutes, MeetingChange, MeetingId, MeetingStatus, NewMeeting, NewUser, ReminderMinutes,
    StartsAt, Timestamp, UserId, Zone,
};

use super::chance::Chance;
use super::expectation::{Deed, What, Who};
use crate::ManualClock;
use crate::sample::{invitee, new_user, zone};

/// Time zones of users: every offset, half hours and quarters, and most of the ways in which clocks change.
const ZONES: [&str; 40] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Athens",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Europe/Chisinau",
    "Atlantic/Azores",
    "America/Scoresbysund",
    "America/Nuuk",
    "America/St_Johns",
    "America/Halifax",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Vancouver",
    "America/Anchorage",
    "America/Adak",
    "Pacific/Honolulu",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Lagos",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Kiritimati",
];

/// Nights in which a clock somewhere is changed, and the turn of the year.
const NIGHTS: [&str; 12] = [
    "2026-03-08T02:30:00",
    "2026-03-29T02:30:00",
    "2026-03-29T01:15:00",
    "2026-03-29T00:30:00",
    "2026-04-05T02:15:00",
    "2026-04-24T00:30:00",
    "2026-09-27T02:45:00",
    "2026-10-04T02:15:00",
    "2026-10-25T02:30:00",
    "2026-11-01T01:30:00",
    "2026-12-31T23:59:00",
    "2027-01-01T00:00:00",
];

/// Minutes before a meeting that people choose.
const MINUTES: [u32; 11] = [0, 1, 5, 10, 15, 30, 60, 120, 1440, 10_080, 40_320];

/// The state of a meeting that the choice of the next action depends on.
#[derive(Debug)]
struct Known {
    id: MeetingId,
    organizer: Who,
    /// Its organizer deleted their account: nobody can change it any more.
    orphaned: bool,
    zone: Zone,
    starts_at: Timestamp,
    ends_at: Timestamp,
    /// Local start times of the meeting, the current one last.
    walls: Vec<NaiveDateTime>,
    cancelled: bool,
    ended: bool,
    people: BTreeSet<Who>,
}

/// Everybody, and what they have done so far.
pub(super) struct Player<'a> {
    app: &'a App,
    clock: Arc<ManualClock>,
    chance: Chance,
    everybody: Vec<Who>,
    accounts: BTreeMap<Who, UserId>,
    meetings: Vec<Known>,
    deeds: Vec<Deed>,
    /// Times of future actions, each with its meeting; `None` for a new meeting.
    agenda: BTreeMap<Timestamp, VecDeque<Option<usize>>>,
}

impl<'a> Player<'a> {
    pub(super) async fn new(
        app: &'a App,
        clock: Arc<ManualClock>,
        people: usize,
        meetings: usize,
        seed: u64,
    ) -> Player<'a> {
        let mut player = Player {
            app,
            clock,
            chance: Chance::new(seed),
            everybody: Vec::new(),
            accounts: BTreeMap::new(),
            meetings: Vec::new(),
            deeds: Vec::new(),
            agenda: BTreeMap::new(),
        };
        for n in 0..people {
            player.register(&format!("person-{n}")).await;
        }
        player.everybody.extend((0..people / 5).map(|n| format!("guest-{n}@example.org")));
        let begin = player.clock.now();
        for _ in 0..meetings {
            let at = begin + Duration::from_secs(player.chance.below(360 * 86_400));
            player.agenda.entry(at).or_default().push_back(None);
        }
        player
    }

    /// Everything that was done so far, in order.
    pub(super) fn deeds(&self) -> &[Deed] {
        &self.deeds
    }

    /// Returns the time of the next action.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().copied()
    }

    /// Does what is next; the clock shows its time.
    pub(super) async fn act(&mut self) {
        let Some(mut entry) = self.agenda.first_entry() else { return };
        let next = entry.get_mut().pop_front();
        if entry.get().is_empty() {
            entry.remove();
        }
        match next {
            Some(None) => self.call().await,
            Some(Some(n)) => self.change(n).await,
            None => {}
        }
        if self.chance.one_in(500) {
            let repaired = self.app.meetings().repair_reminders().await.expect("a sweep");
            assert_eq!((repaired.planned, repaired.moved), (0, 0), "nothing was left unplanned");
        }
    }

    async fn register(&mut self, name: &str) {
        let time_zone = self.chance.pick(&ZONES).map(|name| zone(name));
        let new = NewUser { time_zone, ..new_user(name) };
        let address = new.email.to_string();
        let user = self.app.accounts().register(new, None).await.expect("an account");
        self.app.accounts().mark_email_verified(Actor::System, user.id).await.expect("verified");
        self.everybody.push(address.clone());
        self.accounts.insert(address, user.id);
    }

    fn did(&mut self, n: usize, what: What) {
        self.deeds.push(Deed { at: self.clock.now(), meeting: self.meetings[n].id, what });
    }

    async fn call(&mut self) {
        let holders: Vec<_> = self.accounts.keys().cloned().collect();
        let Some(organizer) = self.chance.pick(&holders).cloned() else { return };
        let zone = zone(self.chance.pick(&ZONES).copied().unwrap_or("UTC"));
        let wall = self.some_wall_clock(&zone);
        let mut people: BTreeSet<_> = [organizer.clone()].into();
        for _ in 0..self.chance.below(6) {
            people.extend(self.chance.pick(&self.everybody).cloned());
        }
        let minutes = self.some_minutes();
        let invited = people.iter().filter(|who| **who != organizer).map(|who| invitee(name(who)));
        let new = NewMeeting {
            time_zone: Some(zone.clone()),
            duration: DurationMinutes::new(30).expect("fits"),
            reminder_minutes: ReminderMinutes::new(minutes).expect("fits"),
            invitees: invited.collect(),
            ..NewMeeting::titled("A meeting".parse().expect("a title"), StartsAt::Local(wall))
        };
        let actor = self.actor(&organizer).expect("an account");
        let meeting = self.app.meetings().create(actor, new).await.expect("a meeting").meeting;
        let n = self.meetings.len();
        self.meetings.push(Known {
            id: meeting.id,
            organizer,
            orphaned: false,
            zone: zone.clone(),
            starts_at: meeting.starts_at,
            ends_at: meeting.ends_at(),
            walls: vec![wall],
            cancelled: false,
            ended: false,
            people: people.clone(),
        });
        self.did(n, What::Called { zone, wall, minutes, people: people.into_iter().collect() });
        for _ in 0..self.chance.below(9) {
            let at = self.some_time_of(n);
            self.agenda.entry(at).or_default().push_back(Some(n));
        }
    }

    /// Some time from now until shortly after the meeting: any, close to the next thing, or on the dot of a reminder.
    fn some_time_of(&mut self, n: usize) -> Timestamp {
        let (now, starts_at) = (self.clock.now(), self.meetings[n].starts_at);
        let at = match self.chance.below(4) {
            0 => now + Duration::from_secs(self.chance.below(300)),
            1 => starts_at - Duration::from_secs(60 * u64::from(self.some_minutes())),
            2 => starts_at - Duration::from_secs(self.chance.below(3600)),
            _ => {
                now + Duration::from_micros(self.chance.below(starts_at.since(now).as_micros() as u64 + 7_200_000_000))
            }
        };
        at.max(now)
    }

    fn some_minutes(&mut self) -> u32 {
        self.chance.pick(&MINUTES).copied().unwrap_or(15)
    }

    /// A wall clock time that lies ahead: minutes to weeks, to the minute, now and then in a night that has it twice or
    /// not at all.
    fn some_wall_clock(&mut self, zone: &Zone) -> NaiveDateTime {
        let now = self.clock.now();
        if self.chance.one_in(4) {
            let nights = NIGHTS.map(|night| night.parse::<NaiveDateTime>().expect("a local time"));
            let ahead: Vec<_> = nights.into_iter().filter(|night| zone.instant(*night) > now).collect();
            if let Some(night) = ahead.first() {
                return *night;
            }
        }
        let most = [3600, 86_400, 40 * 86_400][self.chance.below(3) as usize];
        let at = now + Duration::from_secs(120 + self.chance.below(most));
        let wall = zone.wall_clock(at).at;
        let wall = wall.with_second(0).and_then(|wall| wall.with_nanosecond(0)).unwrap_or(wall);
        // The first of two equal times may be over already.
        if zone.instant(wall) > now { wall } else { wall + Duration::from_hours(2) }
    }

    fn actor(&self, who: &Who) -> Option<Actor> {
        self.accounts.get(who).copied().map(Actor::User)
    }

    async fn change(&mut self, n: usize) {
        let now = self.clock.now();
        let on = !self.meetings[n].cancelled;
        let going = on && !self.meetings[n].ended && now < self.meetings[n].ends_at;
        let inside: Vec<_> = self.meetings[n].people.iter().cloned().collect();
        let Some(who) = self.chance.pick(&inside).cloned() else { return };
        let organizer = self.actor(&self.meetings[n].organizer).filter(|_| !self.meetings[n].orphaned);
        match (self.chance.below(28), organizer) {
            (0..6, _) if going => self.answer(n, who).await,
            (6..9, _) => self.choose(n, who).await,
            (9..13, Some(actor)) if on => {
                let wall = self.some_wall_clock(&self.meetings[n].zone.clone());
                self.move_to(n, actor, wall).await;
            }
            (13..16, Some(actor)) if on => {
                let Some(wall) = self.chance.pick(&self.meetings[n].walls).copied() else { return };
                if self.meetings[n].zone.instant(wall) > now {
                    self.move_to(n, actor, wall).await;
                }
            }
            (16..18, Some(actor)) if on => self.cancel(n, actor).await,
            (16..20, Some(actor)) if !on && self.meetings[n].starts_at > now => self.restore(n, actor).await,
            (18..20, Some(actor)) if going => self.invite(n, actor).await,
            (20..22, _) => self.take_off(n, who, organizer).await,
            (22..24, Some(actor)) if on => {
                let minutes = self.some_minutes();
                let reminder_minutes = ReminderMinutes::new(minutes).ok();
                self.update(n, actor, MeetingChange { reminder_minutes, ..MeetingChange::default() }).await;
                self.did(n, What::Reminds(minutes));
            }
            (24..26, Some(actor)) if on => {
                let title = format!("Edited at {now}").parse().ok();
                self.update(n, actor, MeetingChange { title, ..MeetingChange::default() }).await;
            }
            (26, Some(actor)) if going => {
                let status = Some(MeetingStatus::Completed);
                self.update(n, actor, MeetingChange { status, ..MeetingChange::default() }).await;
                self.meetings[n].ended = true;
                self.did(n, What::Ended);
            }
            (27, _) if self.chance.one_in(4) => self.delete_or_register(who).await,
            _ => {}
        }
    }
}

/// Returns the part before the `@`.
fn name(who: &Who) -> &str {
    who.split('@').next().unwrap_or_default()
}
