//! Links that were mailed to an account: showing that an address is one's own, and a new password for a lost one.

use super::retry::Attempt;
use super::{AccountUseCases, App};
use crate::error::Error;
use crate::notice::{PasswordChangedNotice, PasswordResetNotice, VerifyEmailNotice};
use crate::ports::{Link, LinkPurpose};
use crate::{
    Actor, Changes, Credential, CredentialWrite, DedupeKey, EmailAddress, FeedEvent, Login, NewDelivery, Notice,
    ParticipantWrite, PasswordHash, Recipient, SessionWrite, Suppression, SuppressionCause, SuppressionWrite,
    Timestamp, Token, TokenId, TokenPurpose, TokenWrite, User, UserId, UserWrite,
};

/// Maximum number of meetings, the last created ones, that the feed of a user announces when their address is verified.
/// Their lists contain all of them. The limit keeps one commit from growing with the meetings that others have created.
const MEETINGS_TOLD: u32 = 1_000;

impl AccountUseCases<'_> {
    /// Marks the address of an account as verified for the holder of a link that was mailed to it. Guests of meetings
    /// with that address are the user of this account from now on.
    ///
    /// `NotFound` when the link was not made here, is too old, was used, or the account has another address by now. Using
    /// it again while the address is verified changes nothing.
    pub async fn verify_email(self, link: &str) -> Result<User, Error> {
        let row = self.app.behind_link(TokenPurpose::VerifyEmail, link).await?.1.id.as_uuid();
        let (user, changed) = self
            .app
            .retry(row, || async {
                let (token, user) = self.app.behind_link(TokenPurpose::VerifyEmail, link).await?;
                let now = self.app.clock.now();
                if user.email_verified {
                    return Ok(Attempt::Unchanged((user, false)));
                }
                if !token.is_good(now) {
                    return Err(Error::NotFound("link"));
                }
                let verified = user.verified(now);
                let used = Changes::new().write(TokenWrite::Use { id: token.id, at: now });
                Ok(Attempt::Commit(used.and(self.app.verification(&user, &verified, now).await?), (verified, true)))
            })
            .await?;
        if changed {
            self.app.link_was_used(&user.email).await?;
        }
        self.app.merge_the_rest(&user).await?;
        Ok(user)
    }

    /// Marks the address of an account as verified on behalf of an administrator.
    pub async fn mark_email_verified(self, actor: Actor, id: UserId) -> Result<User, Error> {
        self.app.admit_admin(actor).await?;
        let user = self
            .app
            .retry(id.as_uuid(), || async {
                let before = self.get(Actor::System, id).await?;
                let now = self.app.clock.now();
                let after = before.verified(now);
                Ok(Attempt::Commit(self.app.verification(&before, &after, now).await?, after))
            })
            .await?;
        self.app.merge_the_rest(&user).await?;
        Ok(user)
    }

    /// Mails the actor another link to verify their address; `false` when it is verified already.
    pub async fn request_verification(self, actor: Actor) -> Result<bool, Error> {
        let id = actor.scope()?.person();
        let user = self.get(actor, id).await?;
        if user.email_verified {
            return Ok(false);
        }
        self.app.ensure_clock()?;
        self.app.commit(&self.app.verification_mail(id, &user.email, self.app.clock.now())).await?;
        Ok(true)
    }

    /// Mails a link to set a new password to an address, if an active account has it. Answers alike in any case: also for
    /// another address the store is asked and written to, so that one that cannot be written fails for all addresses.
    pub async fn forgot_password(self, email: &EmailAddress) -> Result<(), Error> {
        self.app.ensure_clock()?;
        self.app.store.ping().await?;
        let account = self.app.accounts_port()?.account(&Login::Email(email.key())).await?;
        let Some(user) = account.map(|account| account.user).filter(|user| user.is_active) else {
            return self.app.commit(&self.app.written_for_nobody()).await;
        };
        let (token, write) = self.app.token(TokenPurpose::ResetPassword, user.id, &user.email, self.app.clock.now());
        let key = DedupeKey::new(format!("password-reset/{}", token.id));
        let notice = Notice::PasswordReset(PasswordResetNotice { token: token.id, expires_at: token.expires_at });
        let mail = self.app.new_delivery(key, notice, Recipient::User(user.id), token.created_at);
        let mail = mail.because("a new password was asked for");
        self.app.commit(&Changes::new().write(write).deliver([mail])).await
    }

    /// Sets a new password for the account behind a link, ends all its sessions and notifies the owner. This also
    /// verifies the address. Fails with `NotFound` as [`verify_email`](Self::verify_email) does.
    pub async fn reset_password(self, link: &str, password: PasswordHash) -> Result<User, Error> {
        let row = self.app.behind_link(TokenPurpose::ResetPassword, link).await?.1.id.as_uuid();
        let verified = self
            .app
            .retry(row, || async {
                let (token, user) = self.app.behind_link(TokenPurpose::ResetPassword, link).await?;
                let now = self.app.clock.now();
                if !token.is_good(now) {
                    return Err(Error::NotFound("link"));
                }
                let verified = user.verified(now);
                let changes = Changes::new()
                    .write(TokenWrite::Use { id: token.id, at: now })
                    .and(self.app.verification(&user, &verified, now).await?)
                    .and(self.app.password_changes(&user, Recipient::User(user.id), password.clone(), now));
                Ok(Attempt::Commit(changes, verified))
            })
            .await?;
        self.app.link_was_used(&verified.email).await?;
        self.app.merge_the_rest(&verified).await?;
        Ok(verified)
    }

    /// Returns whether this link can set another password, so that a page need not ask for one in vain.
    pub async fn can_reset_password(self, link: &str) -> Result<bool, Error> {
        match self.app.behind_link(TokenPurpose::ResetPassword, link).await {
            Ok((token, _)) => Ok(token.is_good(self.app.clock.now())),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl App {
    /// Returns a write without effect: a suppression of an address that nobody can have, which the same commit removes.
    fn written_for_nobody(&self) -> Changes {
        let now = self.clock.now();
        let Ok(nobody) = format!("{}@nobody.invalid", self.ids.next(now)).parse::<EmailAddress>() else {
            return Changes::new();
        };
        let new = Suppression::new(nobody.clone(), SuppressionCause::Admin, String::new(), now);
        Changes::new().write(SuppressionWrite::Add(new)).write(SuppressionWrite::Remove(nobody))
    }

    /// Returns a token for a link, unless no links are made here.
    pub(super) fn verify_token(
        &self,
        user: UserId,
        email: &EmailAddress,
        now: Timestamp,
    ) -> Option<(TokenId, TokenWrite)> {
        self.links.as_ref()?;
        let (token, write) = self.token(TokenPurpose::VerifyEmail, user, email, now);
        Some((token.id, write))
    }

    /// Returns the changes that plan a mail with a link to verify an address; empty if no links are made here.
    pub(super) fn verification_mail(&self, user: UserId, email: &EmailAddress, now: Timestamp) -> Changes {
        if self.links.is_none() {
            return Changes::new();
        }
        let (token, write) = self.token(TokenPurpose::VerifyEmail, user, email, now);
        Changes::new().write(write).deliver([self.mail_of(&token)])
    }

    /// Returns the changes that follow from the verification of an address. Guests with that address become the user,
    /// also in meetings in which the user participates already, and the user's feed gets the meetings that appear.
    async fn verification(&self, before: &User, after: &User, now: Timestamp) -> Result<Changes, Error> {
        if before.email_verified {
            return Ok(Changes::new());
        }
        // What a guest ended stays ended, as a preference of the account that they can change; and for the address, which may
        // be a guest's again.
        let ended = self.store.unsubscribed(std::slice::from_ref(&after.email)).await?;
        let after = &after.without_mail(ended.iter().map(|(_, kind)| *kind));
        let joined = self.store.guest_meetings(&after.email, after.id, MEETINGS_TOLD).await?;
        let linked = Changes::new()
            .write(UserWrite::Update(after.clone()))
            .write(ParticipantWrite::LinkGuests { email: after.email.clone(), user_id: after.id });
        let linked = linked.and(self.merges(after, now).await?);
        let tell = |id| FeedEvent::changed_for(self.event_id(now), id, after.id, now);
        Ok(joined.into_iter().map(tell).fold(linked, Changes::announce))
    }

    /// Returns the changes that set a new password: all sessions end, all links to reset the password are revoked, and
    /// the owner is notified.
    pub(super) fn password_changes(
        &self,
        user: &User,
        told: Recipient,
        password: PasswordHash,
        now: Timestamp,
    ) -> Changes {
        Changes::new()
            .write(CredentialWrite::Set(Credential { user_id: user.id, password, changed_at: now }))
            .write(SessionWrite::End { user_id: user.id, only: None, at: now })
            .write(TokenWrite::Revoke { user_id: user.id, purpose: TokenPurpose::ResetPassword, at: now })
            .deliver([self
                .new_delivery(
                    DedupeKey::new(format!("password-changed/{}/{}", user.id, now.as_micros())),
                    Notice::PasswordChanged(PasswordChangedNotice { at: now }),
                    told,
                    now,
                )
                .because("the password was changed")])
    }

    fn token(&self, purpose: TokenPurpose, user: UserId, email: &EmailAddress, now: Timestamp) -> (Token, TokenWrite) {
        let token = Token::new(TokenId::from_uuid(self.ids.next(now)), purpose, user, email.clone(), now);
        (token.clone(), TokenWrite::Insert(token))
    }

    fn mail_of(&self, token: &Token) -> NewDelivery {
        self.new_delivery(
            DedupeKey::new(format!("verify-email/{}", token.id)),
            Notice::VerifyEmail(VerifyEmailNotice { token: token.id, expires_at: token.expires_at }),
            Recipient::User(token.user_id),
            token.created_at,
        )
        .because("the address is to be verified")
    }

    /// Returns the token of a link and the account it is about, as long as the account has the address the link was
    /// mailed to.
    pub(super) async fn behind_link(&self, purpose: TokenPurpose, link: &str) -> Result<(Token, User), Error> {
        self.ensure_clock()?;
        let no_such = || Error::NotFound("link");
        let link = self.links.as_ref().and_then(|links| links.open(link_purpose(purpose), link)).ok_or_else(no_such)?;
        let token = self.accounts_port()?.token(TokenId::from_uuid(link.id)).await?;
        let token = token.filter(|token| token.purpose == purpose).ok_or_else(no_such)?;
        let user = self.store.user(token.user_id).await?.ok_or_else(no_such)?;
        match user.is_active && user.email.key() == token.email.key() {
            true => Ok((token, user)),
            false => Err(no_such()),
        }
    }
}

/// Returns the link of a token, for the mail that carries it.
pub(super) fn token_link(purpose: TokenPurpose, id: TokenId, expires_at: Timestamp) -> Link {
    Link { purpose: link_purpose(purpose), id: id.as_uuid(), expires_at, version: None }
}

pub(super) fn link_purpose(purpose: TokenPurpose) -> LinkPurpose {
    match purpose {
        TokenPurpose::VerifyEmail => LinkPurpose::VerifyEmail,
        TokenPurpose::ResetPassword => LinkPurpose::ResetPassword,
    }
}
