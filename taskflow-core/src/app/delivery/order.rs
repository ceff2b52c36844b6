//! Notices to one reader about one thing leave in the order in which they were made.
//!
//! Mail goes out over many connections and from several nodes, and a refused one is tried again later: without an order a
//! reminder could arrive before the invitation it belongs to. What has come due is therefore compared with what is open
//! ahead of it. On one node the sender keeps their order; behind what another node is sending, or what waits for its
//! next try, a notice waits as long as it is of use. What is over, or held by quiet hours, keeps nothing waiting. What is
//! due, but waits for its turn among what others caused, leaves with the notice that would wait for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::App;
use crate::error::StoreError;
use crate::notice::{A_MOMENT, BatchContext, ON_TIME, Thread};
use crate::ports::{ClaimRequest, Claimed};
use crate::{Delivery, DeliveryId, DeliveryState, NoticeKind, Timestamp};

/// The time that a notice waits behind one that another node is sending, before it asks again.
const WHILE_ANOTHER_SENDS: Duration = Duration::from_secs(1);

/// Returns the thread of a delivery, if it is kept in order.
pub(super) fn thread_of(delivery: &Delivery) -> Option<Thread> {
    delivery.notice.as_ref().ok()?.order_thread()
}

impl Thread {
    /// Returns the key prefixes of the notices that may be ahead of a notice of this kind.
    fn keys(&self, kind: NoticeKind, facts: &BatchContext) -> Vec<String> {
        match self {
            Self::Meeting(meeting, participant) => {
                let told =
                    ["invite", "change", "cancel"].map(|what| format!("meeting-{what}/{meeting}/{participant}/"));
                let starts_at = facts.starts_at(*meeting).filter(|_| kind != NoticeKind::MeetingReminder);
                let reminders =
                    starts_at.map(|at| format!("meeting-reminder/{meeting}/{}/{participant}/", at.as_micros()));
                told.into_iter().chain(reminders).collect()
            }
            Self::Left(meeting) => vec![format!("meeting-left/{meeting}/")],
            Self::Task(task) if kind == NoticeKind::TaskDue => vec![format!("task-status/{task}/")],
            Self::Task(task) => vec![format!("task-status/{task}/"), format!("task-due/{task}/")],
            Self::Server => vec!["server-alert/".to_owned(), "server-recovery/".to_owned()],
        }
    }
}

/// Returns the place of a notice in the order in which they were made; of one commit reminders come last.
fn made(delivery: &Delivery) -> (Timestamp, bool, DeliveryId) {
    let is_reminder = delivery.notice.as_ref().is_ok_and(|notice| notice.reminds().is_some());
    (delivery.planned_at, is_reminder, delivery.id)
}

/// The turn of a notice among those of its thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Nothing is ahead of it but what this step sends before it.
    Now,
    /// These deliveries are ahead of it, which this step has not settled yet.
    Behind(Vec<DeliveryId>),
    /// Something else is; it is tried again then.
    Later(Timestamp),
}

/// The open notices in the threads of a batch.
#[derive(Default)]
pub(super) struct Queue {
    open: HashMap<Thread, Vec<Delivery>>,
    /// Deliveries that this step holds already.
    own: HashSet<DeliveryId>,
    /// The deliveries of the batch that are not sent now, each with the time of its next attempt, if there is one.
    passed: HashMap<DeliveryId, Option<Timestamp>>,
    /// All deliveries of the batch.
    batch: HashSet<DeliveryId>,
}

impl App {
    /// Looks up the deliveries ahead of the notices of a batch: one read of a few ranges of keys for each.
    pub(super) async fn queue(
        &self,
        claims: &[Claimed],
        facts: &BatchContext,
        own: HashSet<DeliveryId>,
    ) -> Result<Queue, StoreError> {
        let mut keys = BTreeSet::new();
        for Claimed { delivery, .. } in claims {
            keys.extend(thread_of(delivery).into_iter().flat_map(|thread| thread.keys(delivery.kind, facts)));
        }
        let batch = claims.iter().map(|claimed| claimed.delivery.id).collect();
        let mut queue = Queue { own, batch, ..Queue::default() };
        if !keys.is_empty() {
            let open = self.store.open_with_keys(&Vec::from_iter(keys)).await?;
            for delivery in open.into_iter().filter(|delivery| delivery.channel.is_mail()) {
                if let Some(thread) = thread_of(&delivery) {
                    queue.open.entry(thread).or_default().push(delivery);
                }
            }
        }
        Ok(queue)
    }

    /// Claims what is open ahead of a batch and due, but waits for its turn: it leaves with what would wait for it. So a
    /// reminder never waits behind an invitation that itself waits behind thousands of others.
    pub(super) async fn claim_ahead(
        &self,
        queue: &Queue,
        claims: &[Claimed],
        request: &ClaimRequest,
    ) -> Result<Vec<Claimed>, StoreError> {
        let ahead = queue.waits_ahead(claims, request.now);
        if ahead.is_empty() { Ok(Vec::new()) } else { self.outbox.claim_these(request, &ahead).await }
    }

    /// Looks up again what a batch is about that has become larger.
    pub(super) async fn look_again(
        &self,
        claims: &[Claimed],
        queue: Queue,
        now: Timestamp,
    ) -> Result<(BatchContext, Queue), StoreError> {
        let facts = self.load(claims, now).await?;
        let queue = self.queue(claims, &facts, queue.own).await?;
        Ok((facts, queue))
    }
}

/// Returns whether what a notice says follows from what its reader knows, so that what waits for its turn or its next try is
/// told by the next one.
fn tells_all(delivery: &Delivery) -> bool {
    use NoticeKind::{MeetingCancel, MeetingChange, MeetingInvite};
    matches!(delivery.kind, MeetingInvite | MeetingChange | MeetingCancel)
}

impl Queue {
    /// Returns what is due and nobody has claimed, of what is ahead of a batch and not in it.
    fn waits_ahead(&self, claims: &[Claimed], now: Timestamp) -> Vec<DeliveryId> {
        let waits = |other: &&Delivery| {
            other.state == DeliveryState::Scheduled && other.next_at <= now && !self.batch.contains(&other.id)
        };
        let ahead =
            claims.iter().filter(|claimed| !tells_all(&claimed.delivery)).flat_map(|Claimed { delivery, .. }| {
                let open = thread_of(delivery).and_then(|thread| self.open.get(&thread)).into_iter().flatten();
                open.filter(waits).filter(|other| made(other) < made(delivery)).map(|other| other.id)
            });
        ahead.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns whether a notice that has come due may leave.
    pub(super) fn turn(&self, delivery: &Delivery, now: Timestamp) -> Readiness {
        let ahead = thread_of(delivery).and_then(|thread| self.open.get(&thread));
        let ahead: Vec<_> = ahead.into_iter().flatten().filter(|other| made(other) < made(delivery)).collect();
        // Of several changes the last one tells all.
        let changes = ahead.iter().filter(|other| other.kind == NoticeKind::MeetingChange);
        let last_change = changes.map(|change| made(change)).max();
        let tells_nothing = |other: &Delivery| {
            other.kind == NoticeKind::MeetingChange
                && other.state == DeliveryState::Scheduled
                && last_change.is_some_and(|last| made(other) < last)
        };
        let (mut behind, mut later) = (Vec::new(), None);
        for other in ahead.into_iter().filter(|other| !tells_nothing(other)) {
            match self.keeps_waiting(other, delivery, now) {
                Readiness::Now => {}
                Readiness::Behind(ids) => behind.extend(ids),
                Readiness::Later(at) => later = later.max(Some(at)),
            }
        }
        let notice = delivery.notice.as_ref().ok();
        let of_use_until = notice.and_then(|notice| notice.expires_at(delivery.due_at));
        match later.filter(|at| of_use_until.is_none_or(|until| until > *at + A_MOMENT)) {
            Some(at) => Readiness::Later(at),
            None if behind.is_empty() => Readiness::Now,
            None => Readiness::Behind(behind),
        }
    }

    fn keeps_waiting(&self, other: &Delivery, delivery: &Delivery, now: Timestamp) -> Readiness {
        use NoticeKind::MeetingChange;
        let tells_all = tells_all(delivery);
        if self.batch.contains(&other.id) {
            return match self.passed.get(&other.id) {
                Some(Some(at)) if !tells_all => Readiness::Later((*at).max(now + WHILE_ANOTHER_SENDS)),
                Some(_) | None => Readiness::Now,
            };
        }
        if self.own.contains(&other.id) {
            return Readiness::Behind(vec![other.id]);
        }
        match other.state {
            DeliveryState::Claimed => Readiness::Later(now + WHILE_ANOTHER_SENDS),
            _ if tells_all => Readiness::Now,
            // Longer than a moment: it is held.
            _ if other.next_at > now + A_MOMENT && other.last_error.is_none() => match other.kind {
                // A change waits for its organizer to be done, and a reminder for the change as long as it is on time.
                MeetingChange if other.first_claimed_at.is_none() && other.next_at < delivery.due_at + ON_TIME => {
                    Readiness::Later(other.next_at)
                }
                _ => Readiness::Now,
            },
            _ => Readiness::Later(other.next_at.max(now + WHILE_ANOTHER_SENDS)),
        }
    }

    /// Notes that a delivery of the batch does not leave now: when it is tried again, if it is.
    pub(super) fn passed(&mut self, id: DeliveryId, tried_again_at: Option<Timestamp>) {
        self.passed.insert(id, tried_again_at);
    }
}

/// Puts the notices of each thread into the order in which they were made, in the places that they have.
pub(super) fn put_in_order(claims: &mut [Claimed]) {
    let mut places: HashMap<Thread, Vec<usize>> = HashMap::new();
    for (place, claimed) in claims.iter().enumerate() {
        if let Some(thread) = thread_of(&claimed.delivery) {
            places.entry(thread).or_default().push(place);
        }
    }
    for places in places.into_values().filter(|places| places.len() > 1) {
        let mut theirs: Vec<_> = places.iter().map(|place| claims[*place].clone()).collect();
        theirs.sort_by_key(|claimed| made(&claimed.delivery));
        for (place, claimed) in places.into_iter().zip(theirs) {
            claims[place] = claimed;
        }
    }
}
