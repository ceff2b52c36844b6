//! Doing it: each deed by its use case, and written down for who works out what must come of it.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDateTime;
use taskflow_core::ports::{Clock, Link, LinkPurpose, Links};
use taskflow_core::{
    Actor, MeetingChange, MeetingResponse, OwnReminders, Participant, Precondition, ReminderMinutes, StartsAt,
    Timestamp,
};

use super::{Player, What, Who, name};
use crate::PlainLinks;
use crate::sample::invitee;

impl Player<'_> {
    pub(super) async fn update(&self, n: usize, actor: Actor, change: MeetingChange) {
        self.app.meetings().update(actor, self.meetings[n].id, change, Precondition::Any).await.expect("a change");
    }

    pub(super) async fn move_to(&mut self, n: usize, actor: Actor, wall: NaiveDateTime) {
        let starts_at = Some(StartsAt::Local(wall));
        self.update(n, actor, MeetingChange { starts_at, ..MeetingChange::default() }).await;
        let known = &mut self.meetings[n];
        let starts_at = known.zone.instant(wall);
        known.ended &= starts_at == known.starts_at;
        known.ends_at = starts_at + Duration::from_mins(30);
        known.starts_at = starts_at;
        known.walls.push(wall);
        let declined = self.declined(n, actor).await;
        self.did(n, What::Moved(wall, declined));
    }

    pub(super) async fn cancel(&mut self, n: usize, actor: Actor) {
        self.app.meetings().cancel(actor, self.meetings[n].id, Precondition::Any).await.expect("cancelled");
        self.meetings[n].cancelled = true;
        self.did(n, What::Cancelled);
    }

    pub(super) async fn restore(&mut self, n: usize, actor: Actor) {
        self.app.meetings().restore(actor, self.meetings[n].id).await.expect("restored");
        self.meetings[n].cancelled = false;
        let declined = self.declined(n, actor).await;
        self.did(n, What::Restored(declined));
    }

    /// Returns the participants who have declined.
    async fn declined(&self, n: usize, organizer: Actor) -> BTreeSet<Who> {
        let details = self.app.meetings().get(organizer, self.meetings[n].id).await.expect("a meeting");
        let declined = details.participants.iter().filter(|one| one.response == MeetingResponse::Declined);
        declined.map(|one| one.email.to_string()).collect()
    }

    pub(super) async fn invite(&mut self, n: usize, actor: Actor) {
        let outside = |who: &&Who| !self.meetings[n].people.contains(*who);
        let others: Vec<_> = self.everybody.iter().filter(outside).cloned().collect();
        let Some(who) = self.chance.pick(&others).cloned() else { return };
        let invitees = vec![invitee(name(&who))];
        self.app.participants().add(actor, self.meetings[n].id, invitees, Precondition::Any).await.expect("invited");
        self.meetings[n].people.insert(who.clone());
        let declined = self.declined(n, actor).await.contains(&who);
        self.did(n, What::Invited(who, declined));
    }

    /// The participant of that address, as the service knows them.
    async fn participant(&self, n: usize, who: &Who) -> Option<Participant> {
        let known = &self.meetings[n];
        let reader = known.people.iter().find_map(|who| self.actor(who))?;
        let details = self.app.meetings().get(reader, known.id).await.expect("a meeting");
        details.participants.into_iter().find(|one| one.email.as_str() == who)
    }

    /// By the organizer, or by themselves when there is none any more or chance will have it.
    pub(super) async fn take_off(&mut self, n: usize, who: Who, organizer: Option<Actor>) {
        let themselves = self.actor(&who);
        let actor = if self.chance.one_in(2) { themselves.or(organizer) } else { organizer.or(themselves) };
        let (Some(actor), Some(participant)) = (actor, self.participant(n, &who).await) else { return };
        if who == self.meetings[n].organizer || (Some(actor) != organizer && Some(actor) != themselves) {
            return;
        }
        let id = self.meetings[n].id;
        self.app.participants().remove(actor, id, participant.id, Precondition::Any).await.expect("taken off");
        self.meetings[n].people.remove(&who);
        self.did(n, What::TakenOff(who));
    }

    pub(super) async fn answer(&mut self, n: usize, who: Who) {
        let answers = [MeetingResponse::Declined, MeetingResponse::Accepted, MeetingResponse::Tentative];
        let response = answers[self.chance.below(3) as usize];
        match self.actor(&who) {
            Some(actor) => {
                self.app
                    .participants()
                    .respond(actor, self.meetings[n].id, response, None, None)
                    .await
                    .expect("an answer");
            }
            None => {
                let Some(guest) = self.participant(n, &who).await else { return };
                let (purpose, id) = (LinkPurpose::Respond, guest.id.as_uuid());
                let link = PlainLinks.url(&Link { purpose, id, expires_at: Timestamp::MAX, version: None });
                self.app.links().respond(&link, response, None, None).await.expect("an answer");
            }
        }
        self.did(n, What::Answered(who, response != MeetingResponse::Declined));
    }

    pub(super) async fn choose(&mut self, n: usize, who: Who) {
        let Some(actor) = self.actor(&who) else { return };
        let minutes = match self.chance.one_in(4) {
            true => None,
            false => Some((0..self.chance.below(6)).map(|_| self.some_minutes()).collect::<Vec<_>>()),
        };
        let own = minutes.iter().flatten().map(|minutes| ReminderMinutes::new(*minutes).expect("fits"));
        let own = minutes.as_ref().map(|_| OwnReminders::new(own).expect("up to five"));
        self.app.meetings().set_own_reminders(actor, self.meetings[n].id, own).await.expect("chosen");
        self.did(n, What::Chose(who, minutes));
    }

    /// Somebody with an account deletes it, which cancels what they called and leaves the rest as far as it lies ahead;
    /// somebody without one gets it.
    pub(super) async fn delete_or_register(&mut self, who: Who) {
        let Some(id) = self.accounts.remove(&who) else {
            self.register(name(&who)).await;
            self.everybody.pop();
            return;
        };
        self.app.accounts().delete(Actor::User(id), id).await.expect("deleted");
        let now = self.clock.now();
        for n in 0..self.meetings.len() {
            let known = &mut self.meetings[n];
            if known.cancelled || known.starts_at < now || !known.people.contains(&who) {
                continue;
            }
            if known.organizer == who {
                known.cancelled = true;
                self.did(n, What::Cancelled);
            } else {
                known.people.remove(&who);
                self.did(n, What::TakenOff(who.clone()));
            }
        }
        // Nobody else becomes the organizer of what they had called, not even somebody with the same address.
        self.meetings.iter_mut().filter(|known| known.organizer == who).for_each(|known| known.orphaned = true);
    }
}
