//! The mail preferences of a user, set in the settings or through an unsubscribe link.

use super::retry::Attempt;
use super::{AccountUseCases, App, LinkUseCases};
use crate::error::Error;
use crate::ports::LinkPurpose;
use crate::{
    Actor, Changes, EmailAddress, Locale, NoticeKind, ParticipantId, Precondition, PreferencesChange, UnsubscribeWrite,
    User, UserId, UserWrite, Zone,
};

/// The subscription that an unsubscribe link ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Mail of this kind,
    pub kind: NoticeKind,
    /// to this address.
    pub email: EmailAddress,
    /// Whether mail of this kind is sent to this address.
    pub is_on: bool,
    /// The language of the recipient.
    pub locale: Locale,
    /// The zone in which they read times.
    pub time_zone: Zone,
}

/// The owner of the subscription behind a link.
enum Subscriber {
    User(Box<User>),
    Guest(Box<crate::Participant>),
}

impl AccountUseCases<'_> {
    /// Changes the mail preferences of the actor; planned mail follows. Preferences are part of the account and have
    /// its version.
    pub async fn change_preferences(
        self,
        actor: Actor,
        change: &PreferencesChange,
        expect: Precondition,
    ) -> Result<User, Error> {
        self.app.change_preferences_of(actor.scope()?.person(), change, expect).await
    }
}

impl LinkUseCases<'_> {
    /// Returns the subscription that an unsubscribe link ends. Fails with `NotFound` if the link was not made here or
    /// its reader is gone.
    pub async fn subscription(self, link: &str) -> Result<Subscription, Error> {
        let (kind, subscriber) = self.app.subscriber(link).await?;
        Ok(match subscriber {
            Subscriber::User(user) => Subscription {
                kind,
                is_on: user.preferences.wants(kind),
                email: user.email,
                locale: user.locale,
                time_zone: user.time_zone,
            },
            Subscriber::Guest(guest) => {
                let ended = self.app.store.unsubscribed(std::slice::from_ref(&guest.email)).await?;
                let is_on = !ended.contains(&(guest.email.key(), kind));
                let (locale, time_zone) = self.app.guest_reads(&guest).await?;
                Subscription { kind, is_on, email: guest.email, locale, time_zone }
            }
        })
    }

    /// Unsubscribes the holder of a link in a mail from mail of its kind (RFC 8058): the account, or the address of a
    /// guest, whatever meeting the mail was about. Repeating it changes nothing.
    pub async fn unsubscribe(self, link: &str) -> Result<Subscription, Error> {
        match self.app.subscriber(link).await? {
            (kind, Subscriber::User(user)) => {
                self.app.change_preferences_of(user.id, &PreferencesChange::without(kind), Precondition::Any).await?;
            }
            (kind, Subscriber::Guest(guest)) => {
                let at = self.app.clock.now();
                self.app.commit(&Changes::new().write(UnsubscribeWrite::Add { email: guest.email, kind, at })).await?;
            }
        }
        self.subscription(link).await
    }

    /// Subscribes the holder of an unsubscribe link to mail of its kind again.
    pub async fn resubscribe(self, link: &str) -> Result<Subscription, Error> {
        match self.app.subscriber(link).await? {
            (kind, Subscriber::User(user)) => {
                let change = PreferencesChange { kinds: [(kind, true)].into(), ..PreferencesChange::default() };
                self.app.change_preferences_of(user.id, &change, Precondition::Any).await?;
            }
            (kind, Subscriber::Guest(guest)) => {
                self.app.commit(&Changes::new().write(UnsubscribeWrite::Remove { email: guest.email, kind })).await?;
            }
        }
        self.subscription(link).await
    }
}

impl App {
    async fn subscriber(&self, link: &str) -> Result<(NoticeKind, Subscriber), Error> {
        let no_such = || Error::NotFound("subscription");
        let links = self.links.as_ref().ok_or_else(no_such)?;
        let kinds = NoticeKind::known().into_iter().filter(|kind| kind.is_recurring());
        let opened = |kind| links.open(LinkPurpose::Unsubscribe(kind), link).map(|link| (kind, link));
        let (kind, link) = kinds.into_iter().find_map(opened).ok_or_else(no_such)?;
        if let Some(user) = self.store.user(UserId::from_uuid(link.id)).await? {
            return Ok((kind, Subscriber::User(Box::new(user))));
        }
        let guest = self.participant(ParticipantId::from_uuid(link.id)).await?.ok_or_else(no_such)?;
        let guest = match guest.merged_into {
            Some(same) => self.participant(same).await?.ok_or_else(no_such)?,
            None => guest,
        };
        match guest.user_id {
            // They have an account by now, and its preferences count.
            Some(user) => {
                let user = self.store.user(user).await?.ok_or_else(no_such)?;
                Ok((kind, Subscriber::User(Box::new(user))))
            }
            None => Ok((kind, Subscriber::Guest(Box::new(guest)))),
        }
    }

    /// Applies a change of preferences to the stored preferences at the time of writing, so that concurrent changes of
    /// others are kept.
    async fn change_preferences_of(
        &self,
        id: UserId,
        change: &PreferencesChange,
        expect: Precondition,
    ) -> Result<User, Error> {
        self.retry(id.as_uuid(), || async {
            let before = self.store.user(id).await?.ok_or(Error::NotFound("user"))?;
            expect.check(before.version)?;
            let now = self.clock.now();
            let after = before.with_preferences(before.preferences.with(change), now);
            if after == before {
                return Ok(Attempt::Unchanged(before));
            }
            let missed = self.missed_after_zone_change(&before, &after, now);
            let changes = Changes::new().write(UserWrite::Update(after.clone())).deliver(missed);
            let changes = changes.and(self.follow_quiet_hours(&before, &after, now).await?);
            // What was ended for the address while it was a guest's begins again with it.
            let email = &after.email;
            let begins = |kind: &NoticeKind| {
                after.email_verified && !before.preferences.wants(*kind) && after.preferences.wants(*kind)
            };
            let again = NoticeKind::known()
                .into_iter()
                .filter(begins)
                .map(|kind| UnsubscribeWrite::Remove { email: email.clone(), kind });
            Ok(Attempt::Commit(again.fold(changes, Changes::write), after))
        })
        .await
    }
}
