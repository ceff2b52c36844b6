//! Actions of users on meetings in a random history.

use std::time::Duration;

use proptest::prelude::*;
use taskflow_core::notice::{MeetingCancelNotice, MeetingChangeNotice, MeetingInviteNotice};
use taskflow_core::ports::Clock;
use taskflow_core::{
    Actor, Effect, Entity, Invitee, LastNotified, MeetingChange, MeetingId, MeetingQuery, MeetingResponse, MeetingSort,
    MeetingStatus, NewMeeting, Notice, OwnReminders, PageRequest, Precondition, ReminderMinutes, Scope, StartsAt,
    TaskQuery, UserId, Viewer,
};

use super::{Play, pick, shown};
use crate::sample::invitee;

/// One thing that somebody does with a meeting. Numbers choose among what exists, wrapping around.
#[derive(Debug, Clone)]
pub enum MeetingStep {
    /// A person calls a meeting so many minutes from now, with some people, perhaps with another reminder.
    Call(u8, i16, u8, u16),
    /// A meeting gets another title, start, reminder or end, or several of them, expecting its first version or not.
    Change(u8, u8, i16, bool),
    /// A meeting is cancelled.
    Cancel(u8),
    /// A meeting is on again.
    Restore(u8),
    /// More people are invited.
    Invite(u8, u8),
    /// Somebody is taken off by the organizer, or by a person who is perhaps themselves.
    TakeOff(u8, u8, Option<u8>),
    /// A person answers, perhaps without having been invited.
    Respond(u8, u8, u8),
    /// A person chooses reminders of their own.
    Choose(u8, u8, u8),
    /// The organizer reminds by hand.
    RemindNow(u8),
    /// A person's address is shown to be theirs.
    Verify(u8),
    /// The repair sweep runs.
    Repair,
    /// A list is read with some filter and sort.
    List(u8, u8),
}

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = MeetingStep> {
    let any = any::<u8>;
    prop_oneof![
        6 => (any(), -30_i16..2000, any(), 0_u16..300).prop_map(|(who, start, people, minutes)| {
            MeetingStep::Call(who, start, people, minutes)
        }),
        6 => (any(), any(), -30_i16..2000, proptest::bool::weighted(0.2)).prop_map(|(which, how, start, expecting)| {
            MeetingStep::Change(which, how, start, expecting)
        }),
        2 => any().prop_map(MeetingStep::Cancel),
        2 => any().prop_map(MeetingStep::Restore),
        3 => (any(), any()).prop_map(|(which, people)| MeetingStep::Invite(which, people)),
        3 => (any(), any(), proptest::option::of(any())).prop_map(|(which, whom, by)| MeetingStep::TakeOff(which, whom, by)),
        6 => (any(), any(), 0_u8..4).prop_map(|(which, who, how)| MeetingStep::Respond(which, who, how)),
        3 => (any(), any(), any()).prop_map(|(which, who, how)| MeetingStep::Choose(which, who, how)),
        1 => any().prop_map(MeetingStep::RemindNow),
        3 => any().prop_map(MeetingStep::Verify),
        1 => Just(MeetingStep::Repair),
        2 => (any(), any()).prop_map(|(who, how)| MeetingStep::List(who, how)),
    ]
}

/// Up to three people: some may have an account by then, others never.
fn people(some: u8) -> Vec<Invitee> {
    let name = |n: u8| match n % 3 {
        0 => format!("guest-{}", n % 4),
        1 => format!("user-{}", n % 6),
        _ => format!("USER-{}", n % 6),
    };
    let guest = |n: u8| Invitee {
        locale: n.is_multiple_of(2).then(|| "de-CH".parse().expect("a locale")),
        time_zone: n.is_multiple_of(3).then(|| "Asia/Kolkata".parse().expect("a zone")),
        ..invitee(&name(some.wrapping_mul(7).wrapping_add(n * 5)))
    };
    (0..some % 4).map(guest).collect()
}

impl Play<'_> {
    pub(super) async fn meeting_step(&mut self, step: &MeetingStep) -> String {
        match *step {
            MeetingStep::Call(who, start, some, minutes) => {
                let Some(owner) = pick(&self.users, who) else { return String::new() };
                let title = format!("Meeting {} \u{c4}", some % 5).parse().expect("a title");
                let new = NewMeeting {
                    reminder_minutes: ReminderMinutes::new(minutes.into()).expect("fits"),
                    location: some.is_multiple_of(3).then(|| "Room 7".parse().expect("a place")),
                    invitees: people(some),
                    ..NewMeeting::titled(title, StartsAt::Instant(self.in_minutes(start)))
                };
                let result = self.app.meetings().create(Actor::User(owner), new).await;
                self.meetings.extend(result.as_ref().ok().map(|details| (owner, details.meeting.id)));
                shown(&result)
            }
            MeetingStep::Change(which, how, start, expecting) => {
                let Some((actor, id)) = self.organized(which) else { return String::new() };
                let change = MeetingChange {
                    title: (how & 1 > 0).then(|| format!("Changed {how}").parse().expect("a title")),
                    starts_at: (how & 2 > 0).then(|| StartsAt::Instant(self.in_minutes(start))),
                    reminder_minutes: (how & 4 > 0).then(|| ReminderMinutes::new(u32::from(how)).expect("fits")),
                    location: (how & 8 > 0).then(|| (how & 16 > 0).then(|| "Elsewhere".parse().expect("a place"))),
                    status: (how & 224 == 224).then_some(MeetingStatus::Completed),
                    ..MeetingChange::default()
                };
                let expect = if expecting { Precondition::Version(1) } else { Precondition::Any };
                shown(&self.app.meetings().update(actor, id, change, expect).await)
            }
            MeetingStep::Cancel(which) => {
                let Some((actor, id)) = self.organized(which) else { return String::new() };
                shown(&self.app.meetings().cancel(actor, id, Precondition::Any).await)
            }
            MeetingStep::Restore(which) => {
                let Some((actor, id)) = self.organized(which) else { return String::new() };
                shown(&self.app.meetings().restore(actor, id).await)
            }
            MeetingStep::Invite(which, some) => {
                let Some((actor, id)) = self.organized(which) else { return String::new() };
                shown(&self.app.participants().add(actor, id, people(some), Precondition::Any).await)
            }
            MeetingStep::TakeOff(which, whom, by) => self.take_off(which, whom, by).await,
            MeetingStep::Respond(which, who, how) => {
                let (Some((_, id)), Some(who)) = (self.organized(which), pick(&self.users, who)) else {
                    return String::new();
                };
                let response = MeetingResponse::ALL[usize::from(how)];
                let comment = (how == 3).then(|| "perhaps".parse().expect("a comment"));
                shown(&self.app.participants().respond(Actor::User(who), id, response, comment, None).await)
            }
            MeetingStep::Choose(which, who, how) => {
                let (Some((_, id)), Some(who)) = (self.organized(which), pick(&self.users, who)) else {
                    return String::new();
                };
                let minutes = (0..how % 6).map(|n| ReminderMinutes::new(u32::from(how) * u32::from(n)).expect("fits"));
                let own = (how > 40).then(|| OwnReminders::new(minutes).expect("up to five"));
                shown(&self.app.meetings().set_own_reminders(Actor::User(who), id, own).await)
            }
            MeetingStep::RemindNow(which) => {
                let Some((actor, id)) = self.organized(which) else { return String::new() };
                shown(&self.app.meetings().remind_now(actor, id, None, None).await)
            }
            MeetingStep::Verify(who) => {
                let Some(who) = pick(&self.users, who) else { return String::new() };
                shown(&self.app.accounts().mark_email_verified(Actor::System, who).await)
            }
            MeetingStep::Repair => shown(&self.app.meetings().repair_reminders().await),
            MeetingStep::List(who, how) => self.list_meetings(who, how).await,
        }
    }

    fn organized(&self, which: u8) -> Option<(Actor, MeetingId)> {
        pick(&self.meetings, which).map(|(owner, id)| (Actor::User(owner), id))
    }

    async fn take_off(&mut self, which: u8, whom: u8, by: Option<u8>) -> String {
        let Some((organizer, id)) = self.organized(which) else { return String::new() };
        let actor = by.and_then(|by| pick(&self.users, by)).map_or(organizer, Actor::User);
        let all = self.storage.participants(&[id]).await.expect("a read");
        let Some(whom) = pick(&all, whom) else { return String::new() };
        shown(&self.app.participants().remove(actor, id, whom.id, Precondition::Any).await)
    }

    async fn list_meetings(&self, who: u8, how: u8) -> String {
        let Some(owner) = pick(&self.users, who) else { return String::new() };
        let sorts = ["meeting_date", "-meeting_date", "title", "-title", "created_at", "-updated_at"];
        let sort = |n: u8| -> MeetingSort { sorts[usize::from(n) % sorts.len()].parse().expect("a sort") };
        let query = MeetingQuery {
            status: MeetingStatus::ALL.into_iter().skip(usize::from(how % 7)).take(usize::from(how % 3)).collect(),
            starts_after: how.is_multiple_of(3).then(|| self.clock.now()),
            starts_before: how.is_multiple_of(4).then(|| self.in_minutes(600)),
            words: TaskQuery::words(["", "meeting", "room", "a\u{308} 3"][usize::from(how % 4)]),
            sort: vec![sort(how), sort(how / 2)],
            page: PageRequest::new(1 + u32::from(how % 2), 3).expect("a page"),
        };
        shown(&self.app.meetings().list(Actor::User(owner), &query).await)
    }

    /// Returns the effect that a delivery of such a notice has on its recipient.
    pub(super) fn told_by(notice: &Notice, version: u8) -> Option<Effect> {
        match notice {
            Notice::MeetingInvite(MeetingInviteNotice { participant, .. })
            | Notice::MeetingChange(MeetingChangeNotice { participant, .. })
            | Notice::MeetingCancel(MeetingCancelNotice { participant, .. }) => Some(Effect::LastNotified(
                *participant,
                LastNotified { version: 1 + u64::from(version % 8), on: version < 128 },
            )),
            _ => None,
        }
    }

    pub(super) async fn tell_every_meeting(&mut self) {
        let storage = self.storage.clone();
        let now = self.clock.now();
        for (owner, id) in self.meetings.clone() {
            for viewer in
                [Viewer::Service, Viewer::Person(Scope::own(owner).reading()), Viewer::Person(Scope::own(owner))]
            {
                let found = storage.meetings_by_id(&[id], viewer).await.expect("a read");
                self.told.push(format!("{:?}", found.get(&id)));
            }
            let participants = storage.participants(&[id]).await.expect("a read");
            let ids: Vec<_> = participants.iter().map(|one| one.id).collect();
            let by_id = storage.participants_by_id(&ids).await.expect("a read");
            self.told.push(format!("{participants:?} {:?}", ids.iter().map(|id| by_id.get(id)).collect::<Vec<_>>()));
            let wanted: Vec<_> = (0..9).map(|version| (id, version)).collect();
            let revisions = storage.revisions(&wanted).await.expect("a read");
            self.told.push(format!("{:?}", wanted.iter().map(|key| revisions.get(key)).collect::<Vec<_>>()));
            self.told.push(format!("{:?}", storage.history(Entity::Meeting(id)).await.expect("a read")));
            let rows = storage.deliveries_with_key(&format!("meeting-reminder/{id}/"), 1000).await.expect("a read");
            self.told.push(format!("{:?}", rows.iter().map(|row| (&row.dedupe_key, row.state)).collect::<Vec<_>>()));
        }
        let mut after = None;
        loop {
            let (until, due_after) = (now + Duration::from_hours(48), now - Duration::from_hours(24));
            let page = storage.meetings_unplanned(now, until, due_after, after, 2).await.expect("a read");
            self.told.push(format!("unplanned {page:?}"));
            let Some(last) = page.last() else { break };
            let found = storage.meetings_by_id(&[*last], Viewer::Service).await.expect("a read");
            after = found.get(last).and_then(|row| row.as_ref().ok()).map(|meeting| (meeting.starts_at, meeting.id));
        }
        let addresses: Vec<_> = (0..6).map(|n| invitee(&format!("User-{n}")).email).collect();
        let mut known = storage.users_by_email(&addresses).await.expect("a read");
        known.sort_by_key(|user| user.id);
        self.told.push(format!("{known:?}"));
    }
}

/// A meeting and who called it.
pub(super) type Called = (UserId, MeetingId);
