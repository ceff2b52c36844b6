//! Reminders of meetings: one's own, by hand, and the ledger of them.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use taskflow_core::{DeliveryId, DeliveryState, Idempotent, MeetingId, Reminded, TaskQuery, Timestamp};

use super::reminders::{ByHandBody, LedgerBody, LedgerFilter, MyRemindersBody, OwnBody, RemindedBody};
use crate::api::Caller;
use crate::api::body::{Body, MaybeBody};
use crate::api::list::{AnyOf, PageSize, SearchText};
use crate::api::once::{Kept, Once, Repeated};
use crate::api::{ApiError, Field, Group, Val, ValidationErrors};
use crate::service::Service;

pub(in crate::api) struct RemindersApi;

#[OpenApi(prefix_path = "/api/meetings/", tag = "Group::Meetings")]
impl RemindersApi {
    /// Remind all participants now
    ///
    /// For the organizer. Sends a reminder to all who did not decline. The body may be left out.
    #[oai(path = "/:id/reminder", method = "post", operation_id = "remindNow")]
    async fn remind(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        MaybeBody(body): MaybeBody<ByHandBody>,
    ) -> Result<Repeated<Json<RemindedBody>>, ApiError> {
        let (minutes, message) = body.read()?;
        let (actor, id) = (caller.actor(), id.0.0);
        let encode = |reminded: &Reminded| kept(reminded).encode();
        let answered = match once.idempotency(caller, &encode) {
            Some(once) => service.app.meetings().remind_now_once(actor, id, minutes, message, once).await?,
            None => Idempotent::Done(service.app.meetings().remind_now(actor, id, minutes, message).await?),
        };
        Repeated::new(answered, kept)
    }

    /// List the reminders of a meeting
    ///
    /// The ledger, the latest due first: when and why each reminder was planned, when it is due, and what became of it. The
    /// organizer sees all of them, a participant their own.
    #[oai(path = "/:id/reminders", method = "get", operation_id = "listMeetingReminders")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter, so that each is in the document")]
    async fn ledger(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Only in these states.
        state: Query<Field<AnyOf<DeliveryState>>>,
        /// Only reminders planned at or after this time.
        since: Query<Field<Timestamp>>,
        /// Only with all these words in address or name, without regard to case and accents.
        q: Query<Field<SearchText>>,
        /// The page after this reminder: `next` of the page before.
        cursor: Query<Field<DeliveryId>>,
        /// Reminders on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<LedgerBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let filter = LedgerFilter {
            states: findings.optional("state", state.0).unwrap_or_default().0,
            since: findings.optional("since", since.0),
            words: findings.optional("q", q.0).map(|SearchText(text)| TaskQuery::words(&text)).unwrap_or_default(),
        };
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let (rows, participants) = service.app.meetings().ledger(caller.actor(), id.0.0).await?;
        Ok(Json(LedgerBody::new(rows, &participants, &filter, cursor, size.count())))
    }

    /// Get own reminders of a meeting
    ///
    /// Returns how many minutes before the meeting the signed-in account is reminded.
    #[oai(path = "/:id/reminders/me", method = "get", operation_id = "getMyReminders")]
    async fn my_reminders(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
    ) -> Result<Json<MyRemindersBody>, ApiError> {
        Ok(Json(service.app.meetings().own_reminders(caller.actor(), id.0.0).await?.into()))
    }

    /// Set own reminders of a meeting
    ///
    /// Changes only the reminders of the signed-in account.
    #[oai(path = "/:id/reminders/me", method = "put", operation_id = "setMyReminders")]
    async fn set_my_reminders(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        Body(body): Body<OwnBody>,
    ) -> Result<Json<MyRemindersBody>, ApiError> {
        Ok(Json(service.app.meetings().set_own_reminders(caller.actor(), id.0.0, body.read()?).await?.into()))
    }
}

fn kept(reminded: &Reminded) -> Kept {
    let body = RemindedBody::from(*reminded).to_json().unwrap_or_default().to_string();
    Kept { status: 200, location: None, etag: None, body }
}
