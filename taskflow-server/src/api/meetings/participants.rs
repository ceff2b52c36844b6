//! Participants of a meeting: invite, change roles, remove, leave, respond.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use taskflow_core::{Error, Idempotent, MeetingDetails, MeetingId, ParticipantId};

use super::super::refuses::Refuses;
use super::forms::MeetingBody;
use super::people::{GivenResponse, InviteesBody, ParticipantBody, ResponseBody, RoleBody};
use super::{kept, settled};
use crate::api::Caller;
use crate::api::answer::{Found, Gone};
use crate::api::body::Body;
use crate::api::etag::IfMatch;
use crate::api::once::{Once, Repeated};
use crate::api::{ApiError, Group, Val};
use crate::service::Service;

pub(in crate::api) struct ParticipantsApi;

#[OpenApi(prefix_path = "/api/meetings/", tag = "Group::Meetings")]
impl ParticipantsApi {
    /// Invite participants
    ///
    /// For the organizer: one person, or lists of people. Those who take part already stay as they are; those who were
    /// removed or left are invited again.
    #[oai(path = "/:id/participants", method = "post", operation_id = "addParticipants")]
    async fn invite(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Change only this version of the meeting (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        Body(body): Body<InviteesBody>,
    ) -> Result<Repeated<Found<MeetingBody>>, ApiError> {
        let (actor, id, invitees) = (caller.actor(), id.0.0, body.read()?);
        let encode = |details: &MeetingDetails| kept(details, 200).encode();
        let result = match once.idempotency(caller, &encode) {
            Some(once) => service.app.participants().add_once(actor, id, invitees, expect.clone(), once).await,
            None => service.app.participants().add(actor, id, invitees, expect.clone()).await.map(Idempotent::Done),
        };
        Repeated::new(settled(service, caller, id, expect, result).await?, |details| kept(details, 200))
    }

    /// Change the role of a participant
    ///
    /// For the organizer.
    #[oai(path = "/:id/participants/:participant_id", method = "put", operation_id = "changeParticipant")]
    async fn change_role(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        participant_id: Path<Val<ParticipantId>>,
        /// Change only this version of the meeting (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<RoleBody>,
    ) -> Result<Json<ParticipantBody>, ApiError> {
        let (id, participant, role) = (id.0.0, participant_id.0.0, body.read()?);
        let result =
            service.app.participants().change_role(caller.actor(), id, participant, role, expect.clone()).await;
        settled(service, caller, id, expect, result).await.map(|participant| Json(participant.into()))
    }

    /// Remove a participant
    ///
    /// For the organizer, who cannot be removed; or for the participant, who then leaves the meeting.
    #[oai(path = "/:id/participants/:participant_id", method = "delete", operation_id = "removeParticipant")]
    async fn remove(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        participant_id: Path<Val<ParticipantId>>,
        /// Change only this version of the meeting (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
    ) -> Result<Gone, ApiError> {
        let (id, participant) = (id.0.0, participant_id.0.0);
        let result = service.app.participants().remove(caller.actor(), id, participant, expect.clone()).await;
        settled(service, caller, id, expect, result).await.map(|()| Gone::Gone)
    }

    /// Respond to an invitation
    ///
    /// An answer belongs to what was shown: with `version`, the answer is refused with 409 (`outdated`) when time or place
    /// have changed since that version; `current` holds the meeting as it is now.
    #[oai(path = "/:id/respond", method = "post", operation_id = "respond")]
    async fn respond(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        Body(body): Body<ResponseBody>,
    ) -> Result<Json<ParticipantBody>, Refuses<409>> {
        let GivenResponse { response, comment, version } = body.read()?;
        match service.app.participants().respond(caller.actor(), id.0.0, response, comment, version).await {
            Ok(participant) => Ok(Json(participant.into())),
            Err(Error::Outdated(outdated)) => Err(super::outdated(service, *outdated).into()),
            Err(error) => Err(error.into()),
        }
    }
}
