//! A user: profile, zone and status of an account.

use crate::error::FieldError;
use crate::{EmailAddress, Locale, Preferences, Scope, Timestamp, UserId, Username, Zone};

/// A user, that is, a person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id; never changes.
    pub id: UserId,
    /// Unique regardless of case and Unicode form.
    pub username: Username,
    /// Unique regardless of case.
    pub email: EmailAddress,
    /// Whether the user has verified the address.
    pub email_verified: bool,
    /// The time zone, in which their days begin and end.
    pub time_zone: Zone,
    /// The language of their mail.
    pub locale: Locale,
    /// The mail preferences.
    pub preferences: Preferences,
    /// Whether the account is active; a user whose account is locked cannot sign in and gets no mail.
    pub is_active: bool,
    /// Whether the user is an administrator.
    pub is_admin: bool,
    /// Version for optimistic locking; grows by one with each change.
    pub version: u64,
    /// The time at which the account was created.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The time of its deletion. From then on the account is absent for everybody; its remaining data is removed step
    /// by step.
    pub deleted_at: Option<Timestamp>,
}

/// The data of a new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Name to sign in with.
    pub username: Username,
    /// The address that mail is sent to.
    pub email: EmailAddress,
    /// UTC when absent.
    pub time_zone: Option<Zone>,
    /// English when absent.
    pub locale: Option<Locale>,
    /// Whether the user is an administrator.
    pub is_admin: bool,
}

impl NewUser {
    /// Makes an account without a time zone and a language of its own, and without the role of an administrator.
    #[must_use]
    pub fn new(username: Username, email: EmailAddress) -> Self {
        Self { username, email, time_zone: None, locale: None, is_admin: false }
    }
}

/// A change of a profile; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new username.
    pub username: Option<Username>,
    /// The new address; it is unverified at first.
    pub email: Option<EmailAddress>,
    /// The new zone.
    pub time_zone: Option<Zone>,
    /// The new language.
    pub locale: Option<Locale>,
    /// The new password; it ends all sessions of the account.
    pub password: Option<PasswordHash>,
}

/// A change of the status of an account by an administrator; `None` leaves a field as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountStatusChange {
    /// Lock or unlock the account.
    pub is_active: Option<bool>,
    /// Give or take the right to run the service.
    pub is_admin: Option<bool>,
}

impl User {
    /// Creates an active account.
    #[must_use]
    pub fn new(id: UserId, new: NewUser, now: Timestamp) -> Self {
        Self {
            id,
            username: new.username,
            email: new.email,
            email_verified: false,
            time_zone: new.time_zone.unwrap_or_else(Zone::utc),
            locale: new.locale.unwrap_or_else(Locale::en),
            preferences: Preferences::default(),
            is_active: true,
            is_admin: new.is_admin,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Returns the account with another profile; the same version if nothing differs. Its password is a [`Credential`]
    /// and not part of it.
    #[must_use]
    pub fn with_profile(&self, change: ProfileChange, now: Timestamp) -> Self {
        let email = change.email.unwrap_or_else(|| self.email.clone());
        let after = Self {
            email_verified: self.email_verified && email.key() == self.email.key(),
            username: change.username.unwrap_or_else(|| self.username.clone()),
            email,
            time_zone: change.time_zone.unwrap_or_else(|| self.time_zone.clone()),
            locale: change.locale.unwrap_or_else(|| self.locale.clone()),
            ..self.clone()
        };
        self.next_version(after, now)
    }

    /// Returns the account with its address verified; the same version if it was already.
    #[must_use]
    pub fn verified(&self, now: Timestamp) -> Self {
        self.next_version(Self { email_verified: true, ..self.clone() }, now)
    }

    /// Returns the same version of the account without mail of these kinds.
    pub(crate) fn without_mail(&self, kinds: impl IntoIterator<Item = crate::NoticeKind>) -> Self {
        let preferences = kinds.into_iter().fold(self.preferences.clone(), |kept, kind| kept.without(kind));
        Self { preferences, ..self.clone() }
    }

    /// Returns the account with other preferences; the same version if nothing differs.
    #[must_use]
    pub fn with_preferences(&self, preferences: Preferences, now: Timestamp) -> Self {
        self.next_version(Self { preferences, ..self.clone() }, now)
    }

    /// Returns the account with another status; the same version if nothing differs.
    #[must_use]
    pub fn with_standing(&self, change: AccountStatusChange, now: Timestamp) -> Self {
        let after = Self {
            is_active: change.is_active.unwrap_or(self.is_active),
            is_admin: change.is_admin.unwrap_or(self.is_admin),
            ..self.clone()
        };
        self.next_version(after, now)
    }

    /// Returns the account at the start of its deletion: nobody can sign in to it or act as it, it gets no mail, and
    /// its username and address are free for others.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Self {
        let id = self.id;
        let after = Self {
            username: format!("deleted-{id}").parse().unwrap_or_else(|_| self.username.clone()),
            email: format!("{id}@deleted.invalid").parse().unwrap_or_else(|_| self.email.clone()),
            email_verified: false,
            is_active: false,
            is_admin: false,
            deleted_at: Some(now),
            ..self.clone()
        };
        self.next_version(after, now)
    }

    /// Returns the next version of the account without any difference, because data shown with it differs.
    #[must_use]
    pub(crate) fn bumped(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    fn next_version(&self, after: Self, now: Timestamp) -> Self {
        if after == *self { after } else { Self { version: self.version + 1, updated_at: now, ..after } }
    }
}

/// A secret that shows its owner: the hash of a password, as the host's hashing scheme wrote it (a PHC string for
/// argon2). Core stores and returns it and never looks inside.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes the output of the hashing scheme.
    #[must_use]
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// Returns the hash, for the hashing scheme alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The credential of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user.
    pub user_id: UserId,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The time at which the password was last set.
    pub changed_at: Timestamp,
}

/// The login by which an account is looked up: a username or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The [key](crate::Username::key) of a name.
    Username(String),
    /// The [key](crate::EmailAddress::key) of an address.
    Email(String),
}

impl Login {
    /// Parses the input of a sign-in: with an `@` it is an address, otherwise a username.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let key = crate::fold(text.trim());
        match text.contains('@').then(|| text.parse::<crate::EmailAddress>()) {
            Some(Ok(address)) => Self::Email(address.key()),
            Some(Err(_)) => Self::Email(key),
            None => Self::Username(key),
        }
    }
}

/// The caller of a use case, whom the host has already authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A user.
    User(UserId),
    /// The service itself, or its operator on the command line.
    System,
}

impl Actor {
    /// Logs the action of an administrator and its subject; ids, never addresses.
    pub(crate) fn acted(self, action: &'static str, on: std::fmt::Arguments<'_>) {
        match self {
            Self::User(by) => tracing::info!(%by, action, on = %on, "an administrator acted"),
            Self::System => tracing::info!(by = "command line", action, on = %on, "an administrator acted"),
        }
    }

    /// Returns the user, if the actor is one.
    #[must_use]
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::System => None,
        }
    }

    /// Returns the scope in which the user reads and writes. Fails for the service itself, which owns nothing.
    pub(crate) fn scope(self) -> Result<Scope, FieldError> {
        self.user_id()
            .map(Scope::own)
            .ok_or_else(|| FieldError::new("actor", "must be a person: the service itself owns nothing"))
    }
}

/// A write of an account.
#[derive(Debug, Clone, PartialEq)]
pub enum UserWrite {
    /// Inserts an account; `Taken` when its name or address belongs to another one.
    Insert(User),
    /// Replaces an account; `Stale` unless the stored version is one less, `Taken` as above.
    Update(User),
    /// Removes up to `limit` rows of each kind that a deleted account has left: cancels its open deliveries, takes its id
    /// off meetings and participants, and removes its tasks with their history, its feed and its stored responses. `Stale`
    /// when nothing of them is left, and unless the account is [deleted](User::deleted_at).
    Clear {
        /// The account.
        id: UserId,
        /// The most rows of each kind.
        limit: u32,
        /// The time at which its open deliveries count as settled.
        at: Timestamp,
    },
    /// Removes an account with its credential, tokens, tasks, events, feed and stored responses, ends its sessions,
    /// cancels its open deliveries and takes its id off meetings and participants; `Stale` when it is gone.
    Delete {
        /// The account.
        id: UserId,
        /// The time at which its open deliveries count as settled.
        at: Timestamp,
    },
}

/// A write of a credential.
#[derive(Debug, Clone, PartialEq)]
pub enum CredentialWrite {
    /// Inserts or replaces a credential; `Stale` when its owner is gone.
    Set(Credential),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> User {
        let new = NewUser {
            username: "ada".parse().expect("a name"),
            email: "ada@example.org".parse().expect("an address"),
            time_zone: None,
            locale: None,
            is_admin: false,
        };
        User { email_verified: true, ..User::new(UserId::from_uuid(uuid::Uuid::nil()), new, Timestamp::from_micros(1)) }
    }

    #[test]
    fn a_change_that_changes_nothing_keeps_the_version() {
        let before = ada();
        let change = ProfileChange { username: Some(before.username.clone()), ..ProfileChange::default() };
        assert_eq!(before.with_profile(change, Timestamp::from_micros(9)), before);
    }

    #[test]
    fn a_new_address_is_unverified_but_another_spelling_of_it_is_not() {
        let later = Timestamp::from_micros(9);
        let to =
            |email: &str| ProfileChange { email: Some(email.parse().expect("an address")), ..ProfileChange::default() };
        let moved = ada().with_profile(to("ada@other.example"), later);
        assert!(!moved.email_verified);
        assert_eq!((moved.version, moved.updated_at), (2, later));
        assert!(ada().with_profile(to("ADA@example.org"), later).email_verified);
    }

    #[test]
    fn a_deleted_account_frees_its_name_and_address() {
        let gone = ada().deleted(Timestamp::from_micros(9));
        assert!(gone.username != ada().username && gone.email.key() != ada().email.key());
        assert!(!gone.is_active && !gone.email_verified && gone.deleted_at.is_some());
    }

    #[test]
    fn a_hash_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$secret")), "***");
    }
}
