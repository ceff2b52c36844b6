//! Reminders of meetings: one's own, by hand, and the ledger of them.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use taskflow_core::{Answered, DeliveryId, MeetingId, Reminded};

use super::reminders::{ByHandBody, LedgerBody, MyRemindersBody, OwnBody, RemindedBody};
use crate::api::body::{Body, MaybeBody};
use crate::api::list::PageSize;
use crate::api::once::{Kept, Once, Repeated};
use crate::api::{ApiError, Field, Findings, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(in crate::api) struct RemindersApi;

#[OpenApi(prefix_path = "/api/meetings/", tag = "Group::Meetings")]
impl RemindersApi {
    /// Remind everybody now
    ///
    /// For the organizer: a mail to all who did not decline. The body may be left out.
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
            Some(once) => service.app.remind_now_once(actor, id, minutes, message, once).await?,
            None => Answered::Now(service.app.remind_now(actor, id, minutes, message).await?),
        };
        Repeated::new(answered, kept)
    }

    /// The ledger of a meeting's reminders
    ///
    /// When and why each was planned, when it is due, and what became of it. All of them for the organizer, one's own for
    /// anybody else.
    #[oai(path = "/:id/reminders", method = "get", operation_id = "listMeetingReminders")]
    async fn ledger(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// The page after this reminder: `next` of the page before.
        cursor: Query<Field<DeliveryId>>,
        /// Reminders on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<LedgerBody>, ApiError> {
        let mut findings = Findings::default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let (rows, participants) = service.app.meeting_ledger(caller.actor(), id.0.0).await?;
        Ok(Json(LedgerBody::new(rows, &participants, cursor, size.count())))
    }

    /// When I am reminded of a meeting
    #[oai(path = "/:id/reminders/me", method = "get", operation_id = "getMyReminders")]
    async fn my_reminders(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
    ) -> Result<Json<MyRemindersBody>, ApiError> {
        Ok(Json(service.app.own_reminders(caller.actor(), id.0.0).await?.into()))
    }

    /// Choose when I am reminded of a meeting
    #[oai(path = "/:id/reminders/me", method = "put", operation_id = "setMyReminders")]
    async fn set_my_reminders(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        Body(body): Body<OwnBody>,
    ) -> Result<Json<MyRemindersBody>, ApiError> {
        Ok(Json(service.app.set_own_reminders(caller.actor(), id.0.0, body.read()?).await?.into()))
    }
}

fn kept(reminded: &Reminded) -> Kept {
    let body = RemindedBody::from(*reminded).to_json().unwrap_or_default().to_string();
    Kept { status: 200, location: None, etag: None, body }
}
