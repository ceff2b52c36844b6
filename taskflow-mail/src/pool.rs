//! Assigns mails to connections, and handles the results of both.
//!
//! Mails wait in one queue. Workers take them from its head, at most as many as there may be connections. A worker is a
//! task with one connection that lives while mails wait. When the queue is empty, the worker leaves its connection to
//! the next one and ends.

mod carrier;
mod door;
mod rate;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskflow_core::ports::{Accepted, Clock, MailError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::carrier::Worker;
use self::door::CircuitBreaker;
pub(crate) use self::rate::{Rate, Token};
use crate::dialogue::Connection;
use crate::message::Message;
use crate::secrets::Secrets;
use crate::smtp::{Security, SmtpSettings};
use crate::stream::Protection;

/// A connection idle for longer is not used again: relays and firewalls forget it without a word.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// The mails that wait, and the connections to one relay.
pub(crate) struct Pool {
    relay: Arc<Relay>,
    clock: Arc<dyn Clock>,
    line: Mutex<Line>,
    door: CircuitBreaker,
    knocking: tokio::sync::Mutex<()>,
    /// Held by the mail that probes whether the relay accepts any.
    proving: tokio::sync::Mutex<()>,
}

/// The relay to which connections are opened.
pub(crate) struct Relay {
    pub(crate) settings: SmtpSettings,
    pub(crate) protection: Protection,
    pub(crate) secrets: Secrets,
    /// Every open connection holds it too.
    pub(crate) open: Arc<()>,
}

impl Relay {
    fn has_open_connections(&self) -> bool {
        Arc::strong_count(&self.open) > 1
    }
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    /// Idle connections. The last used one comes last and is used first, so that connections that are not needed grow
    /// old.
    idle: Vec<(Duration, Connection)>,
    /// Number of workers.
    carriers: usize,
    /// Number of workers that have not looked for a mail yet.
    coming: usize,
}

/// A mail being sent, and the caller that waits for its result.
struct Job {
    message: Message,
    token: Token,
    begin_by: Instant,
    deadline: Instant,
    answer: oneshot::Sender<Result<Accepted, MailError>>,
}

impl Job {
    fn end(self, outcome: Result<Accepted, MailError>) {
        // Whoever asked may have left.
        let _ = self.answer.send(outcome);
    }
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
            relay: Arc::new(Relay {
                secrets: Secrets::of(settings.login.as_ref()),
                settings,
                protection,
                open: Arc::default(),
            }),
            clock: Arc::clone(&clock),
            line: Mutex::default(),
            door: CircuitBreaker::new(clock),
            knocking: tokio::sync::Mutex::default(),
            proving: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn settings(&self) -> &SmtpSettings {
        &self.relay.settings
    }

    /// Adds a mail to the queue. It is not begun after `begin_by`, and the result comes by `deadline`.
    pub(crate) fn submit(
        self: &Arc<Self>,
        message: Message,
        token: Token,
        begin_by: Instant,
        deadline: Instant,
    ) -> oneshot::Receiver<Result<Accepted, MailError>> {
        let (answer, answered) = oneshot::channel();
        let mut line = self.line();
        line.waiting.push_back(Job { message, token, begin_by, deadline, answer });
        self.call_carrier(&mut line);
        answered
    }

    /// Puts back a mail that has had its turn and could not use it.
    fn put_back(self: &Arc<Self>, job: Job) {
        let mut line = self.line();
        line.waiting.push_front(job);
        self.call_carrier(&mut line);
    }

    fn call_carrier(self: &Arc<Self>, line: &mut Line) {
        if line.carriers < self.settings().connections {
            line.carriers += 1;
            line.coming += 1;
            tokio::spawn(Worker::new(Arc::clone(self)).run());
        }
    }

    /// Opens a connection, describes the relay, and ends the session.
    pub(crate) async fn check(&self) -> Result<String, MailError> {
        let deadline = Instant::now() + self.settings().mail_limit;
        // Makes room, should the relay allow no more than are open.
        drop(self.idle_connection());
        let connection = self.connect(deadline).await.map_err(MailError::Unavailable)?;
        let found = connection.description();
        connection.quit().await;
        Ok(found)
    }

    /// Returns the next mail to send. Mails whose callers have left, or that waited too long, are skipped.
    fn next(&self, line: &mut Line) -> Option<Job> {
        while let Some(job) = line.waiting.pop_front() {
            if job.answer.is_closed() {
                continue;
            }
            if Instant::now() < job.begin_by {
                return Some(job);
            }
            let patience = (self.settings().mail_limit / 2).as_secs_f32();
            job.end(Err(MailError::Unavailable(self.named(&format!("no connection became free within {patience} s")))));
        }
        None
    }

    /// Returns a mail whose envelope can be pipelined behind another one, unless a worker is on its way to it.
    fn rider(&self, connection: &Connection) -> Option<Job> {
        if !connection.takes_riders() || self.door.has_failed() {
            return None;
        }
        let mut line = self.line();
        if line.waiting.len() <= line.coming {
            return None;
        }
        loop {
            let job = self.next(&mut line)?;
            match connection.check_size(&job.message) {
                Ok(()) => return Some(job),
                Err(error) => job.end(Err(error)),
            }
        }
    }

    fn idle_connection(&self) -> Option<Connection> {
        self.pop_idle(&mut self.line())
    }

    fn pop_idle(&self, line: &mut Line) -> Option<Connection> {
        let now = self.clock.monotonic();
        line.idle.retain(|(since, _)| now.saturating_sub(*since) <= LONGEST_IDLE);
        line.idle.pop().map(|(_, connection)| connection)
    }

    /// A fresh connection, or why there is none. Without an open connection one attempt at a time shows whether the relay
    /// lets anybody in. While it fails it is asked once a second, and everybody else hears what came of it.
    async fn connect(&self, deadline: Instant) -> Result<Connection, String> {
        let is_known = || self.door.is_open() && self.relay.has_open_connections();
        if is_known() {
            return self.knock(deadline).await;
        }
        let knocking = self.knocking.lock().await;
        if is_known() {
            drop(knocking);
            return self.knock(deadline).await;
        }
        match self.door.refuses_to_connect() {
            Some(cause) => Err(cause),
            None => self.knock(deadline).await,
        }
    }

    async fn knock(&self, deadline: Instant) -> Result<Connection, String> {
        if Instant::now() >= deadline {
            return Err(self.named("no connection was opened in time"));
        }
        // lettre panics on some answers to EHLO; in a task of its own that is an error like any other.
        let opening = tokio::spawn(Connection::open(Arc::clone(&self.relay), deadline));
        let opened = opening.await.unwrap_or_else(|_| Err("its greeting makes no sense".to_owned()));
        match opened {
            Ok(connection) => {
                self.door.opened();
                Ok(connection)
            }
            Err(cause) => {
                let cause = self.named(&cause);
                self.door.shut(&cause);
                Err(cause)
            }
        }
    }

    fn named(&self, cause: &str) -> String {
        format!("{}:{}: {cause}", self.settings().host, self.settings().port)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
