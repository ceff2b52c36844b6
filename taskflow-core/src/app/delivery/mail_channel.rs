//! The mail channel: who gets which mail in which order, and the consequences of the replies of relays.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::task::Poll;

use super::channel::{Channel, ChannelBatch, FollowUp, PreparedBatch, Ready, SendError};
use super::claim::give_back;
use super::letter::{PreparedMail, SUPPRESSED};
use super::order::{Readiness, put_in_order, thread_of};
use super::{App, Sending};
use crate::error::StoreError;
use crate::notice::{A_MOMENT, BatchContext};
use crate::ports::{Accepted, Mailer, ReminderSent, Signal};
use crate::{
    Changes, ChannelKind, Delivery, Effect, Entity, MOST_TOGETHER, Mail, Notice, NoticeKind, Outcome, ParticipantId,
    Recipient, SuppressionWrite, Timestamp, UserId,
};

/// The problem of a participant whose address is suppressed.
const UNREACHABLE: &str = "no mail is sent to this address, because mail to it came back";

/// Mail, as a channel over a [`Mailer`].
pub(super) struct MailChannel<'a> {
    pub(super) app: &'a App,
    pub(super) mailer: &'a dyn Mailer,
}

/// A mail and the effects of sending it.
pub(super) struct MailMessage {
    mail: Mail,
    /// Users to notify that the mail was sent, each with the entity it reminds them of.
    reminds: Vec<(UserId, Entity)>,
    /// Whether its address is suppressed and it is sent only because its reader requested it.
    overrides: bool,
    /// The participant of a meeting that it is about.
    participant: Option<ParticipantId>,
    /// Whether mail about the meeting did not reach the participant before.
    had_problem: bool,
}

impl Channel for MailChannel<'_> {
    type Message = MailMessage;

    fn kind(&self) -> ChannelKind {
        ChannelKind::MAIL
    }

    fn sending(&self) -> Sending {
        self.app.sending.clone()
    }

    fn room(&self) -> Option<usize> {
        self.mailer.room()
    }

    async fn prepare(&self, batch: ChannelBatch<'_>) -> Result<PreparedBatch<'_, MailMessage>, StoreError> {
        let ChannelBatch { mut claims, held, now, request, .. } = batch;
        let app = self.app;
        put_in_order(&mut claims);
        let mut facts = app.load(&claims, now).await?;
        let mut queue = app.queue(&claims, &facts, held).await?;
        let mut ahead = app.claim_ahead(&queue, &claims, request).await?;
        if !ahead.is_empty() {
            ahead.append(&mut claims);
            claims = ahead;
            put_in_order(&mut claims);
            (facts, queue) = match app.look_again(&claims, queue, now).await {
                Ok(found) => found,
                // Also what was claimed just now.
                Err(_) => {
                    return Ok(PreparedBatch {
                        decided: claims.iter().map(give_back).collect(),
                        ..PreparedBatch::default()
                    });
                }
            };
        }
        let (mut prepared, mut told_now) = (PreparedBatch::default(), HashSet::new());
        for claimed in claims {
            let delivery = &claimed.delivery;
            let mail = app.prepare_mail(delivery, Vec::new(), &facts, now);
            // Of two that tell the same person news of the same meeting the second waits for what the first has told.
            let mail = match mail {
                Ok(PreparedMail { told: Some((participant, _)), .. }) if !told_now.insert(participant) => {
                    Err(Outcome::Released { next_at: now + A_MOMENT, error: None })
                }
                mail => mail,
            };
            let mut behind = Vec::new();
            let mail = mail.and_then(|mail| match queue.turn(delivery, now) {
                Readiness::Now => Ok(mail),
                Readiness::Behind(ids) => {
                    behind = ids;
                    Ok(mail)
                }
                Readiness::Later(next_at) => Err(Outcome::Released { next_at, error: None }),
            });
            let participant = delivery.notice.as_ref().ok().and_then(Notice::participant);
            match mail {
                Ok(PreparedMail { mail, told, reminds, overrides, had_problem }) => {
                    let threads = thread_of(delivery).into_iter().collect();
                    let effect = told.map(|(participant, told)| Effect::LastNotified(participant, told));
                    let message = MailMessage { mail, reminds, overrides, participant, had_problem };
                    prepared.ready.push(Ready { threads, behind, ..Ready::new(claimed, message, effect) });
                }
                Err(outcome) => {
                    queue.passed(delivery.id, tried_again_at(&outcome));
                    let suppressed = matches!(&outcome, Outcome::Cancelled { reason } if reason == SUPPRESSED);
                    if let Some(participant) = participant.filter(|_| suppressed) {
                        prepared.follow_up(self.record_problem(participant, UNREACHABLE.to_owned()));
                    }
                    prepared.settle(claimed, outcome);
                }
            }
            // Finding words takes processor time: mails on their way must not wait for those of the whole batch.
            let_others().await;
        }
        prepared.ready = app.put_together(prepared.ready, &facts, now);
        Ok(prepared)
    }

    async fn send(&self, message: &MailMessage) -> Result<Accepted, SendError> {
        if message.overrides {
            self.count_override(&message.mail).await;
        }
        let result = self.mailer.send(&message.mail).await;
        let (id, to) = (message.mail.id, &message.mail.to.address);
        self.app.lane(ChannelKind::MAIL, |lane| match result {
            Ok(accepted) => {
                lane.relay.accepted(id);
                Ok(accepted)
            }
            Err(error) => Err(lane.relay.judge(id, to, error)),
        })
    }

    fn follow_ups(
        &self,
        message: &MailMessage,
        result: &Result<Accepted, SendError>,
        outcome: &Outcome,
    ) -> Vec<FollowUp<'_>> {
        let app = self.app;
        let mut follow_ups: Vec<FollowUp<'_>> = Vec::new();
        if let Err(SendError::Permanent { reply, is_gone: true }) = result {
            // No more mail to a mailbox that is not there.
            let (address, reply) = (message.mail.to.address.clone(), reply.clone());
            follow_ups.push(Box::pin(async move { app.suppress_refused(address, reply).await }));
        }
        if result.is_ok() && !message.reminds.is_empty() {
            let at = app.clock.now();
            let signal = |(user, about): &(UserId, Entity)| {
                Signal::ReminderSent(ReminderSent { user: *user, about: *about, at })
            };
            app.bus.publish(&message.reminds.iter().map(signal).collect::<Vec<_>>());
        }
        match (outcome, message.participant) {
            (Outcome::Discarded { error }, Some(participant)) => {
                follow_ups.push(self.record_problem(participant, error.clone()));
            }
            (Outcome::Delivered { .. }, Some(participant)) if message.had_problem => {
                follow_ups.push(Box::pin(async move { app.clear_problem(participant).await }));
            }
            _ => {}
        }
        follow_ups
    }
}

impl<'a> MailChannel<'a> {
    /// Records that mail about a meeting does not reach a participant.
    fn record_problem(&self, participant: ParticipantId, said: String) -> FollowUp<'a> {
        let app = self.app;
        Box::pin(async move { app.record_problem(participant, &said).await })
    }

    /// Counts a mail that was sent to a suppressed address because its reader requested it.
    async fn count_override(&self, mail: &Mail) {
        let changes = Changes::new().write(SuppressionWrite::Override(mail.to.address.clone()));
        if let Err(error) = self.app.commit(&changes).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a mail to a suppressed address was not counted");
        }
    }
}

impl App {
    /// Makes one mail of reminders of tasks that were claimed together.
    fn put_together(
        &self,
        ready: Vec<Ready<MailMessage>>,
        facts: &BatchContext,
        now: Timestamp,
    ) -> Vec<Ready<MailMessage>> {
        let mut groups: Vec<Vec<Ready<MailMessage>>> = Vec::new();
        let mut places = HashMap::new();
        for one in ready {
            let key = together(&one.delivery);
            match key.as_ref().and_then(|key| places.get(key).copied()).and_then(|place: usize| groups.get_mut(place)) {
                Some(group) => group.push(one),
                None => {
                    places.extend(key.map(|key| (key, groups.len())));
                    groups.push(vec![one]);
                }
            }
        }
        let mails = groups.into_iter().flat_map(|mut group| {
            // In the order in which stores claim them, so that several mails are the same mails again.
            group.sort_by_key(|one| (one.delivery.next_at, one.delivery.id));
            let mut mails = Vec::new();
            while group.len() > MOST_TOGETHER {
                let rest = group.split_off(MOST_TOGETHER);
                mails.push(std::mem::replace(&mut group, rest));
            }
            mails.push(group);
            mails
        });
        mails.flat_map(|group| self.one_mail(group, facts, now)).collect()
    }

    /// The first of them, by which the mail goes, speaks for all. Where that fails each speaks for itself.
    fn one_mail(
        &self,
        mut group: Vec<Ready<MailMessage>>,
        facts: &BatchContext,
        now: Timestamp,
    ) -> Vec<Ready<MailMessage>> {
        if group.len() < 2 {
            return group;
        }
        // The same tasks are the same mail, however they were claimed.
        let due = |one: &Ready<MailMessage>| facts.gathered_task(&one.delivery).map(|task| (task.due_at, task.id));
        group.sort_by_key(|one| (due(one), one.delivery.id));
        let others = group[1..].iter().filter_map(|one| facts.gathered_task(&one.delivery).cloned()).collect();
        let Ok(PreparedMail { mail, .. }) = self.prepare_mail(&group[0].delivery, others, facts, now) else {
            return group;
        };
        let mut all = group.into_iter();
        let Some(first) = all.next() else { return Vec::new() };
        let message = MailMessage { mail, ..first.message };
        vec![all.fold(Ready { message, ..first }, |mut whole, one| {
            whole.along.push(one.delivery.id);
            whole.threads.extend(one.threads);
            whole.behind.extend(one.behind);
            whole.message.reminds.extend(one.message.reminds);
            whole
        })]
    }
}

/// The key of deliveries that leave as one mail.
#[derive(PartialEq, Eq, Hash)]
struct Together {
    kind: NoticeKind,
    reader: UserId,
    /// The next try and the number of refusals; `None`: they were not refused.
    failed: Option<(Timestamp, u32)>,
    /// The minute in which they were first claimed, or in which a hold ended. After a crash, deliveries that may have
    /// been sent as one mail form the same mail again, whatever else has become due meanwhile.
    minute: i64,
}

fn together(delivery: &Delivery) -> Option<Together> {
    let Recipient::User(reader) = delivery.recipient else { return None };
    let kind = delivery.kind;
    if !delivery.is_gathered() {
        return None;
    }
    if delivery.attempts > 0 || delivery.last_error.is_some() {
        return Some(Together { kind, reader, failed: Some((delivery.next_at, delivery.attempts)), minute: 0 });
    }
    let claimed_at = delivery.first_claimed_at.map_or(delivery.next_at, |at| at.max(delivery.next_at));
    Some(Together { kind, reader, failed: None, minute: claimed_at.as_micros().div_euclid(60_000_000) })
}

/// Returns the time until which a delivery that is not sent now blocks others of its thread. A held delivery blocks
/// nothing.
fn tried_again_at(outcome: &Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Released { next_at, .. } => Some(*next_at),
        _ => None,
    }
}

/// Lets the rest of the step have its turn.
async fn let_others() {
    let mut had_turn = false;
    poll_fn(|context| {
        if std::mem::replace(&mut had_turn, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
