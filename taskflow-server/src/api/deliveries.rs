//! The ledger, for administrators: what was planned for whom, why, and what became of it.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{
    Delivery, DeliveryId, DeliveryState, EmailAddress, FailedAttempt, NoticeKind, Recipient, Timestamp, UserId,
};

use super::admin::Admin;
use super::list::PageSize;
use super::{ApiError, Field, Findings, Group, Val};
use crate::wiring::Service;

pub(super) struct DeliveriesApi;

/// Deliveries, oldest first.
#[derive(Debug, Object)]
#[oai(rename = "DeliveryList", skip_serializing_if_is_none)]
struct ListBody {
    /// One page of them.
    items: Vec<DeliveryBody>,
    /// The `cursor` of the next page, if there is one.
    next: Option<Val<DeliveryId>>,
}

/// One notice to one recipient.
#[derive(Debug, Object)]
#[oai(rename = "Delivery", skip_serializing_if_is_none)]
struct DeliveryBody {
    /// Never changes; the Message-ID of its mail carries it.
    id: Val<DeliveryId>,
    /// What it tells.
    kind: Val<NoticeKind>,
    /// The account it goes to, at the address that this has when it leaves.
    user_id: Option<Val<UserId>>,
    /// The address it goes to, when it goes to no account.
    email: Option<Val<EmailAddress>>,
    /// What makes it the only one of its kind.
    key: String,
    /// Where it is on its way.
    state: Val<DeliveryState>,
    /// Why it was planned, or why it was cancelled or expired.
    reason: String,
    /// When it was decided.
    planned_at: Val<Timestamp>,
    /// When it should leave; never moved by a retry.
    due_at: Val<Timestamp>,
    /// When it is tried next.
    next_at: Val<Timestamp>,
    /// When a sender first took it up: the Date of its mail.
    first_claimed_at: Option<Val<Timestamp>>,
    /// When the relay took it.
    sent_at: Option<Val<Timestamp>>,
    /// When it reached its last state; absent while it is open.
    settled_at: Option<Val<Timestamp>>,
    /// Whether it was cancelled while it was on its way: what comes of that decides.
    cancel_requested: bool,
    /// How often the relay refused it.
    #[oai(validator(minimum(value = "0")))]
    attempts: u32,
    /// What went wrong last.
    last_error: Option<String>,
    /// What the relay answered when it took the mail.
    reply: Option<String>,
    /// Every attempt that failed, oldest first; absent in lists.
    failed_attempts: Option<Vec<AttemptBody>>,
}

/// An attempt that failed.
#[derive(Debug, Object)]
#[oai(rename = "FailedAttempt")]
struct AttemptBody {
    /// Counted from 1.
    #[oai(validator(minimum(value = "1")))]
    attempt: u32,
    /// When its result was known.
    at: Val<Timestamp>,
    /// The relay's answer, or what went wrong.
    error: String,
}

#[OpenApi(prefix_path = "/api/deliveries", tag = "Group::Ledger")]
impl DeliveriesApi {
    /// All deliveries
    ///
    /// For administrators, oldest first.
    #[oai(path = "/", method = "get", operation_id = "listDeliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Only this kind.
        kind: Query<Field<NoticeKind>>,
        /// Only in this state.
        state: Query<Field<DeliveryState>>,
        /// Only to this address, by itself and by the account that has it now.
        recipient: Query<Field<EmailAddress>>,
        /// The page after this delivery: `next` of the page before.
        cursor: Query<Field<DeliveryId>>,
        /// Deliveries on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<ListBody>, ApiError> {
        let mut findings = Findings::default();
        let kind = findings.optional("kind", kind.0);
        let state = findings.optional("state", state.0);
        let recipient = findings.optional("recipient", recipient.0);
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let (actor, more) = (admin.actor(), size.and_one_more());
        let found = service.app.deliveries(actor, kind, state, recipient.as_ref(), cursor, more).await?;
        let (page, next) = size.cut(found, |delivery| Val(delivery.id));
        Ok(Json(ListBody { items: page.into_iter().map(DeliveryBody::from).collect(), next }))
    }

    /// A delivery
    ///
    /// For administrators: why, when, every attempt, and what the relay answered.
    #[oai(path = "/:id", method = "get", operation_id = "getDelivery")]
    async fn get(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        let (delivery, attempts) = service.app.delivery(admin.actor(), id.0.0).await?;
        let failed_attempts = Some(attempts.into_iter().map(AttemptBody::from).collect());
        Ok(Json(DeliveryBody { failed_attempts, ..delivery.into() }))
    }

    /// Try a delivery again
    ///
    /// For administrators: one that was given up, cancelled or expired is due now. It is looked at once more before it
    /// leaves, and is only sent if it is still worth a mail.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retryDelivery")]
    async fn retry(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        Ok(Json(service.app.retry_delivery(admin.actor(), id.0.0).await?.into()))
    }

    /// Cancel a delivery
    ///
    /// For administrators. One that is just on its way may still arrive.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancelDelivery")]
    async fn cancel(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        Ok(Json(service.app.cancel_delivery(admin.actor(), id.0.0).await?.into()))
    }
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        let (user_id, email) = match delivery.recipient {
            Recipient::User(id) => (Some(Val(id)), None),
            Recipient::Address(email) => (None, Some(Val(email))),
        };
        Self {
            id: Val(delivery.id),
            kind: Val(delivery.kind),
            user_id,
            email,
            key: delivery.dedupe_key.to_string(),
            state: Val(delivery.state),
            reason: delivery.reason,
            planned_at: Val(delivery.planned_at),
            due_at: Val(delivery.due_at),
            next_at: Val(delivery.next_at),
            first_claimed_at: delivery.first_claimed_at.map(Val),
            sent_at: delivery.settled_at.filter(|_| delivery.state == DeliveryState::Delivered).map(Val),
            settled_at: delivery.settled_at.map(Val),
            cancel_requested: delivery.cancel_requested,
            attempts: delivery.attempts,
            last_error: delivery.last_error,
            reply: delivery.reply,
            failed_attempts: None,
        }
    }
}

impl From<FailedAttempt> for AttemptBody {
    fn from(FailedAttempt { attempt, at, error }: FailedAttempt) -> Self {
        Self { attempt, at: Val(at), error }
    }
}
