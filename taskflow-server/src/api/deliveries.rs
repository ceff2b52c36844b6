//! The ledger, for administrators: what was planned for whom, why, and what became of it.

mod bulk;

use std::collections::HashMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{
    DeliveryId, DeliveryState, EmailAddress, FailedAttempt, LedgerQuery, LedgerRow, NoticeKind, Recipient, TaskQuery,
    Timestamp, UserId,
};

use self::bulk::{FilterBody, ReportBody};
use super::admin::Admin;
use super::body::Body;
use super::list::{AnyOf, PageSize, SearchText};
use super::{ApiError, Field, Group, Val, ValidationErrors};
use crate::service::Service;

pub(super) struct DeliveriesApi;

/// A page of the ledger, newest first.
#[derive(Debug, Object)]
#[oai(rename = "DeliveryList", skip_serializing_if_is_none)]
struct ListBody {
    /// The deliveries on this page. With `q` there may be fewer than `size`, or none, although `next` is there.
    items: Vec<DeliveryBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<Val<DeliveryId>>,
    /// How many deliveries there are in each state under the other filters. Each number stops at 10000. Absent with `q` and
    /// on pages after the first.
    counts: Option<CountsBody>,
}

/// Numbers of deliveries by state.
#[derive(Debug, Object)]
#[oai(rename = "DeliveryCounts")]
pub(super) struct CountsBody {
    /// Waiting for their time.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    scheduled: u64,
    /// Held by a sender.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    claimed: u64,
    /// Accepted by the relay.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    delivered: u64,
    /// Given up: refused for good, or out of attempts.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    discarded: u64,
    /// No longer wanted.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    cancelled: u64,
    /// Too late, or with nothing left to say.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    expired: u64,
}

impl From<&HashMap<DeliveryState, u64>> for CountsBody {
    fn from(counts: &HashMap<DeliveryState, u64>) -> Self {
        let count = |state| counts.get(&state).copied().unwrap_or(0);
        Self {
            scheduled: count(DeliveryState::Scheduled),
            claimed: count(DeliveryState::Claimed),
            delivered: count(DeliveryState::Delivered),
            discarded: count(DeliveryState::Discarded),
            cancelled: count(DeliveryState::Cancelled),
            expired: count(DeliveryState::Expired),
        }
    }
}

/// One notice to one recipient.
#[derive(Debug, Object)]
#[oai(rename = "Delivery", skip_serializing_if_is_none)]
struct DeliveryBody {
    /// Identifier; the `Message-ID` of its mail contains it, or the id that `reply` names.
    id: Val<DeliveryId>,
    /// What kind of notice it is.
    kind: Val<NoticeKind>,
    /// The account that it goes to, at the address that the account has when it leaves.
    user_id: Option<Val<UserId>>,
    /// The address that it goes to; of an account, the present one. Absent when the account was deleted.
    email: Option<Val<EmailAddress>>,
    /// What the recipient is called: the user name of an account, or the name that a guest was invited by.
    name: Option<String>,
    /// What it is about: the title of the task or meeting, or the subject of a mail written by hand.
    subject: Option<String>,
    /// The key that makes it unique: planning the same key twice plans one delivery.
    key: String,
    /// Its state.
    state: Val<DeliveryState>,
    /// Why it was planned, or why it was cancelled or expired.
    reason: String,
    /// When it was planned.
    planned_at: Val<Timestamp>,
    /// When it should leave; never moved by a retry.
    due_at: Val<Timestamp>,
    /// When it is tried next.
    next_at: Val<Timestamp>,
    /// When a sender first claimed it: the `Date` of its mail.
    first_claimed_at: Option<Val<Timestamp>>,
    /// When the relay accepted it.
    sent_at: Option<Val<Timestamp>>,
    /// When it reached its final state; absent while it is open.
    settled_at: Option<Val<Timestamp>>,
    /// Whether it was cancelled while a sender held it. The outcome of that attempt decides.
    cancel_requested: bool,
    /// How often the relay refused it.
    #[oai(validator(minimum(value = "0")))]
    attempts: u32,
    /// The last error.
    last_error: Option<String>,
    /// What the relay answered when it accepted the mail.
    reply: Option<String>,
    /// Every attempt that failed, oldest first; absent in lists.
    failed_attempts: Option<Vec<AttemptBody>>,
}

/// A failed attempt to deliver.
#[derive(Debug, Object)]
#[oai(rename = "FailedAttempt")]
struct AttemptBody {
    /// Number of the attempt, counted from 1.
    #[oai(validator(minimum(value = "1")))]
    attempt: u32,
    /// When its result was known.
    at: Val<Timestamp>,
    /// The relay's answer, or what went wrong.
    error: String,
}

#[OpenApi(prefix_path = "/api/deliveries", tag = "Group::Ledger")]
impl DeliveriesApi {
    /// List deliveries
    ///
    /// For administrators: the ledger of all mail, newest first.
    #[oai(path = "/", method = "get", operation_id = "listDeliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Only these kinds.
        kind: Query<Field<AnyOf<NoticeKind>>>,
        /// Only in these states.
        state: Query<Field<AnyOf<DeliveryState>>>,
        /// Only to this address: by itself, and by the account that has it now.
        recipient: Query<Field<EmailAddress>>,
        /// Only deliveries created at or after this time.
        since: Query<Field<Timestamp>>,
        /// Only with all these words in address, name or subject, without regard to case and accents. A complete address
        /// finds the mail to exactly that address.
        q: Query<Field<SearchText>>,
        /// The page after this delivery: `next` of the page before.
        cursor: Query<Field<DeliveryId>>,
        /// Deliveries on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<ListBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let query = LedgerQuery {
            kinds: findings.optional("kind", kind.0).unwrap_or_default().0,
            states: findings.optional("state", state.0).unwrap_or_default().0,
            recipient: findings.optional("recipient", recipient.0),
            since: findings.optional("since", since.0),
            words: findings.optional("q", q.0).map(|SearchText(text)| TaskQuery::words(&text)).unwrap_or_default(),
        };
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let page = service.app.deliveries().page(admin.actor(), &query, cursor, size.number()).await?;
        let counts = match cursor {
            None if query.words.is_empty() => Some(service.app.deliveries().counts(admin.actor(), &query).await?),
            None | Some(_) => None,
        };
        Ok(Json(ListBody {
            items: page.rows.into_iter().map(DeliveryBody::from).collect(),
            next: page.next.map(Val),
            counts: counts.as_ref().map(CountsBody::from),
        }))
    }

    /// Get a delivery
    ///
    /// For administrators: why it was planned, every attempt, and what the relay answered.
    #[oai(path = "/:id", method = "get", operation_id = "getDelivery")]
    async fn get(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        let (row, attempts) = service.app.deliveries().row(admin.actor(), id.0.0).await?;
        let failed_attempts = Some(attempts.into_iter().map(AttemptBody::from).collect());
        Ok(Json(DeliveryBody { failed_attempts, ..row.into() }))
    }

    /// Retry a delivery
    ///
    /// For administrators: makes a discarded, cancelled or expired delivery due now. Before it leaves it is checked once
    /// more, and it is sent only if there is still something to say.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retryDelivery")]
    async fn retry(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        service.app.deliveries().retry(admin.actor(), id.0.0).await?;
        Ok(Json(service.app.deliveries().row(admin.actor(), id.0.0).await?.0.into()))
    }

    /// Retry deliveries
    ///
    /// For administrators: makes the selected deliveries due now, as retrying each of them would. Each is checked once more
    /// before it leaves, and is sent only if there is still something to say.
    #[oai(path = "/retry", method = "post", operation_id = "retryDeliveries")]
    async fn retry_selected(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<FilterBody>,
    ) -> Result<Json<ReportBody>, ApiError> {
        let (filter, dry_run) = body.read()?;
        Ok(Json(service.app.deliveries().retry_selected(admin.actor(), &filter, dry_run).await?.into()))
    }

    /// Cancel deliveries
    ///
    /// For administrators: cancels the selected deliveries. Those that are being sent may still arrive.
    #[oai(path = "/cancel", method = "post", operation_id = "cancelDeliveries")]
    async fn cancel_selected(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<FilterBody>,
    ) -> Result<Json<ReportBody>, ApiError> {
        let (filter, dry_run) = body.read()?;
        Ok(Json(service.app.deliveries().cancel_selected(admin.actor(), &filter, dry_run).await?.into()))
    }

    /// Cancel a delivery
    ///
    /// For administrators. A delivery that is being sent may still arrive.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancelDelivery")]
    async fn cancel(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<DeliveryBody>, ApiError> {
        service.app.deliveries().cancel(admin.actor(), id.0.0).await?;
        Ok(Json(service.app.deliveries().row(admin.actor(), id.0.0).await?.0.into()))
    }
}

impl From<LedgerRow> for DeliveryBody {
    fn from(LedgerRow { delivery, email, name, subject }: LedgerRow) -> Self {
        let user_id = match delivery.recipient {
            Recipient::User(id) => Some(Val(id)),
            Recipient::Address(_) => None,
        };
        Self {
            id: Val(delivery.id),
            kind: Val(delivery.kind),
            user_id,
            email: email.map(Val),
            name,
            subject,
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
