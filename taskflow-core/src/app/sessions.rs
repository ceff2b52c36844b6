//! Sessions: open, refresh, list, end.

use super::App;
use super::retry::Attempt;
use crate::error::Error;
use crate::{Actor, Changes, Refusal, Session, SessionId, SessionWrite, TokenHash, UserId};

use_cases! {
    /// Use cases of sessions.
    SessionUseCases,
    /// Returns the use cases of sessions.
    sessions
}

impl SessionUseCases<'_> {
    /// Creates a session for a user whom the host has just authenticated. `device` is shortened to 200 characters.
    pub async fn open(self, user: UserId, token: TokenHash, device: Option<&str>) -> Result<Session, Error> {
        self.app.ensure_clock()?;
        let now = self.app.clock.now();
        let id = SessionId::from_uuid(self.app.ids.next(now));
        let device = device.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect());
        let session = Session::open(id, user, token, device, now, self.app.session_lifetime);
        match self.app.commit(&Changes::new().write(SessionWrite::Open(session.clone()))).await {
            Err(Error::Stale) => Err(Error::NotFound("user")),
            result => result.map(|()| session),
        }
    }

    /// Replaces the refresh token of a session and moves its end; see [`Session::refresh`] for `successors`. The token of
    /// the returned session is the successor that the client gets. A token that was replaced before ends the session,
    /// because it was copied; within a grace after the exchange it gets its successor once more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] whenever the token does not count.
    pub async fn refresh(self, id: SessionId, shown: &TokenHash, successors: &[TokenHash]) -> Result<Session, Error> {
        match self.app.try_refresh(id, shown, successors).await {
            // Somebody refreshed at the same time with the same token and was faster: that is like a lost answer.
            Err(Error::Stale) => match self.app.try_refresh(id, shown, successors).await {
                Err(Error::Stale) => Err(Error::NotFound("session")),
                result => result,
            },
            result => result,
        }
    }

    /// Notes that the owner of a session, the actor, has proved once more who they are.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the session is not theirs or over.
    pub async fn confirm(self, actor: Actor, id: SessionId) -> Result<Session, Error> {
        let owner = actor.scope()?.person();
        self.app
            .retry(id.as_uuid(), || async {
                let now = self.app.clock.now();
                let session = self.app.accounts_port()?.session(id).await?;
                let session = session.filter(|session| session.user_id == owner && session.is_open(now));
                let confirmed = session.ok_or(Error::NotFound("session"))?.confirmed(now);
                let changes = Changes::new().write(SessionWrite::Update(confirmed.clone()));
                Ok(Attempt::Commit(changes, confirmed))
            })
            .await
    }

    /// Returns the open sessions of the actor, the last used first.
    pub async fn list(self, actor: Actor) -> Result<Vec<Session>, Error> {
        Ok(self.app.accounts_port()?.sessions(actor.scope()?.person(), self.app.clock.now()).await?)
    }

    /// Ends one session of the actor.
    pub async fn end(self, actor: Actor, id: SessionId) -> Result<(), Error> {
        let (owner, now) = (actor.scope()?.person(), self.app.clock.now());
        let session = self.app.accounts_port()?.session(id).await?;
        if !session.is_some_and(|session| session.user_id == owner && session.is_open(now)) {
            return Err(Error::NotFound("session"));
        }
        let end = SessionWrite::End { user_id: owner, only: Some(id), at: now };
        self.app.commit(&Changes::new().write(end)).await
    }

    /// Ends every session of the actor.
    pub async fn end_all(self, actor: Actor) -> Result<(), Error> {
        let end = SessionWrite::End { user_id: actor.scope()?.person(), only: None, at: self.app.clock.now() };
        self.app.commit(&Changes::new().write(end)).await
    }

    /// Returns the sessions that ended within this time. With the lifetime of an access token, these are the sessions
    /// that a node must reject.
    pub async fn ended_within(self, within: std::time::Duration) -> Result<Vec<SessionId>, Error> {
        Ok(self.app.accounts_port()?.ended_sessions(self.app.clock.now() - within).await?)
    }
}

impl App {
    async fn try_refresh(&self, id: SessionId, shown: &TokenHash, successors: &[TokenHash]) -> Result<Session, Error> {
        self.ensure_clock()?;
        let now = self.clock.now();
        let session = self.accounts_port()?.session(id).await?.ok_or(Error::NotFound("session"))?;
        match session.refresh(shown, successors, now, self.session_lifetime) {
            Ok(after) => {
                self.commit(&Changes::new().write(SessionWrite::Update(after.clone()))).await?;
                Ok(after)
            }
            Err(Refusal::Reused) => {
                tracing::warn!(session = %id, user = %session.user_id, "a refresh token was used twice; its session ends");
                let end = SessionWrite::End { user_id: session.user_id, only: Some(id), at: now };
                self.commit(&Changes::new().write(end)).await?;
                Err(Error::NotFound("session"))
            }
            Err(Refusal::Over | Refusal::JustUsed) => Err(Error::NotFound("session")),
        }
    }
}
