//! Notifies the other nodes on the same database of events on this one, by NOTIFY: feeds that have grown, sessions that
//! have ended, reminders that were sent.
//!
//! A notification only shortens the wait. A lost notification costs seconds, because every receiver reads the store
//! periodically anyway. What cannot be sent in time or in full is sent as a request to read the store
//! ([`Signal::Missed`]). Notifications are not trusted: PostgreSQL has no permissions for channels, so anyone who may
//! connect to the database can listen and send.

mod listener;
mod news;
mod payload;
mod teller;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use taskflow_core::ports::{EventBus, Signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::listener::Listener;
use self::news::News;
use self::teller::Notifier;
use crate::store::PgStore;

/// The channel of PostgreSQL on which nodes tell each other; channels belong to one database.
const CHANNEL: &str = "taskflow";
/// A connection on which nothing came or went for this long is asked whether it is still there: a firewall may have
/// forgotten it, and this also keeps it from doing so.
const REST: Duration = Duration::from_secs(3);
/// Maximum time to wait for an answer or to connect, before the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(2);
/// Maximum duration of [`PgPulse::close`].
const CLOSING: Duration = Duration::from_secs(1);

/// An [`EventBus`] that reaches the other nodes on the same database.
///
/// It wraps the bus of this process, which gets everything that is published here at once, and what other nodes have
/// published: [`FeedsGrew`](Signal::FeedsGrew) for their announcements,
/// [`SessionsEndedElsewhere`](Signal::SessionsEndedElsewhere) for any number of sessions, and
/// [`ReminderSent`](Signal::ReminderSent) as it is. It gets [`Missed`](Signal::Missed) whenever something may have been lost:
/// after each time the database was reached anew, when too much happened at once, and for what cannot be read, for example
/// of a later version. [`Planned`](Signal::Planned) and [`Missed`](Signal::Missed) stay on their node.
///
/// Publishing only notes who is to be told, in bounded memory. A task tells the others: at once when it was quiet, and at most
/// twenty times a second, however much is published, in a statement of its own on a connection of its own. NOTIFY takes a lock
/// of the whole database, which no transaction of the store has to wait for in this way. Another task listens, on a connection of
/// its own too. Both connect as the store does, and again whenever their connection is lost, also without a word.
///
/// A pooler that hands out connections per transaction cannot listen. Nodes behind one hear nothing of each other and find
/// everything when they look.
///
/// ```no_run
/// use std::sync::Arc;
/// use taskflow_core::ports::{EventBus, NoBus};
/// use taskflow_store_postgres::{PgPulse, PgStore};
///
/// # async fn share(store: PgStore) {
/// // Instead of `NoBus` the bus that the screens of this process follow.
/// let bus = PgPulse::start(&store, Arc::new(NoBus));
/// bus.publish(&[]);
/// bus.close().await;
/// store.close().await;
/// # }
/// ```
pub struct PgPulse {
    inner: Arc<dyn EventBus>,
    outgoing: Arc<Outgoing>,
    /// Becomes true, or is dropped, when the tasks shall end.
    closing: watch::Sender<bool>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

/// Updates handed to the notifier.
#[derive(Default)]
struct Outgoing {
    news: Mutex<News>,
    /// There is something to tell.
    grown: Notify,
}

impl PgPulse {
    /// Tells other nodes what is published here, and `inner` what they say. Call it within a runtime of tokio, as everything
    /// of the store; nothing is waited for, and the database need not be there.
    #[must_use]
    pub fn start(store: &PgStore, inner: Arc<dyn EventBus>) -> Self {
        let outgoing = Arc::new(Outgoing::default());
        let (closing, closes) = watch::channel(false);
        // Not the name of the node: a command of an administrator may run under the same one.
        let own = Uuid::new_v4();
        let target = Target(store.pool().clone());
        let teller = Notifier::new(target.clone(), own, Arc::clone(&outgoing));
        let listener = Listener::new(target, own, Arc::clone(&inner));
        let running = vec![tokio::spawn(teller.run(closes.clone())), tokio::spawn(listener.run(closes))];
        Self { inner, outgoing, closing, running: Mutex::new(running) }
    }

    /// Tells the others what they were not told yet, if the database takes it now, and closes both connections; all within a
    /// second. From then on what is published stays in this process. Dropping it does the same without waiting.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async {
            for task in &mut running {
                // It has nothing to say.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(CLOSING, ended).await.is_err() {
            running.iter().for_each(JoinHandle::abort);
        }
    }
}

impl EventBus for PgPulse {
    fn publish(&self, signals: &[Signal]) {
        self.inner.publish(signals);
        self.outgoing.note(signals);
    }

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        self.inner.subscribe()
    }
}

impl fmt::Debug for PgPulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgPulse").field("closed", &*self.closing.borrow()).finish_non_exhaustive()
    }
}

impl Outgoing {
    fn note(&self, signals: &[Signal]) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        signals.iter().for_each(|signal| news.note(signal));
        if !news.is_empty() {
            self.grown.notify_one();
        }
    }

    fn take(&self) -> News {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// They could not be told.
    fn put_back(&self, untold: News) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).put_back(untold);
        self.grown.notify_one();
    }
}

/// The database of a store, reached as the store reaches it at that moment: a host may give its pool another password.
#[derive(Clone)]
struct Target(PgPool);

impl Target {
    /// Returns the connection options with `name` as the application name, which administrators see.
    fn options(&self, name: &str) -> PgConnectOptions {
        self.0.connect_options().as_ref().clone().application_name(name)
    }
}

/// Returns when the tasks of a pulse shall end.
async fn closed(closes: &mut watch::Receiver<bool>) {
    // An error means that the pulse was dropped, which is the same.
    let _ = closes.wait_for(|closed| *closed).await;
}

fn no_answer() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time").into()
}
