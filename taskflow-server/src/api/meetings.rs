//! Meetings.

mod forms;
mod participants;
mod people;
mod query;
mod reminders;
mod reminding;

use std::sync::Arc;

use poem::http::Uri;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::types::ToJSON;
use poem_openapi::{ApiResponse, OpenApi};
use taskflow_core::{
    Error, Idempotent, MeetingDetails, MeetingId, MeetingSort, MeetingStatus, OutdatedAnswer, Precondition, Timestamp,
};

use self::forms::{ChangeBody, MeetingBody, MeetingPageBody, NewMeetingBody};
use self::query::{Filters, Hours, Upcoming};
use super::answer::{Found, Gone, Listed, Made};
use super::body::{Body, Patch};
use super::etag::{IfMatch, etag};
use super::list::{AnyOf, PageNumber, PageSize, SearchText, Sort, links};
use super::once::{Kept, Once, Repeated};
use super::refuses::Refuses;
use super::{ApiError, Field, Group, Val};
use crate::api::Caller;
use crate::service::Service;

pub(super) use self::participants::ParticipantsApi;
pub(super) use self::people::{GivenResponse, ParticipantBody, ResponseBody};
pub(super) use self::reminding::RemindersApi;

pub(super) struct MeetingsApi;

/// An interface of its own because only a prefix keeps its trailing slash.
pub(super) struct UpcomingApi;

/// A meeting for a calendar.
#[derive(Debug, ApiResponse)]
enum CalendarFile {
    /// A calendar object (RFC 5545, `METHOD:PUBLISH`).
    #[oai(status = 200, content_type = "text/calendar; charset=utf-8; method=PUBLISH")]
    Calendar(
        PlainText<String>,
        /// A name for the file.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[OpenApi(prefix_path = "/api/meetings/upcoming/", tag = "Group::Meetings")]
impl UpcomingApi {
    /// List upcoming meetings
    ///
    /// Returns the meetings that begin within these hours, the next one first.
    #[oai(path = "/", method = "get", operation_id = "upcomingMeetings")]
    async fn upcoming(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        uri: &Uri,
        /// How many hours to look ahead, up to a week; 24 when left out.
        hours_ahead: Query<Field<Hours>>,
        /// Which page, counted from 1.
        page: Query<Field<PageNumber>>,
        /// Meetings on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Listed<MeetingPageBody>, ApiError> {
        let now = service.clock.now();
        let query = Upcoming { hours_ahead: hours_ahead.0, page: page.0, size: size.0 }.read(now)?;
        let meetings = service.app.meetings().list(caller.actor(), &query).await?;
        let links = links(uri, &meetings);
        Ok(Listed::Listed(MeetingPageBody::of(meetings, now).await, links))
    }
}

#[OpenApi(prefix_path = "/api/meetings/", tag = "Group::Meetings")]
impl MeetingsApi {
    /// List meetings
    ///
    /// Returns the meetings that the account organizes or is invited to, the latest start first unless `sort` says
    /// otherwise. Cancelled meetings are listed only when `status` names `cancelled`.
    #[oai(path = "/", method = "get", operation_id = "listMeetings")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter, so that each is in the document")]
    async fn list(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        uri: &Uri,
        /// Only those that are this far.
        status: Query<Field<AnyOf<MeetingStatus>>>,
        /// Only those that begin before this time, as in `2030-03-29T08:00:00Z`.
        starts_before: Query<Field<Timestamp>>,
        /// Only those that begin at this time or later.
        starts_after: Query<Field<Timestamp>>,
        /// Only with all these words in title, description or location.
        q: Query<Field<SearchText>>,
        /// Sort by these, first things first, as in `meeting_date,title`; `-` turns the order around.
        sort: Query<Field<Sort<MeetingSort>>>,
        /// Which page, counted from 1.
        page: Query<Field<PageNumber>>,
        /// Meetings on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Listed<MeetingPageBody>, ApiError> {
        let filters = Filters {
            status: status.0,
            starts_before: starts_before.0,
            starts_after: starts_after.0,
            q: q.0,
            sort: sort.0,
            page: page.0,
            size: size.0,
        };
        let meetings = service.app.meetings().list(caller.actor(), &filters.read()?).await?;
        let links = links(uri, &meetings);
        Ok(Listed::Listed(MeetingPageBody::of(meetings, service.clock.now()).await, links))
    }

    /// Create a meeting
    ///
    /// Invites all participants by email with a calendar entry and plans their reminders. A verified address of an
    /// account becomes that person; any other address becomes a guest, who answers by a link in the email.
    #[oai(path = "/", method = "post", operation_id = "createMeeting")]
    async fn create(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        Body(body): Body<NewMeetingBody>,
    ) -> Result<Repeated<Made<MeetingBody>>, Refuses<404>> {
        let new = body.read()?;
        let encode = |details: &MeetingDetails| made(details).encode();
        let answered = match once.idempotency(caller, &encode) {
            Some(once) => service.app.meetings().create_once(caller.actor(), new, once).await?,
            None => Idempotent::Done(service.app.meetings().create(caller.actor(), new).await?),
        };
        Ok(Repeated::new(answered, made)?)
    }

    /// Get a meeting
    ///
    /// Returns a cancelled meeting as well. Answers of participants and the passing of time show in it without a new
    /// version.
    #[oai(path = "/:id", method = "get", operation_id = "getMeeting")]
    async fn get(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
    ) -> Result<Found<MeetingBody>, ApiError> {
        let details = service.app.meetings().get(caller.actor(), id.0.0).await?;
        Ok(answer(service, details))
    }

    /// Replace a meeting
    ///
    /// For the organizer. Fields that are left out stay as they are; `null` clears a field. Participants are changed
    /// under `participants`. They are told after a minute without further changes.
    #[oai(path = "/:id", method = "put", operation_id = "replaceMeeting")]
    async fn put(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<ChangeBody>,
    ) -> Result<Found<MeetingBody>, ApiError> {
        change(service, caller, id.0.0, expect, body).await
    }

    /// Change parts of a meeting
    ///
    /// For the organizer. Takes a JSON Merge Patch (RFC 7396), as `application/json` or `application/merge-patch+json`:
    /// `null` clears a field. Participants are told after a minute without further changes.
    #[oai(path = "/:id", method = "patch", operation_id = "changeMeeting")]
    async fn patch(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Patch(body): Patch<ChangeBody>,
    ) -> Result<Found<MeetingBody>, ApiError> {
        change(service, caller, id.0.0, expect, body).await
    }

    /// Cancel a meeting
    ///
    /// For the organizer. All participants are told at once. A cancelled meeting can be restored until it would have
    /// begun.
    #[oai(path = "/:id", method = "delete", operation_id = "cancelMeeting")]
    async fn cancel(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
        /// Cancel only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
    ) -> Result<Gone, ApiError> {
        let result = service.app.meetings().cancel(caller.actor(), id.0.0, expect.clone()).await;
        settled(service, caller, id.0.0, expect, result).await.map(|_| Gone::Gone)
    }

    /// Restore a meeting
    ///
    /// For the organizer: takes back the cancellation of a meeting that still lies ahead. All participants are invited
    /// again.
    #[oai(path = "/:id/restore", method = "post", operation_id = "restoreMeeting")]
    async fn restore(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
    ) -> Result<Found<MeetingBody>, Refuses<409>> {
        let details = service.app.meetings().restore(caller.actor(), id.0.0).await?;
        Ok(answer(service, details))
    }

    /// Get a meeting as a calendar file
    ///
    /// Returns the meeting as iCalendar (RFC 5545), to be added to a calendar.
    #[oai(path = "/:id/ics", method = "get", operation_id = "meetingCalendar")]
    async fn calendar(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<MeetingId>>,
    ) -> Result<CalendarFile, ApiError> {
        let calendar = service.app.meetings().calendar(caller.actor(), id.0.0).await?;
        let name = "attachment; filename=\"meeting.ics\"".to_owned();
        Ok(CalendarFile::Calendar(PlainText(calendar.text), name))
    }
}

fn made(details: &MeetingDetails) -> Kept {
    let location = Some(format!("/api/meetings/{}", details.meeting.id));
    Kept { location, ..kept(details, 201) }
}

/// The meeting as it was right after its last change.
fn kept(details: &MeetingDetails, status: u16) -> Kept {
    let meeting = &details.meeting;
    let body = MeetingBody::new(details.clone(), meeting.updated_at);
    Kept {
        status,
        location: None,
        etag: Some(etag(meeting.version)),
        body: body.to_json().unwrap_or_default().to_string(),
    }
}

fn answer(service: &Service, details: MeetingDetails) -> Found<MeetingBody> {
    let tag = etag(details.meeting.version);
    Found::Found(Json(MeetingBody::new(details, service.clock.now())), tag)
}

async fn change(
    service: &Service,
    caller: Caller,
    id: MeetingId,
    expect: Precondition,
    body: ChangeBody,
) -> Result<Found<MeetingBody>, ApiError> {
    let result = service.app.meetings().update(caller.actor(), id, body.read()?, expect.clone()).await;
    settled(service, caller, id, expect, result).await.map(|details| answer(service, details))
}

/// Returns the error for a response to an older version of a meeting, with the meeting as it is now.
pub(super) fn outdated(service: &Service, answer: OutdatedAnswer) -> ApiError {
    ApiError::Outdated(MeetingBody::new(answer.now, service.clock.now()).to_json().unwrap_or_default())
}

/// The outcome of a change; a client that asked for one version and came too late is shown the present one.
async fn settled<T>(
    service: &Service,
    caller: Caller,
    id: MeetingId,
    expect: Precondition,
    result: Result<T, Error>,
) -> Result<T, ApiError> {
    match result {
        Err(Error::Stale) if expect != Precondition::Any => {
            let current = service.app.meetings().get(caller.actor(), id).await?;
            Err(ApiError::Stale(MeetingBody::new(current, service.clock.now()).to_json()))
        }
        result => Ok(result?),
    }
}
