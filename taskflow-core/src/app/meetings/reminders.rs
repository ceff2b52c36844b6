//! Reminders of meetings: everybody's own, by hand, and the ledger of them.

use std::collections::{HashMap, HashSet};

use super::super::retry::Attempt;
use super::super::{App, MeetingUseCases};
use super::people::still_on;
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::notice::MeetingReminderNotice;
use crate::ports::Lookup;
use crate::reminder::MeetingReminder;
use crate::{
    Actor, Changes, Comment, DedupeKey, Delivery, DeliveryState, DeliveryWrite, Idempotency, Idempotent, MeetingId,
    MeetingResponse, MeetingStatus, MeetingWrite, Notice, NoticeKind, OverQuota, OwnReminders, Participant,
    ParticipantId, ParticipantWrite, Quota, ReminderMinutes, Scope, Timestamp, Viewer, reminder_minutes,
};

/// Most rows of the ledger that are shown of one meeting.
const LEDGER_ROWS: u32 = 10_000;

/// The result of a reminder sent by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminded {
    /// Number of participants of the meeting.
    pub participants: usize,
    /// Number of mails added to the outbox.
    pub planned: usize,
}

impl MeetingUseCases<'_> {
    /// Returns the minutes before the meeting at which the actor is reminded: their own, otherwise the meeting's.
    pub async fn own_reminders(self, actor: Actor, id: MeetingId) -> Result<Vec<ReminderMinutes>, Error> {
        let scope = actor.scope()?;
        let details = self.get(actor, id).await?;
        let mine = details.participants.iter().find(|one| one.user_id == Some(scope.person()));
        let mine = mine.ok_or(Error::NotFound("meeting"))?;
        let accepted = Participant { response: MeetingResponse::Accepted, ..mine.clone() };
        Ok(reminder_minutes(&details.meeting, &accepted).to_vec())
    }

    /// Sets the actor's own reminders and plans them; `None` for those of the meeting.
    pub async fn set_own_reminders(
        self,
        actor: Actor,
        id: MeetingId,
        reminders: Option<OwnReminders>,
    ) -> Result<Vec<ReminderMinutes>, Error> {
        let scope = actor.scope()?;
        let details = self.app.meeting_details(Viewer::Person(scope.reading()), id).await?;
        let mine = details.participants.iter().find(|one| one.user_id == Some(scope.person()) && one.is_in());
        let mine = mine.ok_or(Error::NotFound("meeting"))?.id;
        self.app.set_reminders_of(id, mine, reminders).await?;
        self.own_reminders(actor, id).await
    }

    /// Reminds everybody in a meeting of the actor who did not decline, now.
    pub async fn remind_now(
        self,
        actor: Actor,
        id: MeetingId,
        minutes: Option<ReminderMinutes>,
        message: Option<Comment>,
    ) -> Result<Reminded, Error> {
        self.app.remind_by_hand(actor.scope()?, id, minutes, message, None).await
    }

    /// Does the same, but only once for an idempotency key.
    pub async fn remind_now_once(
        self,
        actor: Actor,
        id: MeetingId,
        minutes: Option<ReminderMinutes>,
        message: Option<Comment>,
        idempotency: Idempotency<'_, Reminded>,
    ) -> Result<Idempotent<Reminded>, Error> {
        let (scope, idempotency) = (actor.scope()?, Some(&idempotency));
        self.app
            .idempotent(scope.person(), idempotency, self.app.remind_by_hand(scope, id, minutes, message, idempotency))
            .await
    }

    /// Returns the reminders of a meeting in the ledger, the earliest due first: all of them for the organizer,
    /// otherwise the actor's own. Also returns everybody who was ever invited.
    pub async fn ledger(self, actor: Actor, id: MeetingId) -> Result<(Vec<Delivery>, Vec<Participant>), Error> {
        let scope = actor.scope()?;
        let MeetingDetails { meeting, participants } =
            self.app.meeting_details(Viewer::Person(scope.reading()), id).await?;
        let mut rows = self.app.store.deliveries_with_key(&format!("meeting-reminder/{id}/"), LEDGER_ROWS).await?;
        rows.extend(self.app.store.deliveries_with_key(&format!("meeting-reminder-by-hand/{id}/"), LEDGER_ROWS).await?);
        let mine = participants.iter().find(|one| one.user_id == Some(scope.person()) && one.is_in()).map(|one| one.id);
        if meeting.created_by != Some(scope.owner()) {
            rows.retain(|row| {
                matches!(&row.notice, Ok(Notice::MeetingReminder(MeetingReminderNotice { participant, .. })) if Some(*participant) == mine)
            });
        }
        rows.sort_by_key(|row| (row.due_at, row.id));
        Ok((rows, participants))
    }
}

impl App {
    /// Sets the reminders of a participant, whose permission the caller has checked, and plans them.
    pub(in super::super) async fn set_reminders_of(
        &self,
        id: MeetingId,
        participant: ParticipantId,
        reminders: Option<OwnReminders>,
    ) -> Result<(), Error> {
        self.retry(id.as_uuid(), || async {
            let MeetingDetails { meeting, participants } = self.meeting_details(Viewer::Service, id).await?;
            let before = participants.into_iter().find(|one| one.id == participant && one.is_in());
            let before = before.ok_or(Error::NotFound("meeting"))?;
            let after = before.with_reminders(reminders.clone());
            if after == before {
                return Ok(Attempt::Unchanged(()));
            }
            let version = meeting.version;
            let was = MeetingDetails { meeting: meeting.clone(), participants: vec![before] };
            let is = MeetingDetails { meeting, participants: vec![after.clone()] };
            let changes = self
                .reminder_changes(Some(&was), &is, self.clock.now())
                .write(ParticipantWrite::Update(after))
                .write(MeetingWrite::ExpectVersion { id, version });
            Ok(Attempt::Commit(changes, ()))
        })
        .await
    }

    /// Returns the participants that get no reminder of a meeting: they unsubscribed, their account is locked, or their
    /// address is suppressed.
    async fn who_takes_no_reminder(&self, people: &[&Participant]) -> Result<HashSet<ParticipantId>, Error> {
        let kind = NoticeKind::MeetingReminder;
        let ids: Vec<_> = people.iter().filter_map(|one| one.user_id).collect();
        let users = if ids.is_empty() { Lookup::new() } else { self.store.users(&ids).await? };
        let user = |one: &Participant| one.user_id.and_then(|id| users.get(&id)?.as_ref().ok());
        let address = |one: &Participant| match user(one) {
            Some(user) if user.email_verified || one.is_organizer() => user.email.clone(),
            Some(_) | None => one.email.clone(),
        };
        let addresses: Vec<_> = people.iter().map(|one| address(one)).collect();
        let suppressed = self.store.suppressed(&addresses).await?;
        let ended = self.store.unsubscribed(&addresses).await?;
        let takes_none = |one: &Participant| {
            let key = address(one).key();
            let ended = match user(one) {
                Some(user) if !user.is_active || !user.preferences.wants(kind) => true,
                Some(user) if user.email_verified => false,
                Some(_) | None => ended.contains(&(key.clone(), kind)),
            };
            ended || suppressed.contains_key(&key)
        };
        Ok(people.iter().filter(|one| takes_none(one)).map(|one| one.id).collect())
    }

    async fn remind_by_hand(
        &self,
        scope: Scope,
        id: MeetingId,
        minutes: Option<ReminderMinutes>,
        message: Option<Comment>,
        idempotency: Option<&Idempotency<'_, Reminded>>,
    ) -> Result<Reminded, Error> {
        let details = self.meeting_details(Viewer::Person(scope), id).await?;
        let now = self.clock.now();
        still_on(&details, now)?;
        if details.meeting.status(now) != MeetingStatus::Scheduled {
            return Err(FieldError::new("meeting_date", "has passed: the meeting has begun").into());
        }
        let (round, starts_at) = (self.round(now), details.meeting.starts_at);
        let participants: Vec<_> = details.participants.iter().filter(|one| one.is_in()).collect();
        let takes_none = self.who_takes_no_reminder(&participants).await?;
        let awaited = participants.iter().filter(|one| one.response != MeetingResponse::Declined);
        let awaited: Vec<_> = awaited.filter(|one| !takes_none.contains(&one.id)).collect();
        let before = self.store.deliveries_with_key(&format!("meeting-reminder-by-hand/{id}/"), LEDGER_ROWS).await?;
        let cooling = self.cooling_down(&before, now);
        let (waiting, awaited): (Vec<&Participant>, Vec<_>) =
            awaited.into_iter().copied().partition(|one| cooling.contains_key(&one.id));
        let until = waiting.iter().filter_map(|one| cooling.get(&one.id)).min().copied();
        if until.is_some() && awaited.is_empty() {
            return Err(Error::OverQuota(OverQuota { quota: Quota::Reminders, limit: 1, used: 1, until }));
        }
        let reminded_now: HashSet<_> = awaited.iter().map(|one| one.id).collect();
        let reminders = awaited.into_iter().map(|participant| MeetingReminder {
            key: DedupeKey::new(format!("meeting-reminder-by-hand/{id}/{round}/{}", participant.id)),
            participant: participant.id,
            recipient: participant.recipient(),
            due_at: now,
            notice: Notice::MeetingReminder(MeetingReminderNotice {
                meeting: id,
                participant: participant.id,
                starts_at,
                minutes: minutes.map(ReminderMinutes::get),
                message: message.as_ref().map(ToString::to_string),
            }),
        });
        let deliveries: Vec<_> =
            reminders.map(|reminder| self.remind(reminder, now).because("the organizer sent a reminder")).collect();
        let reminded = Reminded { participants: participants.len(), planned: deliveries.len() };
        let changes = outlived_by_hand(before, &reminded_now, message.as_ref(), now).deliver(deliveries);
        self.commit(&changes.respond(scope.person(), idempotency, &reminded, now).under(scope)).await?;
        Ok(reminded)
    }

    /// Returns the name of a reminder by hand in its key. Of those that are sent at the same time within the cool-down one
    /// leaves, since they have one key.
    fn round(&self, now: Timestamp) -> String {
        match i64::try_from(self.reminder_cooldown.as_micros()) {
            Ok(cooldown) if cooldown > 0 => now.as_micros().div_euclid(cooldown).to_string(),
            Ok(_) | Err(_) => self.ids.next(now).to_string(),
        }
    }

    /// Returns who was reminded by hand a short while ago, and when they can be again.
    fn cooling_down(&self, before: &[Delivery], now: Timestamp) -> HashMap<ParticipantId, Timestamp> {
        let counted = before.iter().filter(|row| row.state != DeliveryState::Cancelled);
        let until = counted.filter_map(|row| {
            let participant = row.notice.as_ref().ok()?.participant()?;
            Some((participant, row.planned_at + self.reminder_cooldown)).filter(|(_, until)| *until > now)
        });
        until.fold(HashMap::new(), |mut all, (participant, until)| {
            all.entry(participant).and_modify(|last: &mut Timestamp| *last = until.max(*last)).or_insert(until);
            all
        })
    }
}

/// Cancels what was sent by hand before to these people, waits still, as for quiet hours to end, and says no more than what
/// is sent now.
fn outlived_by_hand(
    before: Vec<Delivery>,
    reminded_now: &HashSet<ParticipantId>,
    message: Option<&Comment>,
    now: Timestamp,
) -> Changes {
    let says_no_more = |row: &Delivery| match &row.notice {
        Ok(Notice::MeetingReminder(MeetingReminderNotice { message: said, participant, .. })) => {
            reminded_now.contains(participant) && (said.is_none() || said.as_deref() == message.map(Comment::as_str))
        }
        _ => false,
    };
    let waits = before.into_iter().filter(|row| row.state == DeliveryState::Scheduled && says_no_more(row));
    let reason = "the organizer sent a later reminder".to_owned();
    let cancel = |row: Delivery| DeliveryWrite::Cancel { key: row.dedupe_key, reason: reason.clone(), at: now };
    waits.map(cancel).fold(Changes::new(), Changes::write)
}
