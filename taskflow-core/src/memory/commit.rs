use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::slots::JobRow;
use super::{Row, State};
use crate::error::{StoreError, UniqueField};
use crate::{
    CapturedMail, Changes, DedupeKey, Delivery, DeliveryId, DeliveryState, Entity, FeedEntry, FeedEvent, MAILBOX_SIZE,
    Meeting, NewDelivery, Participant, Recipient, SessionId, Timestamp, Token, User, UserId, Write,
};

/// What a deleted account leaves in the ledger.
const ACCOUNT_GONE: &str = "the account was deleted";

impl State {
    /// Whether all of `changes` can be applied.
    pub(super) fn admit(&self, changes: &Changes) -> Result<(), StoreError> {
        let writes = || changes.writes.iter().enumerate();
        let made = |id| writes().any(|(_, write)| matches!(write, Write::InsertUser(user) if user.id == id));
        let exists = |id| self.users.contains_key(&id) || made(id);
        for (write, change) in writes() {
            let version = match change {
                Write::UpdateUser(user) => Some((self.users.get(&user.id).map(|row| row.version), user.version)),
                Write::UpdateTask(task) => Some((self.tasks.get(&task.id).map(|row| row.version), task.version)),
                Write::DeleteUser { id, .. } if !self.users.contains_key(id) => {
                    return Err(StoreError::Stale { write });
                }
                Write::UpdateSession(session) => {
                    let stored = self.sessions.get(&session.id).filter(|stored| stored.ended_at.is_none());
                    Some((stored.map(|stored| stored.version), session.version))
                }
                Write::OpenSession(session) if !exists(session.user_id) => return Err(StoreError::Stale { write }),
                Write::InsertToken(token) if !exists(token.user_id) => return Err(StoreError::Stale { write }),
                Write::UseToken { id, .. } if self.tokens.get(id).is_none_or(|token| token.used_at.is_some()) => {
                    return Err(StoreError::Stale { write });
                }
                Write::StoreResponse(answer) if !exists(answer.owner) => return Err(StoreError::Stale { write }),
                Write::StoreResponse(answer) => {
                    let stored = self.answers.get(&(answer.owner, answer.key.clone()));
                    if stored.is_some_and(|stored| stored.is_kept(answer.created_at)) {
                        return Err(StoreError::Taken { field: UniqueField::IdempotencyKey, write });
                    }
                    None
                }
                Write::InsertRun(run) if !run.dry_run && self.has_run(run.job, run.slot) => {
                    return Err(StoreError::Taken { field: UniqueField::Slot, write });
                }
                Write::AdvanceRun { id, lease, .. } if !self.holds_run(*id, lease.token) => {
                    return Err(StoreError::Stale { write });
                }
                Write::FinishRun { id, lease, .. } | Write::ReleaseRun { id, lease }
                    if !self.holds_run(*id, *lease) =>
                {
                    return Err(StoreError::Stale { write });
                }
                Write::RetryDelivery { id, .. } => {
                    let given_up = |row: &Row| {
                        use DeliveryState::{Cancelled, Discarded, Expired};
                        matches!(row.delivery.state, Discarded | Cancelled | Expired)
                    };
                    if !self.deliveries.get(id).is_some_and(given_up) {
                        return Err(StoreError::Stale { write });
                    }
                    None
                }
                Write::UpdateMeeting(new) => Some((self.meetings.get(&new.id).map(|row| row.version), new.version)),
                Write::InsertMeeting(new) if new.created_by.is_some_and(|id| !exists(id)) => {
                    return Err(StoreError::Stale { write });
                }
                Write::ExpectMeeting { id, version } => {
                    Some((self.meetings.get(id).map(|row| row.version), version + 1))
                }
                Write::ExpectParticipants { meeting, versions } => {
                    Some((Some(self.participants_of(*meeting).map(|row| row.version).sum()), versions + 1))
                }
                Write::InsertParticipant(new) | Write::UpdateParticipant(new)
                    if new.user_id.is_some_and(|id| !exists(id)) =>
                {
                    return Err(StoreError::Stale { write });
                }
                Write::InsertParticipant(new) => {
                    let key = new.email.key();
                    let known = |id: &UserId| self.users.get(id).is_some_and(|user| user.email_verified);
                    let is_somebody =
                        new.user_id.is_none() && self.unique.get(&(UniqueField::Email, key.clone())).is_some_and(known);
                    // Changes of participants come before new ones, and may give an address up.
                    let gives_up = |row: &Participant| {
                        writes().any(|(_, write)| {
                            matches!(write, Write::UpdateParticipant(other) if other.id == row.id && other.email.key() != key)
                        })
                    };
                    let mut same = self.participants_of(new.meeting_id).filter(|row| row.email.key() == key);
                    if is_somebody || same.any(|row| !gives_up(row)) {
                        return Err(StoreError::Stale { write });
                    }
                    None
                }
                Write::UpdateParticipant(new) => {
                    Some((self.participants.get(&new.id).map(|row| row.version), new.version))
                }
                Write::LinkGuests { user_id, .. } if !exists(*user_id) => return Err(StoreError::Stale { write }),
                Write::InsertTask(task) if !exists(task.user_id) => return Err(StoreError::Stale { write }),
                Write::SetCredential(credential) if !exists(credential.user_id) => {
                    return Err(StoreError::Stale { write });
                }
                _ => None,
            };
            if version.is_some_and(|(stored, new)| stored.is_none_or(|stored| stored + 1 != new)) {
                return Err(StoreError::Stale { write });
            }
        }
        let mut added = HashMap::new();
        for (write, change) in writes() {
            let (Write::InsertUser(user) | Write::UpdateUser(user)) = change else { continue };
            for key in keys(user) {
                let stored = self.unique.get(&key).filter(|id| **id != user.id).is_some();
                let field = key.0;
                if stored || added.insert(key, user.id).is_some() {
                    return Err(StoreError::Taken { field, write });
                }
            }
        }
        Ok(())
    }

    /// Applies what was admitted, at this time of the store's own clock.
    pub(super) fn apply(&mut self, changes: &Changes, at: Duration) {
        for write in &changes.writes {
            match write {
                Write::InsertUser(user) | Write::UpdateUser(user) => {
                    self.forget_keys(user.id);
                    self.unique.extend(keys(user).map(|key| (key, user.id)));
                    self.users.insert(user.id, user.clone());
                }
                Write::DeleteUser { id, at } => self.delete_user(*id, *at),
                Write::SetCredential(credential) => {
                    self.credentials.insert(credential.user_id, credential.clone());
                }
                Write::OpenSession(session) | Write::UpdateSession(session) => {
                    self.sessions.insert(session.id, session.clone());
                }
                Write::InsertToken(token) => {
                    self.tokens.insert(token.id, token.clone());
                }
                Write::RevokeTokens { user_id, purpose, at } => {
                    let good = |token: &&mut Token| {
                        token.user_id == *user_id && token.purpose == *purpose && token.used_at.is_none()
                    };
                    self.tokens.values_mut().filter(good).for_each(|token| token.used_at = Some(*at));
                }
                Write::UseToken { id, at } => {
                    self.tokens.get_mut(id).into_iter().for_each(|token| token.used_at = Some(*at));
                }
                Write::EndSessions { user_id, only, at } => self.end_sessions(*user_id, *only, *at),
                Write::StoreResponse(answer) => {
                    self.answers.insert((answer.owner, answer.key.clone()), answer.clone());
                }
                Write::InsertTask(task) | Write::UpdateTask(task) => {
                    self.tasks.insert(task.id, task.clone());
                }
                Write::InsertMeeting(meeting) => {
                    self.meetings.insert(meeting.id, meeting.clone());
                }
                Write::UpdateMeeting(new) => {
                    let created_by = self.meetings.get(&new.id).and_then(|row| row.created_by);
                    self.meetings.insert(new.id, Meeting { created_by, ..new.clone() });
                }
                Write::ExpectMeeting { .. } | Write::ExpectParticipants { .. } => {}
                Write::ConfirmStart { id, tzdb } => {
                    self.meetings.get_mut(id).into_iter().for_each(|row| row.tzdb.clone_from(tzdb));
                }
                Write::InsertParticipant(new) => {
                    self.people.entry(new.meeting_id).or_default().insert(new.id);
                    self.participants.insert(new.id, new.clone());
                }
                Write::UpdateParticipant(new) => {
                    let told = self.participants.get(&new.id).and_then(|row| row.told);
                    self.participants.insert(new.id, Participant { told, ..new.clone() });
                }
                Write::LinkGuests { email, user_id } => self.link_guests(&email.key(), *user_id),
                Write::InsertRevision(revision) => {
                    self.revisions.insert((revision.meeting_id, revision.version), revision.clone());
                }
                Write::CancelDelivery { key, reason, at } => self.cancel(key, reason, *at),
                Write::RescheduleDelivery { key, due_at, next_at } => self.reschedule(key, *due_at, *next_at),
                Write::RetryDelivery { id, at } => self.retry(*id, *at),
                Write::Suppress(new) => {
                    self.suppressions.entry(new.email.key()).or_insert_with(|| new.clone());
                }
                Write::OverrideSuppression(email) => {
                    if let Some(suppression) = self.suppressions.get_mut(&email.key()) {
                        suppression.overrides += 1;
                    }
                }
                Write::Unsuppress(email) => {
                    self.suppressions.remove(&email.key());
                }
                Write::Unsubscribe { email, kind, .. } => {
                    self.unsubscribed.insert((email.key(), *kind));
                }
                Write::Resubscribe { email, kind } => {
                    self.unsubscribed.remove(&(email.key(), *kind));
                }
                Write::KeepMail(mail) => self.keep(mail),
                Write::InsertRun(run) => self.insert_run(run),
                Write::AdvanceRun { id, lease, cursor, counts } => self.advance_run(*id, lease, at, cursor, counts),
                Write::FinishRun { id, at, counts, error, memo, .. } => {
                    self.finish_run(*id, *at, counts, error.as_ref(), memo.as_ref());
                }
                Write::ReleaseRun { id, .. } => {
                    self.runs.get_mut(id).into_iter().for_each(|row| row.lease = None);
                }
                Write::PauseJob { job, at } => {
                    let row = self.jobs.entry(*job).or_insert(JobRow { slot: *at, paused_at: None, memo: None });
                    row.paused_at.get_or_insert(*at);
                }
                Write::ResumeJob { job, slot } => {
                    let paused = self.jobs.get_mut(job).filter(|row| row.paused_at.is_some());
                    if let Some(row) = paused {
                        (row.paused_at, row.slot) = (None, *slot);
                    }
                }
                Write::SetStatistics(counted) if self.users.contains_key(&counted.user_id) => {
                    self.statistics.insert(counted.user_id, counted.clone());
                }
                Write::SetStatistics(_) => {}
            }
        }
        changes.deliveries.iter().for_each(|delivery| self.plan(delivery));
        changes.events.iter().for_each(|announcement| self.announce(announcement));
    }

    fn delete_user(&mut self, id: UserId, at: Timestamp) {
        self.forget_keys(id);
        self.users.remove(&id);
        self.credentials.remove(&id);
        self.tokens.retain(|_, token| token.user_id != id);
        self.statistics.remove(&id);
        self.answers.retain(|(owner, _), _| *owner != id);
        self.end_sessions(id, None, at);
        self.feeds.remove(&id);
        self.heads.remove(&id);
        let tasks = &mut self.tasks;
        self.events.retain(|event| match &event.entity {
            Entity::Task(task) => tasks.get(task).is_none_or(|task| task.user_id != id),
            Entity::Meeting(_) => true,
        });
        tasks.retain(|_, task| task.user_id != id);
        let called = self.meetings.values_mut().filter(|meeting| meeting.created_by == Some(id));
        called.for_each(|meeting| meeting.created_by = None);
        let theirs = self.participants.values_mut().filter(|participant| participant.user_id == Some(id));
        theirs.for_each(|participant| participant.user_id = None);
        let to_them = |row: &&Row| row.delivery.recipient == Recipient::User(id);
        let keys: Vec<_> =
            self.deliveries.values().filter(to_them).map(|row| row.delivery.dedupe_key.clone()).collect();
        keys.iter().for_each(|key| self.cancel(key, ACCOUNT_GONE, at));
    }

    fn link_guests(&mut self, email: &str, user: UserId) {
        let there: HashSet<_> =
            self.participants.values().filter(|row| row.user_id == Some(user)).map(|row| row.meeting_id).collect();
        let guests = self.participants.values_mut().filter(|row| row.user_id.is_none() && row.email.key() == email);
        let guests = guests.filter(|row| row.merged_into.is_none());
        for guest in guests.filter(|row| !there.contains(&row.meeting_id)) {
            guest.user_id = Some(user);
            guest.version += 1;
        }
    }

    fn end_sessions(&mut self, user: UserId, only: Option<SessionId>, at: Timestamp) {
        let open = self.sessions.values_mut().filter(|session| session.user_id == user && session.ended_at.is_none());
        open.filter(|session| only.is_none_or(|only| session.id == only))
            .for_each(|session| session.ended_at = Some(at));
    }

    fn forget_keys(&mut self, id: UserId) {
        self.users.get(&id).into_iter().flat_map(keys).for_each(|key| {
            self.unique.remove(&key);
        });
    }

    fn cancel(&mut self, key: &DedupeKey, reason: &str, at: Timestamp) {
        let Some(row) = self.by_key.get(key).and_then(|id| self.deliveries.get_mut(id)) else { return };
        let delivery = &mut row.delivery;
        match delivery.state {
            DeliveryState::Scheduled => {
                self.scheduled.remove(&(delivery.kind.priority().rank(), delivery.next_at, delivery.id));
                delivery.state = DeliveryState::Cancelled;
                delivery.settled_at = Some(at);
                delivery.reason = reason.to_owned();
            }
            DeliveryState::Claimed => {
                delivery.cancel_requested = true;
                delivery.reason = reason.to_owned();
            }
            DeliveryState::Delivered | DeliveryState::Discarded | DeliveryState::Cancelled | DeliveryState::Expired => {
            }
        }
    }

    fn plan(&mut self, new: &NewDelivery) {
        let id = match self.by_key.get(&new.dedupe_key).and_then(|id| self.deliveries.get_mut(id)) {
            None => new.id,
            Some(row) if row.delivery.state == DeliveryState::Cancelled => row.delivery.id,
            Some(row) => {
                if row.delivery.cancel_requested {
                    row.delivery.cancel_requested = false;
                    row.delivery.reason.clone_from(&new.reason);
                    row.delivery.planned_at = new.planned_at;
                }
                return;
            }
        };
        let delivery = Delivery {
            id,
            dedupe_key: new.dedupe_key.clone(),
            kind: new.notice.kind(),
            notice: Ok(new.notice.clone()),
            recipient: new.recipient.clone(),
            state: DeliveryState::Scheduled,
            planned_at: new.planned_at,
            due_at: new.due_at,
            next_at: new.due_at,
            attempts: 0,
            first_claimed_at: None,
            settled_at: None,
            cancel_requested: false,
            last_error: None,
            reply: None,
            reason: new.reason.clone(),
        };
        self.by_key.insert(new.dedupe_key.clone(), id);
        self.scheduled.insert((delivery.kind.priority().rank(), delivery.next_at, id));
        self.deliveries.insert(id, Row { delivery, lease: None, failed: Vec::new() });
    }

    fn reschedule(&mut self, key: &DedupeKey, due_at: Timestamp, next_at: Timestamp) {
        let row = self.by_key.get(key).and_then(|id| self.deliveries.get_mut(id));
        let Some(Row { delivery, .. }) = row.filter(|row| row.delivery.state == DeliveryState::Scheduled) else {
            return;
        };
        let rank = delivery.kind.priority().rank();
        self.scheduled.remove(&(rank, delivery.next_at, delivery.id));
        (delivery.due_at, delivery.next_at) = (due_at, next_at);
        self.scheduled.insert((rank, next_at, delivery.id));
    }

    fn retry(&mut self, id: DeliveryId, at: Timestamp) {
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        let delivery = &mut row.delivery;
        delivery.state = DeliveryState::Scheduled;
        delivery.next_at = at;
        delivery.attempts = 0;
        delivery.first_claimed_at = None;
        delivery.settled_at = None;
        row.failed.clear();
        self.scheduled.insert((delivery.kind.priority().rank(), at, id));
    }

    fn announce(&mut self, announcement: &FeedEvent) {
        let event = &announcement.event;
        self.events.push(event.clone());
        for owner in announcement.audience.iter().filter(|owner| self.users.contains_key(owner)) {
            let head = self.heads.entry(*owner).or_default();
            *head += 1;
            self.feeds.entry(*owner).or_default().push(FeedEntry { seq: *head, event: event.clone() });
        }
    }

    fn keep(&mut self, mail: &CapturedMail) {
        if self.mailbox.values().any(|kept| kept.id == mail.id) {
            return;
        }
        self.mailbox.insert((mail.kept_at, mail.id), mail.clone());
        while self.mailbox.len() > MAILBOX_SIZE {
            self.mailbox.pop_first();
        }
    }
}

/// What makes a user unique.
fn keys(user: &User) -> [(UniqueField, String); 2] {
    [(UniqueField::Username, user.username.key()), (UniqueField::Email, user.email.key())]
}
