//! Which mail a person wants: set by themselves, or ended by a click on a link.

use super::{App, Race};
use crate::error::Error;
use crate::ports::LinkPurpose;
use crate::{
    Actor, Changes, EmailAddress, Expect, NoticeKind, OwnReminders, ParticipantId, Preferences, User, UserId, Write,
};

/// What a link ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Mail of this kind,
    pub kind: NoticeKind,
    /// to this address.
    pub email: EmailAddress,
    /// Whether it is sent.
    pub is_on: bool,
}

/// Whose subscription a link is about.
enum Subscriber {
    User(Box<User>),
    Guest(Box<crate::Participant>),
}

impl App {
    /// Which mail the actor wants.
    pub async fn preferences(&self, actor: Actor) -> Result<Preferences, Error> {
        Ok(self.user(actor, actor.owner()?).await?.preferences)
    }

    /// Sets which mail the actor wants; what is already planned follows.
    pub async fn set_preferences(&self, actor: Actor, preferences: Preferences) -> Result<Preferences, Error> {
        let wanted = preferences.clone();
        self.change_preferences(actor.owner()?, move |_| wanted.clone()).await?;
        Ok(preferences)
    }

    /// What a link out of a mail ends; `NotFound` when it was not made here or its reader is gone.
    pub async fn subscription(&self, link: &str) -> Result<Subscription, Error> {
        let (kind, subscriber) = self.subscriber(link).await?;
        Ok(match subscriber {
            Subscriber::User(user) => Subscription { kind, is_on: user.preferences.wants(kind), email: user.email },
            Subscriber::Guest(guest) => {
                let is_on = guest.reminders.as_ref().is_none_or(|own| !own.minutes().is_empty());
                Subscription { kind, is_on, email: guest.email }
            }
        })
    }

    /// Ends mail of a kind for whoever holds a link out of one (RFC 8058): all of it for a person with an account, the
    /// reminders of that meeting for a guest. Again changes nothing.
    pub async fn unsubscribe(&self, link: &str) -> Result<Subscription, Error> {
        match self.subscriber(link).await? {
            (kind, Subscriber::User(user)) => {
                self.change_preferences(user.id, |before| before.without(kind)).await?;
            }
            (_, Subscriber::Guest(guest)) => {
                self.set_reminders_of(guest.meeting_id, guest.id, Some(OwnReminders::default())).await?;
            }
        }
        self.subscription(link).await
    }

    async fn subscriber(&self, link: &str) -> Result<(NoticeKind, Subscriber), Error> {
        let no_such = || Error::NotFound("subscription");
        let links = self.links.as_ref().ok_or_else(no_such)?;
        let kinds = NoticeKind::ALL.into_iter().filter(|kind| kind.is_recurring());
        let opened = |kind| links.open(LinkPurpose::Unsubscribe(kind), link).map(|link| (kind, link));
        let (kind, link) = kinds.into_iter().find_map(opened).ok_or_else(no_such)?;
        if let Some(user) = self.store.user(UserId::from_uuid(link.id)).await? {
            return Ok((kind, Subscriber::User(Box::new(user))));
        }
        let id = ParticipantId::from_uuid(link.id);
        let guest = self.store.participants_by_id(&[id]).await?.remove(&id).ok_or_else(no_such)?;
        let guest = guest.map_err(|bad| Error::Internal(bad.into()))?;
        match guest.user_id {
            // They have an account by now, and its preferences count.
            Some(user) => {
                let user = self.store.user(user).await?.ok_or_else(no_such)?;
                Ok((kind, Subscriber::User(Box::new(user))))
            }
            None => Ok((kind, Subscriber::Guest(Box::new(guest)))),
        }
    }

    async fn change_preferences(
        &self,
        id: UserId,
        decide: impl Fn(&Preferences) -> Preferences + Send,
    ) -> Result<(), Error> {
        let mut race = Race::new(Expect::Any);
        loop {
            let before = self.store.user(id).await?.ok_or(Error::NotFound("user"))?;
            let after = before.with_preferences(decide(&before.preferences), self.clock.now());
            if after == before {
                return Ok(());
            }
            let result = self.commit(&Changes::new().write(Write::UpdateUser(after))).await;
            if !race.lost(&result) {
                return result;
            }
        }
    }
}
