//! The public interface of SMTP: settings and a mailer.

mod hello;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::Mail;
use taskflow_core::ports::{Accepted, Clock, MailError, Mailer, Reply};
use tokio::time::Instant;

pub(crate) use self::settings::Login;
pub use self::settings::{InvalidSettings, Security, SmtpSettings};
use crate::message::{Message, checked};
use crate::pool::{Pool, Rate};

/// Sends mail through a relay, over a pool of connections that stay open.
///
/// It must be used inside a tokio runtime. See the crate's documentation for its guarantees.
///
/// # Replies of the relay
///
/// | event | meaning | result |
/// |---|---|---|
/// | connecting, TLS, the greeting or signing in fails | the relay is unavailable | `Unavailable` for all mail; one connection a second is tried until one succeeds. Without an open connection one attempt at a time is made. While other connections work, mail waits for those instead |
/// | the connection is lost, or 421, before MAIL is answered | nothing was offered | the mail takes another connection; on a fresh one, as above |
/// | 4yz to MAIL, RCPT or the mail | the relay refuses this mail for now | `Transient`; core classifies the reply ([`Reply::concern`]) |
/// | 5yz to MAIL, RCPT or the mail | it refuses this mail for good | `Permanent`; as above |
/// | any 4yz or 5yz to MAIL about the sender; several others in a row with nothing accepted in between | it accepts no mail from us | as above, and `Unavailable` for all other mail; one mail a second is offered until one is accepted |
/// | 4yz about throttling ("too many", "rate") and not about a mailbox (4.1.z, 4.2.z), also 454 to MAIL | we are too fast | `Unavailable`; one mail a second is offered until one is accepted. To RCPT or the mail only the first time for a recipient, then `Transient` |
/// | 421 to RCPT, DATA or the mail | it hangs up on this mail, or on all | the first such reply since a mail was last accepted: `Transient`, and one connection a second is opened until a mail is accepted. Further ones, with nothing accepted in between: `Unavailable` |
/// | silence, nonsense or a lost connection from RCPT on | the mail may or may not have arrived | `Transient` without a code; the connection is closed |
/// | a reply before it is asked for, or one too many | protocol desync | the connection is closed; an offered mail may or may not have arrived: `Transient` without a code |
/// | 250 to the mail | it is accepted | `Ok` |
pub struct SmtpMailer {
    pool: Arc<Pool>,
    rate: Arc<Rate>,
}

impl SmtpMailer {
    /// Prepares TLS and an empty pool; does not connect yet.
    ///
    /// # Errors
    ///
    /// Fails if a setting cannot work, for example an unreadable root certificate.
    pub fn new(settings: SmtpSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidSettings> {
        settings.check()?;
        let rate = Arc::new(Rate::new(settings.rate, Instant::now()));
        let pool = Pool::new(settings, clock).map_err(InvalidSettings)?;
        Ok(Self { pool: Arc::new(pool), rate })
    }

    /// Changes [`SmtpSettings::rate`] from now on.
    ///
    /// # Errors
    ///
    /// Fails if the value is no rate; nothing changes then.
    pub fn set_rate(&self, mails_per_second: f64) -> Result<(), InvalidSettings> {
        let rate = (mails_per_second != 0.0).then_some(mails_per_second);
        if rate.is_some_and(|rate| !settings::is_rate(rate)) {
            return Err(InvalidSettings("the rate must be a number of mails per second, or 0 for no limit".to_owned()));
        }
        self.rate.set(rate, Instant::now());
        Ok(())
    }

    /// Limits the mails per second for a duration, after which none may begin until this or
    /// [`set_rate`](Self::set_rate) is called again. It is for nodes that share a limit, as they come, go and lose
    /// touch. 0, or a value that is not a number, permits none. After a rest no burst follows.
    pub fn lend_rate(&self, mails_per_second: f64, lasting: Duration) {
        let rate = if mails_per_second.is_finite() { mails_per_second.max(0.0) } else { 0.0 };
        let now = Instant::now();
        // What is too far away to be an instant is as good as for ever.
        let until = now.checked_add(lasting).unwrap_or(now + Duration::from_hours(24 * 365));
        self.rate.lend(rate, now, until);
    }

    /// Returns the number of connections that the present rate keeps busy: all, or as many as mails begin in a second.
    /// Up to twice as many mails may be under way at once and start in time, even if the rate is halved meanwhile. A
    /// caller that sends more at once may be told that the relay is unavailable although it is not.
    #[must_use]
    pub fn room(&self) -> usize {
        let connections = self.pool.settings().connections;
        match self.rate.per_second() {
            Some(rate) => {
                let span = (self.patience() / 4).min(Duration::from_secs(1));
                ((rate * span.as_secs_f64()) as usize).clamp(1, connections)
            }
            None => connections,
        }
    }

    /// Connects, greets and signs in without sending a mail, and returns a description of the relay on one line.
    ///
    /// # Errors
    ///
    /// [`MailError::Unavailable`] with the reason.
    pub async fn check(&self) -> Result<String, MailError> {
        let pool = Arc::clone(&self.pool);
        let checking = tokio::spawn(async move { pool.check().await });
        checking.await.unwrap_or_else(|_| Err(MailError::Unavailable("the check broke off".to_owned())))
    }

    /// Sends a mail that was written before, under the promises of [`Mailer`].
    ///
    /// # Errors
    ///
    /// As for [`Mailer::send`]; [`MailError::Permanent`] without a code when its source is not one that
    /// [`Message::write`] could have made, since bare line ends could break out of the mail.
    pub async fn send_written(&self, message: Message) -> Result<Accepted, MailError> {
        let source = checked(message.source.into_bytes())?;
        self.hand_in(Message { source, ..message }).await
    }

    async fn hand_in(&self, message: Message) -> Result<Accepted, MailError> {
        let began = Instant::now();
        let begin_by = began + self.patience();
        let Some(token) = self.rate.token(begin_by).await else {
            return Err(MailError::Unavailable("the rate of mails per second is used up".to_owned()));
        };
        // The dialogue runs in a task of the pool: a caller who stops waiting must not leave it half-way, or the next
        // mail on that connection would read answers meant for this one.
        let answer = self.pool.submit(message, token, begin_by, began + self.pool.settings().mail_limit);
        let broken = |_| Reply::none("the dialogue with the relay broke off");
        answer.await.unwrap_or_else(|error| Err(MailError::Transient(broken(error))))
    }

    /// Returns the maximum time for which a mail may wait before it is begun.
    fn patience(&self) -> Duration {
        self.pool.settings().mail_limit / 2
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("settings", self.pool.settings()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        self.hand_in(Message::write(&self.pool.settings().from, mail)?).await
    }

    fn room(&self) -> Option<usize> {
        Some(Self::room(self))
    }
}
