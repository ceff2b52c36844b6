use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::{Changes, Entity, FeedEvent, SessionId, SessionWrite, Timestamp, UserId, UserWrite, Write};

/// A hint that something was committed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Signal {
    /// This happened, in this process.
    Announced(Arc<FeedEvent>),
    /// The feeds of these users have grown because of a commit in another process.
    FeedsGrew(Vec<UserId>),
    /// A user was reminded; a feed does not keep this.
    ReminderSent(ReminderSent),
    /// Signals may have been lost: whoever depends on them reads the store.
    Missed,
    /// Deliveries were planned.
    Planned {
        /// The time at which the first of them is due; nobody needs to look for them before.
        earliest: Timestamp,
    },
    /// The sessions of a user, or one of them, were ended in this process. Connections that were signed in with them
    /// are no longer valid.
    SessionsEnded {
        /// The user whose sessions ended.
        user: UserId,
        /// The only session that ended; `None` if all of them ended.
        only: Option<SessionId>,
        /// The time at which they ended.
        at: Timestamp,
    },
    /// Sessions were ended in another process: a list of ended sessions has to be read from the store again. The signal
    /// does not name them, because nobody should have to trust it.
    SessionsEndedElsewhere,
}

/// A reminder that a relay has accepted: clients may show it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReminderSent {
    /// The user who was reminded.
    pub user: UserId,
    /// The entity that the reminder is about.
    pub about: Entity,
    /// The time at which the reminder was sent.
    pub at: Timestamp,
}

/// Publishes commits to listeners in this process, and perhaps on other nodes.
///
/// # Contract
///
/// Best effort: a signal may be lost or come twice, and the truth is in the store. A bus that knows of lost signals
/// sends [`Signal::Missed`]. Publishing never waits and never fails the caller.
pub trait EventBus: Send + Sync {
    /// Tells everybody who listens now.
    fn publish(&self, signals: &[Signal]);

    /// Returns everything published from now on; ends when the bus does.
    fn subscribe(&self) -> BoxStream<'static, Signal>;
}

/// A bus without listeners, for hosts that poll.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl EventBus for NoBus {
    fn publish(&self, _signals: &[Signal]) {}

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        stream::pending().boxed()
    }
}

/// The signals to publish once some [`Changes`] are committed. A host that applied them in a transaction of its own
/// passes it to [`App::published`](crate::App::published) after its COMMIT. If it forgets, others only learn of the
/// changes some seconds later.
#[derive(Debug, Clone)]
#[must_use = "publish it after your commit, so that others need not wait for their next poll"]
pub struct CommitReceipt {
    signals: Vec<Signal>,
}

impl CommitReceipt {
    /// Returns the signals for these changes.
    pub fn new(changes: &Changes) -> Self {
        let announced = changes.events.iter().map(|event| Signal::Announced(Arc::new(event.clone())));
        let earliest = changes.deliveries.iter().map(|delivery| delivery.due_at).min();
        let planned = earliest.map(|earliest| Signal::Planned { earliest });
        let ended = changes.writes.iter().filter_map(|write| match write {
            Write::Session(SessionWrite::End { user_id, only, at }) => {
                Some(Signal::SessionsEnded { user: *user_id, only: *only, at: *at })
            }
            Write::User(UserWrite::Delete { id, at }) => Some(Signal::SessionsEnded { user: *id, only: None, at: *at }),
            _ => None,
        });
        Self { signals: announced.chain(planned).chain(ended).collect() }
    }

    /// Returns the signals in the order of the changes.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }
}
