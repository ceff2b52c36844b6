//! Mail by hand: letters of administrators, samples to oneself, and whether mail gets out.

mod letters;

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{DeliveryId, NoticeKind, Timestamp};

use self::letters::LetterBody;
use super::admin::Admin;
use super::body::Body;
use super::{ApiError, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(super) struct EmailApi;

/// What was taken into the outbox.
#[derive(Debug, Object)]
#[oai(rename = "MailPlanned")]
struct PlannedBody {
    /// The same, for people.
    message: String,
    /// Always true; what could not be done is a problem with another status.
    success: bool,
    /// One delivery per address, in the order in which they were named: `to`, `cc`, `bcc`.
    delivery_ids: Vec<Val<DeliveryId>>,
}

/// Whether mail gets out.
#[derive(Debug, Object)]
#[oai(rename = "MailHealth", skip_serializing_if_is_none)]
struct HealthBody {
    /// Whether a relay is configured. Without one mail stays in the dev mailbox.
    relay_configured: bool,
    /// Whether mail is kept back (`HOLD_MAIL`).
    is_held: bool,
    /// Whether any mail is due and has not left.
    has_backlog: bool,
    /// For how many seconds the longest waiting mail has been due; 0 when none is.
    #[oai(validator(minimum(value = "0")))]
    oldest_due_seconds: u64,
    /// Since when.
    oldest_due_at: Option<Val<Timestamp>>,
    /// When the next mail is to be tried, due or not.
    next_at: Option<Val<Timestamp>>,
}

#[OpenApi(prefix_path = "/api/email", tag = "Group::Mail")]
impl EmailApi {
    /// Send a letter
    ///
    /// For administrators. Everybody gets a mail of their own; nobody sees who is named under `bcc`.
    #[oai(path = "/send", method = "post", operation_id = "sendLetter")]
    async fn send(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<LetterBody>,
    ) -> Result<Json<PlannedBody>, ApiError> {
        let ids = service.app.send_letter(admin.actor(), body.read()?).await?;
        let message = match ids.len() {
            1 => "one mail is on its way".to_owned(),
            count => format!("{count} mails are on their way"),
        };
        Ok(planned(message, ids))
    }

    /// Send me a sample of a task's change of status
    #[oai(path = "/test-notification", method = "post", operation_id = "sendSampleNotification")]
    async fn notification(&self, caller: Caller, service: Data<&Arc<Service>>) -> Result<Json<PlannedBody>, ApiError> {
        sample(service.0, caller, NoticeKind::TaskStatus).await
    }

    /// Send me a sample of a daily summary
    #[oai(path = "/test-summary", method = "post", operation_id = "sendSampleSummary")]
    async fn summary(&self, caller: Caller, service: Data<&Arc<Service>>) -> Result<Json<PlannedBody>, ApiError> {
        sample(service.0, caller, NoticeKind::DailySummary).await
    }

    /// Send me a sample of a reminder of a meeting
    #[oai(path = "/test-reminder", method = "post", operation_id = "sendSampleReminder")]
    async fn reminder(&self, caller: Caller, service: Data<&Arc<Service>>) -> Result<Json<PlannedBody>, ApiError> {
        sample(service.0, caller, NoticeKind::MeetingReminder).await
    }

    /// Send a sample of an alert
    ///
    /// To `ADMIN_EMAIL`; without that setting to me.
    #[oai(path = "/test-server-alert", method = "post", operation_id = "sendSampleAlert")]
    async fn alert(&self, caller: Caller, service: Data<&Arc<Service>>) -> Result<Json<PlannedBody>, ApiError> {
        let Some(admin) = service.config.admin_email.clone() else {
            return sample(service.0, caller, NoticeKind::ServerAlert).await;
        };
        let ids = service.app.send_sample_to(admin, NoticeKind::ServerAlert).await?;
        Ok(planned("a sample is on its way to the administrator".to_owned(), ids))
    }

    /// Does mail get out
    #[oai(path = "/health", method = "get", operation_id = "mailHealth")]
    async fn health(&self, _caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Json<HealthBody>, ApiError> {
        let backlog = service.app.backlog().await?;
        let waiting = backlog.oldest_due_at.map(|due| service.clock.now().since(due));
        Ok(Json(HealthBody {
            relay_configured: service.config.smtp.is_some(),
            is_held: service.config.hold_mail,
            has_backlog: backlog.oldest_due_at.is_some(),
            oldest_due_seconds: waiting.unwrap_or_default().as_secs(),
            oldest_due_at: backlog.oldest_due_at.map(Val),
            next_at: backlog.next_at.map(Val),
        }))
    }
}

async fn sample(service: &Service, caller: Caller, kind: NoticeKind) -> Result<Json<PlannedBody>, ApiError> {
    let ids = service.app.send_sample(caller.actor(), kind).await?;
    Ok(planned("a sample is on its way to you".to_owned(), ids))
}

fn planned(message: String, ids: Vec<DeliveryId>) -> Json<PlannedBody> {
    Json(PlannedBody { message, success: true, delivery_ids: ids.into_iter().map(Val).collect() })
}
