//! The route of mail: an SMTP relay if one is configured, otherwise the dev mailbox.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use taskflow_core::ports::{Clock, MailError, Mailer, Store, SystemClock};
use taskflow_core::{MemoryStore, RetrySchedule, Sending};
use taskflow_mail::{DevMailbox, Security, SmtpMailer, SmtpSettings};

use super::OpenError;
use crate::config::{Config, SmtpSecurity};

/// The destination of mail: the relay, or the dev mailbox.
pub struct MailRoute {
    /// The mailer of the use cases.
    pub mailer: Arc<dyn Mailer>,
    pub(super) relay: Option<Arc<SmtpMailer>>,
}

impl MailRoute {
    /// Signs in to the relay without sending, and returns its reply; `None` if there is no relay.
    pub async fn check(&self) -> Option<Result<String, MailError>> {
        match &self.relay {
            Some(relay) => Some(relay.check().await),
            None => None,
        }
    }
}

/// Returns the relay alone, with a clock, for callers that send without the outbox.
///
/// # Errors
///
/// See [`OpenError`].
pub fn relay(config: &Config) -> Result<(MailRoute, Arc<dyn Clock>), OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // Without a relay it would be a mailbox that forgets; callers have made sure that there is one.
    Ok((mail_route(config, Arc::new(MemoryStore::new()), Arc::clone(&clock))?, clock))
}

pub(super) fn mail_route(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<MailRoute, OpenError> {
    let from = config.mail_from.clone();
    let Some(smtp) = &config.smtp else {
        return Ok(MailRoute { mailer: Arc::new(DevMailbox::new(store, clock, from)), relay: None });
    };
    let limit = config.sending.mail_timeout;
    let mut settings = SmtpSettings::new(&smtp.server, smtp.port, from)
        .security(match smtp.security {
            SmtpSecurity::Implicit => Security::ImplicitTls,
            SmtpSecurity::StartTls => Security::StartTls,
            SmtpSecurity::Plain => Security::Plain,
        })
        .connections(config.sending.connections)
        .rate(config.sending.rate)
        .mail_limit(limit)
        .command_limit(limit.min(Duration::from_secs(10)));
    if let Some(login) = &smtp.login {
        settings = settings.sign_in(&login.username, login.password.expose_secret());
    }
    if let Some(hello) = &smtp.hello {
        settings = settings.hello(hello);
    }
    let relay = Arc::new(SmtpMailer::new(settings, clock)?);
    Ok(MailRoute { mailer: Arc::clone(&relay) as Arc<dyn Mailer>, relay: Some(relay) })
}

pub(super) fn sending(config: &Config) -> Sending {
    let sending = &config.sending;
    Sending {
        connections: sending.connections,
        batch: sending.batch,
        lease: sending.lease,
        mail_timeout: sending.mail_timeout,
        retry: RetrySchedule::new(sending.retry_waits.clone(), sending.max_retries),
    }
}
