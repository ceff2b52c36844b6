//! The language of the pages of links that lead nowhere.

use super::super::{App, LinkUseCases};
use crate::error::Error;
use crate::ports::LinkPurpose;
use crate::{
    Locale, MeetingId, MeetingResponse, NoticeKind, ParticipantId, TaskAction, TaskId, TokenId, UserId, Viewer,
};

impl LinkUseCases<'_> {
    /// Returns the language of the reader a link was made for, even if it has expired or was used, or its subject is
    /// gone. `None` if the link was not made here, or if nothing is left of its reader.
    pub async fn language(self, token: &str) -> Result<Option<Locale>, Error> {
        let Some(links) = &self.app.links else { return Ok(None) };
        let Some(link) = purposes().find_map(|purpose| links.open(purpose, token)) else { return Ok(None) };
        let user = match link.purpose {
            LinkPurpose::Respond | LinkPurpose::RespondWith(_) => {
                return self.app.language_of_participant(ParticipantId::from_uuid(link.id)).await;
            }
            LinkPurpose::Task(_) => {
                let id = TaskId::from_uuid(link.id);
                let task = self.app.store.tasks_by_id(&[id], Viewer::Service).await?.remove(&id);
                task.and_then(Result::ok).map(|task| task.user_id)
            }
            LinkPurpose::OpenMeeting => {
                let id = MeetingId::from_uuid(link.id);
                let meeting = self.app.store.meetings_by_id(&[id], Viewer::Service).await?.remove(&id);
                meeting.and_then(Result::ok).and_then(|meeting| meeting.created_by)
            }
            LinkPurpose::VerifyEmail | LinkPurpose::ResetPassword => {
                self.app.stored_token(TokenId::from_uuid(link.id)).await?.map(|token| token.user_id)
            }
            LinkPurpose::OpenDay | LinkPurpose::Unsubscribe(_) => Some(UserId::from_uuid(link.id)),
        };
        let user = match user {
            Some(id) => self.app.store.user(id).await?,
            None => None,
        };
        match (user, link.purpose) {
            (Some(user), _) => Ok(Some(user.locale)),
            // Guests unsubscribe, too.
            (None, LinkPurpose::Unsubscribe(_)) => {
                self.app.language_of_participant(ParticipantId::from_uuid(link.id)).await
            }
            (None, _) => Ok(None),
        }
    }
}

impl App {
    async fn language_of_participant(&self, id: ParticipantId) -> Result<Option<Locale>, Error> {
        let found = self.store.participants_by_id(&[id]).await?.remove(&id);
        let Some(Ok(participant)) = found else { return Ok(None) };
        match self.guest_reads(&participant).await {
            Ok((locale, _)) => Ok(Some(locale)),
            Err(Error::NotFound(_)) => Ok(participant.locale),
            Err(error) => Err(error),
        }
    }
}

/// Returns the purposes of all links in mail.
fn purposes() -> impl Iterator<Item = LinkPurpose> {
    let pages = [
        LinkPurpose::Respond,
        LinkPurpose::OpenMeeting,
        LinkPurpose::OpenDay,
        LinkPurpose::VerifyEmail,
        LinkPurpose::ResetPassword,
    ];
    let answers = MeetingResponse::ALL.into_iter().map(LinkPurpose::RespondWith);
    let tasks = TaskAction::ALL.into_iter().map(LinkPurpose::Task);
    let mail = NoticeKind::ALL.into_iter().filter(|kind| kind.is_recurring()).map(LinkPurpose::Unsubscribe);
    pages.into_iter().chain(answers).chain(tasks).chain(mail)
}
