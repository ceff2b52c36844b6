//! Mail by hand: letters of administrators, samples to oneself, and whether mail gets out.

mod letters;

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{DeliveryId, EmailAddress, Idempotent, NoticeKind, Timestamp};

use self::letters::LetterBody;
use super::admin::Admin;
use super::body::Body;
use super::once::{Kept, Once, Repeated};
use super::{ApiError, Group, Val};
use crate::api::Caller;
use crate::service::Service;

pub(super) struct EmailApi;

/// What was added to the outbox.
#[derive(Debug, Object)]
#[oai(rename = "MailPlanned")]
struct PlannedBody {
    /// The result in words.
    message: String,
    /// Always true. What could not be done is answered with another status and a problem.
    success: bool,
    /// One delivery per address, in the order in which they were named: `to`, `cc`, `bcc`.
    delivery_ids: Vec<Val<DeliveryId>>,
}

/// Whether mail can be delivered.
#[derive(Debug, Object)]
#[oai(rename = "MailHealth", skip_serializing_if_is_none)]
struct HealthBody {
    /// Whether a relay is configured. Without one, mail goes to the development mailbox.
    relay_configured: bool,
    /// Whether the relay was unavailable when this node last needed it. Mail waits in the outbox meanwhile.
    is_relay_down: bool,
    /// Since when the relay has been unavailable.
    relay_down_since: Option<Val<Timestamp>>,
    /// Whether mail is held back (`HOLD_MAIL`).
    is_held: bool,
    /// Whether mail is due and has not left. Mail that is to be retried later is not due until then.
    has_backlog: bool,
    /// Seconds for which the longest waiting mail has been due; 0 when none is.
    #[oai(validator(minimum(value = "0")))]
    oldest_due_seconds: u64,
    /// Since when the longest waiting mail has been due.
    oldest_due_at: Option<Val<Timestamp>>,
    /// When the next mail is to be sent, due or not.
    next_at: Option<Val<Timestamp>>,
}

#[OpenApi(prefix_path = "/api/email", tag = "Group::Mail")]
impl EmailApi {
    /// Send an email
    ///
    /// For administrators. Each recipient gets an email of their own; nobody sees the addresses in `bcc`.
    #[oai(path = "/send", method = "post", operation_id = "sendLetter")]
    async fn send(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        Body(body): Body<LetterBody>,
    ) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
        let new = body.read()?;
        let answered = match once.idempotency(admin.caller(), &encode_sent) {
            Some(once) => service.app.mail().send_once(admin.actor(), new, once).await?,
            None => Idempotent::Done(service.app.mail().send(admin.actor(), new).await?),
        };
        Repeated::new(answered, |ids| sent(ids))
    }

    /// Send a sample of a task notification
    ///
    /// Sends the email about a changed task status, with made-up content, to the signed-in account.
    #[oai(path = "/test-notification", method = "post", operation_id = "sendSampleNotification")]
    async fn notification(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
    ) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
        sample(service, caller, NoticeKind::TaskStatus, None, once).await
    }

    /// Send a sample of a daily summary
    ///
    /// Sends it, with made-up content, to the signed-in account.
    #[oai(path = "/test-summary", method = "post", operation_id = "sendSampleSummary")]
    async fn summary(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
    ) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
        sample(service, caller, NoticeKind::DailySummary, None, once).await
    }

    /// Send a sample of a meeting reminder
    ///
    /// Sends it, with made-up content, to the signed-in account.
    #[oai(path = "/test-reminder", method = "post", operation_id = "sendSampleReminder")]
    async fn reminder(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
    ) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
        sample(service, caller, NoticeKind::MeetingReminder, None, once).await
    }

    /// Send a sample of a server alert
    ///
    /// For administrators. Sends it to `ADMIN_EMAIL`; without that setting, to the signed-in account.
    #[oai(path = "/test-server-alert", method = "post", operation_id = "sendSampleAlert")]
    async fn alert(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
    ) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
        sample(service, admin.caller(), NoticeKind::ServerAlert, service.config.admin_email.clone(), once).await
    }

    /// Check mail delivery
    ///
    /// Says whether mail can leave: which relay is used, and whether it answers.
    #[oai(path = "/health", method = "get", operation_id = "mailHealth")]
    async fn health(&self, _caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Json<HealthBody>, ApiError> {
        let backlog = service.app.outbox().backlog().await?;
        let trouble = service.app.outbox().relay_trouble();
        let waiting = backlog.oldest_due_at.map(|due| service.clock.now().since(due));
        Ok(Json(HealthBody {
            relay_configured: service.config.smtp.is_some(),
            is_relay_down: trouble.is_some(),
            relay_down_since: trouble.map(|trouble| Val(trouble.since)),
            is_held: service.config.hold_mail,
            has_backlog: backlog.oldest_due_at.is_some(),
            oldest_due_seconds: waiting.unwrap_or_default().as_secs(),
            oldest_due_at: backlog.oldest_due_at.map(Val),
            next_at: backlog.next_at.map(Val),
        }))
    }
}

/// Plans a sample to `to`, or else to the caller.
async fn sample(
    service: &Service,
    caller: Caller,
    kind: NoticeKind,
    to: Option<EmailAddress>,
    once: Once,
) -> Result<Repeated<Json<PlannedBody>>, ApiError> {
    let message = match &to {
        None => "a sample is on its way to you",
        Some(_) => "a sample is on its way to the administrator",
    };
    let own = match &to {
        Some(to) => to.clone(),
        None => service.app.accounts().get(caller.actor(), caller.token.user).await?.email,
    };
    let _ = service.auth.guesses.sample(caller.token.user, &own).await?;
    let kept = |ids: &[DeliveryId]| planned(message.to_owned(), ids);
    let encode = |ids: &[DeliveryId]| kept(ids).encode();
    let answered = match once.idempotency(caller, &encode) {
        Some(once) => service.app.mail().send_sample_once(caller.actor(), kind, to, once).await?,
        None => Idempotent::Done(service.app.mail().send_sample(caller.actor(), kind, to).await?),
    };
    Repeated::new(answered, |ids| kept(ids))
}

fn sent(ids: &[DeliveryId]) -> Kept {
    let message = match ids.len() {
        1 => "one mail is on its way".to_owned(),
        count => format!("{count} mails are on their way"),
    };
    planned(message, ids)
}

fn encode_sent(ids: &[DeliveryId]) -> String {
    sent(ids).encode()
}

fn planned(message: String, ids: &[DeliveryId]) -> Kept {
    let body = PlannedBody { message, success: true, delivery_ids: ids.iter().copied().map(Val).collect() };
    Kept { status: 200, location: None, etag: None, body: body.to_json().unwrap_or_default().to_string() }
}
