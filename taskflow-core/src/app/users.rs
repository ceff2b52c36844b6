//! Accounts: register, look, change, lock, delete.

use super::App;
use super::retry::Attempt;
use crate::error::{Error, FieldError, UniqueField};
use crate::notice::WelcomeNotice;
use crate::{
    AccountStatusChange, Actor, Changes, Credential, CredentialWrite, DedupeKey, Login, NewUser, Notice, PasswordHash,
    Precondition, ProfileChange, Recipient, SessionWrite, Timestamp, UnsubscribeWrite, User, UserId, UserWrite,
    Username,
};

use_cases! {
    /// Use cases of accounts: registration, profile, preferences, verified addresses and passwords.
    AccountUseCases,
    /// Returns the use cases of accounts.
    accounts
}

impl AccountUseCases<'_> {
    /// Creates an account and plans its welcome mail. Without a password, the host authenticates its users by other
    /// means.
    ///
    /// Fails with `Taken` when the name or the address is.
    pub async fn register(self, new: NewUser, password: Option<PasswordHash>) -> Result<User, Error> {
        self.app.ensure_clock()?;
        self.app.admit_username(&new.username).await?;
        let now = self.app.clock.now();
        let user = User::new(UserId::from_uuid(self.app.ids.next(now)), new, now);
        let (token, write) = self.app.verify_token(user.id, &user.email, now).unzip();
        let welcome = self
            .app
            .new_delivery(
                DedupeKey::new(format!("welcome/{}", user.id)),
                Notice::Welcome(WelcomeNotice { token }),
                Recipient::User(user.id),
                now,
            )
            .because("the account was made");
        let mut changes = Changes::new().write(UserWrite::Insert(user.clone())).deliver([welcome]);
        changes.writes.extend(write.map(Into::into));
        if let Some(password) = password {
            changes = changes.write(CredentialWrite::Set(Credential { user_id: user.id, password, changed_at: now }));
        }
        self.app.commit(&changes).await?;
        Ok(user)
    }

    /// Returns an account, for its owner or the service itself.
    pub async fn get(self, actor: Actor, id: UserId) -> Result<User, Error> {
        if actor.user_id().is_some_and(|asking| asking != id) {
            return Err(Error::NotFound("user"));
        }
        self.app.store.user(id).await?.ok_or(Error::NotFound("user"))
    }

    /// Returns up to `size` accounts after `after` by id, for the operator.
    pub async fn list_after(self, after: Option<UserId>, size: u32) -> Result<Vec<User>, Error> {
        Ok(self.app.store.users_after(after, size).await?)
    }

    /// Changes the profile of an account, for its owner or the service itself. A new password ends all sessions of the
    /// account and notifies the owner, at the address before this change. A new address has to be verified through the
    /// link in a mail to it.
    pub async fn update_profile(
        self,
        actor: Actor,
        id: UserId,
        change: ProfileChange,
        expect: Precondition,
    ) -> Result<User, Error> {
        let (before, after) = self
            .app
            .retry(id.as_uuid(), || async {
                let before = self.get(actor, id).await?;
                expect.check(before.version)?;
                let now = self.app.clock.now();
                let after = before.with_profile(change.clone(), now);
                if after.username != before.username {
                    self.app.admit_username(&after.username).await?;
                }
                let mut changes = Changes::new();
                if after != before {
                    changes = changes.write(UserWrite::Update(after.clone()));
                }
                changes = changes.deliver(self.app.missed_after_zone_change(&before, &after, now));
                changes = changes.and(self.app.follow_quiet_hours(&before, &after, now).await?);
                if after.email.key() != before.email.key() {
                    changes = changes.and(self.app.verification_mail(id, &after.email, now));
                    changes = changes.and(opt_outs_left_behind(&before, now));
                }
                if let Some(password) = change.password.clone() {
                    let told = match after.email == before.email {
                        true => Recipient::User(id),
                        false => Recipient::Address(before.email.clone()),
                    };
                    changes = changes.and(self.app.password_changes(&after, told, password, now));
                }
                Ok(Attempt::Commit(changes, (before, after)))
            })
            .await?;
        if after.time_zone != before.time_zone {
            self.app.move_due_days(id, &after.time_zone).await?;
        }
        Ok(after)
    }

    /// Locks or unlocks an account, gives or takes the right to run the service; for those who run it.
    pub async fn set_standing(self, actor: Actor, id: UserId, change: AccountStatusChange) -> Result<User, Error> {
        self.app.admit_admin(actor).await?;
        let (before, after) = self
            .app
            .retry(id.as_uuid(), || async {
                let before = self.get(Actor::System, id).await?;
                let now = self.app.clock.now();
                let after = before.with_standing(change, now);
                if after == before {
                    return Ok(Attempt::Unchanged((before, after)));
                }
                let mut changes = Changes::new().write(UserWrite::Update(after.clone()));
                if !after.is_active {
                    changes = changes.write(SessionWrite::End { user_id: id, only: None, at: now });
                }
                Ok(Attempt::Commit(changes, (before, after)))
            })
            .await?;
        for (changed, action) in [
            (before.is_active != after.is_active, if after.is_active { "unlock" } else { "lock" }),
            (before.is_admin != after.is_admin, if after.is_admin { "grant admin" } else { "revoke admin" }),
        ] {
            if changed {
                actor.acted(action, format_args!("user {id}"));
            }
        }
        Ok(after)
    }
}

/// Returns the writes that keep what somebody switched off ended for an address which they leave: it may be invited as a
/// guest's from now on.
fn opt_outs_left_behind(before: &User, now: Timestamp) -> Changes {
    let off = before.preferences.off.iter().filter(|_| before.email_verified);
    let ended = off.map(|kind| UnsubscribeWrite::Add { email: before.email.clone(), kind: *kind, at: now });
    ended.fold(Changes::new(), Changes::write)
}

impl App {
    /// Refuses a name that passes for somebody else's: by its characters, or because an account has the name in ASCII
    /// characters that it looks like. One read, and none for names of ASCII characters.
    async fn admit_username(&self, name: &Username) -> Result<(), Error> {
        name.ensure_distinct().map_err(|error| FieldError::new("username", error.to_string()))?;
        let (Some(key), Some(accounts)) = (name.looks_like(), &self.accounts) else { return Ok(()) };
        match accounts.account(&Login::Username(key)).await? {
            Some(_) => Err(Error::Taken(UniqueField::Username)),
            None => Ok(()),
        }
    }

    /// Nobody learns that there is something which is not for them.
    pub(super) async fn admit_admin(&self, actor: Actor) -> Result<(), Error> {
        let Some(id) = actor.user_id() else { return Ok(()) };
        match self.store.user(id).await? {
            Some(user) if user.is_admin && user.is_active => Ok(()),
            Some(_) | None => Err(Error::NotFound("user")),
        }
    }
}
