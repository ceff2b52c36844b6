//! Which connection a mail takes, and when a relay that fails is asked again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskflow_core::ports::{Accepted, Clock, MailError, Reply};
use tokio::time::Instant;

use crate::dialogue::{Connection, Refusal};
use crate::message::Message;
use crate::smtp::{Security, SmtpSettings};
use crate::stream::Protection;

/// A connection idle for longer is not used again: relays and firewalls forget it without a word.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How long a relay that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The open connections to one relay. It does not count them: callers hold a place for each.
pub(crate) struct Pool {
    relay: Arc<Relay>,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<(Duration, Connection)>>,
    door: Mutex<Door>,
    knocking: tokio::sync::Mutex<()>,
}

/// Where connections are opened.
pub(crate) struct Relay {
    pub(crate) settings: SmtpSettings,
    pub(crate) protection: Protection,
}

/// What is known about the relay.
enum Door {
    /// It served us last time: connect freely.
    Open,
    /// Nothing is known, or a connection was lost: one at a time finds out.
    Unknown,
    /// It failed at that moment, for that reason.
    Shut(Duration, String),
}

impl Pool {
    pub(crate) fn new(settings: SmtpSettings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let roots = settings.root_certificate.as_deref();
        let protection = match settings.security {
            Security::Plain => Protection::None,
            Security::StartTls => Protection::starttls(&settings.host, roots)?,
            Security::ImplicitTls => Protection::implicit(&settings.host, roots)?,
        };
        Ok(Self {
            relay: Arc::new(Relay { settings, protection }),
            clock,
            idle: Mutex::new(Vec::new()),
            door: Mutex::new(Door::Unknown),
            knocking: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn settings(&self) -> &SmtpSettings {
        &self.relay.settings
    }

    /// Hands one mail to the relay. Must run to its end, which comes within the mail's time limit.
    pub(crate) async fn deliver(&self, message: &Message) -> Result<Accepted, MailError> {
        let deadline = Instant::now() + self.settings().mail_limit;
        if let Some(mut used) = self.idle_connection() {
            match used.offer(message, deadline).await {
                // The relay closed it while it was idle: it has seen nothing of this mail, a fresh one may.
                Err(Refusal::Gone(_)) => self.doubt(),
                outcome => return self.finish(used, outcome, deadline).await,
            }
        }
        let mut fresh = self.connect(deadline).await?;
        let outcome = fresh.offer(message, deadline).await;
        self.finish(fresh, outcome, deadline).await
    }

    /// Opens a connection, says what the relay is like, and takes leave.
    pub(crate) async fn check(&self) -> Result<String, MailError> {
        let deadline = Instant::now() + self.settings().mail_limit;
        // Makes room, should all places be taken by idle connections.
        drop(self.idle_connection());
        let connection = self.connect(deadline).await?;
        let found = connection.description();
        connection.quit().await;
        Ok(found)
    }

    /// Decides what becomes of a connection after a mail.
    async fn finish(
        &self,
        mut connection: Connection,
        outcome: Result<Accepted, Refusal>,
        deadline: Instant,
    ) -> Result<Accepted, MailError> {
        match outcome {
            Ok(accepted) => {
                self.put_back(connection).await;
                Ok(accepted)
            }
            Err(Refusal::Refused(error)) => {
                if connection.reset(deadline).await {
                    self.put_back(connection).await;
                }
                Err(error)
            }
            Err(Refusal::Gone(cause)) => Err(self.failed(&connection, cause)),
            Err(Refusal::Broken(MailError::Unavailable(cause))) => Err(self.failed(&connection, cause)),
            Err(Refusal::Broken(error)) => {
                if matches!(error, MailError::Transient(Reply { code: None, .. })) {
                    self.doubt();
                }
                Err(error)
            }
        }
    }

    /// A relay that fails before the first mail of a connection fails as if it had not let us in.
    fn failed(&self, connection: &Connection, cause: String) -> MailError {
        if connection.mails == 0 {
            return self.shut(&cause);
        }
        self.doubt();
        MailError::Unavailable(self.named(&cause))
    }

    /// The connection used last. Older ones stay behind, so that what a quiet time does not need grows old.
    fn idle_connection(&self) -> Option<Connection> {
        let now = self.clock.monotonic();
        let mut idle = lock(&self.idle);
        idle.retain(|(since, _)| now.saturating_sub(*since) <= LONGEST_IDLE);
        idle.pop().map(|(_, connection)| connection)
    }

    async fn put_back(&self, connection: Connection) {
        if connection.mails < self.settings().mails_per_connection {
            lock(&self.idle).push((self.clock.monotonic(), connection));
        } else {
            connection.quit().await;
        }
    }

    /// A fresh connection. While the relay fails it is asked once a second, and everybody else hears what came of it.
    async fn connect(&self, deadline: Instant) -> Result<Connection, MailError> {
        if self.is_open() {
            return self.knock(deadline).await;
        }
        let knocking = self.knocking.lock().await;
        if self.is_open() {
            drop(knocking);
            return self.knock(deadline).await;
        }
        if let Some(cause) = self.still_shut() {
            return Err(MailError::Unavailable(cause));
        }
        self.knock(deadline).await
    }

    async fn knock(&self, deadline: Instant) -> Result<Connection, MailError> {
        if Instant::now() >= deadline {
            return Err(MailError::Unavailable(self.named("no connection was opened in time")));
        }
        let relay = Arc::clone(&self.relay);
        // lettre panics on some answers to EHLO; in a task of its own that is an error like any other.
        let opening = tokio::spawn(async move { Connection::open(&relay, deadline).await });
        let opened = opening.await.unwrap_or_else(|_| Err("its greeting makes no sense".to_owned()));
        match opened {
            Ok(connection) => {
                self.set_door(Door::Open);
                Ok(connection)
            }
            Err(cause) => Err(self.shut(&cause)),
        }
    }

    fn is_open(&self) -> bool {
        matches!(*lock(&self.door), Door::Open)
    }

    fn still_shut(&self) -> Option<String> {
        match &*lock(&self.door) {
            Door::Shut(since, cause) if self.clock.monotonic().saturating_sub(*since) < PAUSE => Some(cause.clone()),
            Door::Open | Door::Unknown | Door::Shut(..) => None,
        }
    }

    fn shut(&self, cause: &str) -> MailError {
        let cause = self.named(cause);
        tracing::debug!(cause, "the relay is unavailable");
        self.set_door(Door::Shut(self.clock.monotonic(), cause.clone()));
        MailError::Unavailable(cause)
    }

    /// A connection was lost: that may be all, or the relay is gone.
    fn doubt(&self) {
        let mut door = lock(&self.door);
        if matches!(*door, Door::Open) {
            *door = Door::Unknown;
        }
    }

    fn set_door(&self, door: Door) {
        *lock(&self.door) = door;
    }

    fn named(&self, cause: &str) -> String {
        format!("{}:{}: {cause}", self.settings().host, self.settings().port)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
