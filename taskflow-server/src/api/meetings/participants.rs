//! Who comes to a meeting: invite, give roles, take off, leave, answer.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use taskflow_core::{MeetingId, ParticipantId};

use super::forms::MeetingBody;
use super::people::{InviteesBody, ParticipantBody, ResponseBody, RoleBody};
use super::{answer, settled};
use crate::api::answer::{Found, Gone};
use crate::api::body::Body;
use crate::api::etag::IfMatch;
use crate::api::{ApiError, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(in crate::api) struct ParticipantsApi;

#[OpenApi(prefix_path = "/api/meetings/", tag = "Group::Meetings")]
impl ParticipantsApi {
    /// Invite more people
    ///
    /// For the organizer: one person, or lists of them. Who is in the meeting stays as they are; who was removed or left
    /// is invited again.
    #[oai(path = "/:id/participants", method = "post", operation_id = "addParticipants")]
    async fn invite(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Change only this version of the meeting (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<InviteesBody>,
    ) -> Result<Found<MeetingBody>, ApiError> {
        let result = service.app.add_participants(caller.actor(), id.0.0, body.read()?, expect.clone()).await;
        settled(service, caller, id.0.0, expect, result).await.map(|details| answer(service, details))
    }

    /// Give somebody another role
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
        let result = service.app.change_role(caller.actor(), id, participant, role, expect.clone()).await;
        settled(service, caller, id, expect, result).await.map(|participant| Json(participant.into()))
    }

    /// Take somebody off a meeting
    ///
    /// For the organizer, who cannot be taken off; or for the participant, who leaves.
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
        let result = service.app.remove_participant(caller.actor(), id, participant, expect.clone()).await;
        settled(service, caller, id, expect, result).await.map(|()| Gone::Gone)
    }

    /// Answer to an invitation
    #[oai(path = "/:id/respond", method = "post", operation_id = "respond")]
    async fn respond(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        Body(body): Body<ResponseBody>,
    ) -> Result<Json<ParticipantBody>, ApiError> {
        let (response, comment) = body.read()?;
        Ok(Json(service.app.respond(caller.actor(), id.0.0, response, comment).await?.into()))
    }
}
