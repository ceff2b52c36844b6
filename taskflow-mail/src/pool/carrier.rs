//! Workers, which send mails one after another, over one connection at a time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::Concern;
use taskflow_core::ports::{Accepted, Asked, MailError, Reply};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout};

use super::{Job, Pool};
use crate::dialogue::{Connection, Refusal};

/// Maximum time that a pipelined message waits behind another one before it looks for another connection.
const LONGEST_RIDE: Duration = Duration::from_secs(1);

/// Time for which others wait for the result of the first mail that is offered to a relay.
const LONGEST_PROOF: Duration = Duration::from_secs(1);

/// Time in which a relay can show after 421 that it continues.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Number of refusals in a row, other than of mailboxes, that open the circuit.
const MOST_IN_A_ROW: u32 = 5;
/// Number of mails in a row without a reply that open the circuit.
const MOST_SILENT_IN_A_ROW: u32 = 8;
/// Number of refused mailboxes in a row that open the circuit.
const MOST_MAILBOXES_IN_A_ROW: u32 = 32;

/// A task that lives while mails wait.
pub(super) struct Worker {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    /// Whether the worker is no longer counted.
    retired: bool,
}

/// The state of the mail whose envelope was sent behind another mail.
enum PipelinedMessage {
    /// There was none.
    None,
    /// Its envelope is on its way.
    Aboard(Job),
    /// It went back to the queue: the replies to its envelope are ignored.
    LeftBehind,
}

impl Worker {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, connection: None, retired: false }
    }

    pub(super) async fn run(mut self) {
        self.pool.line().coming -= 1;
        while let Some(job) = self.take() {
            self.serve(job).await;
        }
    }

    /// Returns the next mail, and takes a connection for it if one is idle. `None` if nothing waits; then the worker
    /// ends.
    fn take(&mut self) -> Option<Job> {
        if self.retired {
            return None;
        }
        let mut line = self.pool.line();
        let job = self.pool.next(&mut line);
        if job.is_none() {
            line.idle.extend(self.connection.take().map(|connection| (self.pool.clock.monotonic(), connection)));
            line.carriers -= 1;
            self.retired = true;
        } else if self.connection.is_none() {
            self.connection = self.pool.pop_idle(&mut line);
        }
        job
    }

    async fn serve(&mut self, mut job: Job) {
        // A relay that has taken nothing yet, or refuses everything, meets one mail at a time.
        let pool = Arc::clone(&self.pool);
        let proving = if pool.door.is_proven() { None } else { Some(pool.proving.lock().await) };
        let proving = proving.filter(|_| !pool.door.is_proven());
        if Instant::now() >= job.begin_by {
            return job.end(Err(MailError::Unavailable(self.pool.named("no mail could be begun in time"))));
        }
        if let Some(cause) = self.pool.door.refuses_to_offer() {
            return job.end(Err(MailError::Unavailable(cause)));
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.pool.connect(job.deadline).await {
                Ok(connection) => connection,
                Err(cause) => return self.leave_to_others(job, cause),
            },
        };
        if let Err(error) = connection.check_size(&job.message) {
            self.connection = Some(connection);
            return job.end(Err(error));
        }
        job.token.spend();
        let offered = connection.offer(&job.message, job.deadline).await;
        self.carry(connection, job, offered, proving).await;
    }

    /// Hands over a mail whose envelope was answered to, then the one that rode with it, and so on. Others begin when the
    /// first one was taken, or takes long.
    async fn carry(
        &mut self,
        mut connection: Connection,
        mut job: Job,
        mut offered: Result<(), Refusal>,
        mut proving: Option<MutexGuard<'_, ()>>,
    ) {
        loop {
            if let Err(refusal) = offered {
                return self.refused(connection, job, refusal).await;
            }
            let mut handing = Box::pin(self.hand_over(&mut connection, &job));
            let (outcome, rider) = match timeout(LONGEST_PROOF, &mut handing).await {
                Ok(handed) => handed,
                Err(_) => {
                    if self.pool.door.proves_itself() {
                        drop(proving.take());
                    }
                    handing.as_mut().await
                }
            };
            drop(handing);
            if outcome.is_ok() {
                self.pool.door.vouch(&job.message.to);
                drop(proving.take());
            }
            match (outcome, rider) {
                (Ok(accepted), PipelinedMessage::None) => {
                    job.end(Ok(accepted));
                    return self.keep(connection).await;
                }
                (Err(refusal), PipelinedMessage::None) => return self.refused(connection, job, refusal).await,
                (Ok(accepted), PipelinedMessage::LeftBehind) => return job.end(Ok(accepted)),
                (Err(refusal), PipelinedMessage::LeftBehind) => return self.broken(connection, job, refusal),
                (Ok(accepted), PipelinedMessage::Aboard(next)) => {
                    job.end(Ok(accepted));
                    job = next;
                }
                // The rider's MAIL begins a new mail, as RSET would.
                (Err(refusal), PipelinedMessage::Aboard(next)) if refusal.is_clean() => {
                    let verdict = self.pool.verdict(&connection, &job, refusal);
                    job.end(Err(verdict));
                    job = next;
                }
                (Err(refusal), PipelinedMessage::Aboard(next)) => {
                    self.pool.put_back(next);
                    return self.broken(connection, job, refusal);
                }
            }
            offered = connection.hear_envelope(job.deadline).await;
        }
    }

    /// Sends the mail, and with it the envelope of the next one, if one waits.
    async fn hand_over(&self, connection: &mut Connection, job: &Job) -> (Result<Accepted, Refusal>, PipelinedMessage) {
        let mut rider = self.pool.rider(connection);
        if let Some(rider) = &mut rider {
            rider.token.spend();
        }
        let parcel = connection.parcel(&job.message, rider.as_ref().map(|rider| &rider.message));
        let mut handing = pin!(connection.hand_over(parcel, job.deadline));
        let Some(rider) = rider else { return (handing.await, PipelinedMessage::None) };
        match timeout(LONGEST_RIDE, &mut handing).await {
            Ok(outcome) => (outcome, PipelinedMessage::Aboard(rider)),
            // A relay that takes long, or for ever, keeps only the mail it has: of the other one it has the envelope at
            // most, so that another connection may carry it.
            Err(_) => {
                self.pool.put_back(rider);
                (handing.await, PipelinedMessage::LeftBehind)
            }
        }
    }

    /// Handles a refusal: decides what happens to the mail and to its connection.
    async fn refused(&mut self, mut connection: Connection, job: Job, refusal: Refusal) {
        match refusal {
            Refusal::Gone(cause) | Refusal::Silent(cause) if connection.mails == 0 => {
                drop(connection);
                let cause = self.pool.named(&cause);
                self.pool.door.shut(&cause);
                self.leave_to_others(job, cause);
            }
            Refusal::Silent(cause) => {
                self.pool.door.becomes_doubtful(&self.pool.named(&cause));
                self.pool.put_back(job);
            }
            // It served others: perhaps the relay closes what was idle, or was used enough. It has nothing of this mail.
            Refusal::Gone(_) => {
                self.pool.door.doubt();
                self.pool.put_back(job);
            }
            Refusal::Refused(_) | Refusal::Throttled(_) => {
                let usable = connection.reset(job.deadline).await;
                let verdict = self.pool.verdict(&connection, &job, refusal);
                job.end(Err(verdict));
                if usable {
                    self.keep(connection).await;
                }
            }
            // Some say 421 and mean this recipient; what they do next tells.
            Refusal::HungUp(reply) if connection.reset(job.deadline.min(Instant::now() + LAST_WORD)).await => {
                let verdict = self.pool.counted(MailError::Transient(reply));
                job.end(Err(verdict));
                self.keep(connection).await;
            }
            Refusal::HungUp(_) | Refusal::Broken(_) => self.broken(connection, job, refusal),
        }
    }

    /// Does the same when the connection can no longer be used.
    fn broken(&self, connection: Connection, job: Job, refusal: Refusal) {
        let verdict = self.pool.verdict(&connection, &job, refusal);
        job.end(Err(verdict));
    }

    async fn keep(&mut self, connection: Connection) {
        if connection.has_room_for_more() {
            self.connection = Some(connection);
        } else {
            connection.quit().await;
        }
    }

    /// Handles a mail without a connection: while other workers work, it waits for one of their connections, otherwise
    /// it cannot be sent.
    fn leave_to_others(&mut self, job: Job, cause: String) {
        let mut line = self.pool.line();
        self.connection = self.pool.pop_idle(&mut line);
        if self.connection.is_some() {
            line.waiting.push_front(job);
        } else if line.carriers > 1 && self.pool.relay.has_open_connections() {
            line.waiting.push_front(job);
            line.carriers -= 1;
            self.retired = true;
        } else {
            drop(line);
            job.end(Err(MailError::Unavailable(cause)));
        }
    }
}

impl Drop for Worker {
    /// Cleans up after a panic: no caller may wait for a worker that does not come.
    fn drop(&mut self) {
        if self.retired {
            return;
        }
        let mut line = self.pool.line();
        line.carriers -= 1;
        if line.carriers == 0 {
            for job in std::mem::take(&mut line.waiting) {
                job.end(Err(MailError::Unavailable("the dialogue with the relay broke off".to_owned())));
            }
        }
    }
}

impl Pool {
    /// Returns the error of a mail for a refusal, and records what the refusal says about the relay.
    fn verdict(&self, connection: &Connection, job: &Job, refusal: Refusal) -> MailError {
        match refusal {
            Refusal::Refused(error) => self.counted(error),
            // Whoever meets this twice is meant: it costs an attempt, and nobody else anything.
            Refusal::Throttled(reply) if reply.to != Asked::Sender && !self.door.meets_first(&job.message.to) => {
                self.counted(MailError::Transient(reply))
            }
            Refusal::Throttled(reply) => {
                let cause = self.named(&reply.to_string());
                self.door.trip(&cause);
                MailError::Unavailable(cause)
            }
            Refusal::HungUp(reply) if self.door.is_about_one_mail() => {
                self.door.becomes_doubtful(&self.named(&reply.to_string()));
                MailError::Transient(reply)
            }
            Refusal::HungUp(reply) => self.unavailable(&reply.to_string(), true),
            // A relay that fails before the first mail of a connection fails as if it had not let us in.
            Refusal::Gone(cause) | Refusal::Silent(cause) | Refusal::Broken(MailError::Unavailable(cause)) => {
                self.unavailable(&cause, connection.mails == 0)
            }
            Refusal::Broken(error) => {
                if matches!(error, MailError::Transient(Reply { code: None, .. })) {
                    self.door.doubt();
                }
                self.counted(error)
            }
        }
    }

    /// Records a refused mail: a refusal of the sender is about all mail, others are if they come in a row.
    fn counted(&self, error: MailError) -> MailError {
        if let MailError::Transient(reply) | MailError::Permanent(reply) = &error {
            let most_in_a_row = match reply.concern() {
                _ if reply.code.is_none() => MOST_SILENT_IN_A_ROW,
                Concern::Relay if reply.to == Asked::Sender => 1,
                Concern::Relay | Concern::Unclear => MOST_IN_A_ROW,
                Concern::Mailbox | Concern::Message => MOST_MAILBOXES_IN_A_ROW,
            };
            let cause = self.named(&reply.to_string());
            if !matches!(reply.concern(), Concern::Mailbox | Concern::Message) {
                self.door.becomes_doubtful(&cause);
            }
            self.door.refused(&cause, most_in_a_row);
        }
        error
    }

    fn unavailable(&self, cause: &str, shut: bool) -> MailError {
        let cause = self.named(cause);
        if shut {
            self.door.shut(&cause);
        } else {
            self.door.doubt();
        }
        MailError::Unavailable(cause)
    }
}
