//! Suppressed addresses: learned from relays and reports, managed by administrators.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::App;
use super::ledger::first_id;
use super::retry::Attempt;
use crate::error::{Error, FieldError};
use crate::notice::{PasswordResetNotice, VerifyEmailNotice, WelcomeNotice};
use crate::ports::{DeliveryQuery, UnreadableBounce};
use crate::{
    Actor, BounceKind, BounceReport, Changes, Delivery, DeliveryId, EmailAddress, Notice, ParticipantId, Recipient,
    Suppression, SuppressionCause, SuppressionWrite, UserWrite,
};

use_cases! {
    /// Use cases of suppressed addresses, which take no mail.
    SuppressionUseCases,
    /// Returns the use cases of suppressed addresses.
    suppressions
}

impl SuppressionUseCases<'_> {
    /// Returns up to `size` suppressions after `after` by the keys of their addresses; for administrators.
    pub async fn list_after(self, actor: Actor, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, Error> {
        self.app.admit_admin(actor).await?;
        Ok(self.app.store.suppressions_after(after, size).await?)
    }

    /// Suppresses an address, so that it gets no more mail; for administrators.
    pub async fn add(self, actor: Actor, email: EmailAddress, detail: String) -> Result<(), Error> {
        self.app.admit_admin(actor).await?;
        let on = self.app.account_or_domain(&email).await?;
        let new = Suppression::new(email.clone(), SuppressionCause::Admin, detail.clone(), self.app.clock.now());
        self.app.commit(&Changes::new().write(SuppressionWrite::Add(new))).await?;
        actor.acted("suppress address", format_args!("{on}"));
        self.app.suppression_is_told(&email, &detail).await
    }

    /// Removes the suppression of an address; for administrators. Fails with `NotFound` if it is not suppressed.
    pub async fn remove(self, actor: Actor, email: &EmailAddress) -> Result<(), Error> {
        self.app.admit_admin(actor).await?;
        match self.app.suppression(email).await? {
            None => Err(Error::NotFound("suppression")),
            Some(_) => {
                self.app.lift(email).await?;
                actor.acted("lift suppression", format_args!("{}", self.app.account_or_domain(email).await?));
                Ok(())
            }
        }
    }

    /// Returns why mail to an address of ours is not sent; the account's own address, for its owner.
    pub async fn own(self, actor: Actor) -> Result<Option<Suppression>, Error> {
        let user = self.app.accounts().get(actor, actor.scope()?.person()).await?;
        self.app.suppression(&user.email).await
    }

    /// Reads a message that came back and takes note of it. Fails with `Invalid` (`message`) when it reports nothing.
    ///
    /// Anybody can write such a message. So an address is suppressed only when the message brings back the Message-ID of a
    /// mail that was sent to it, or when it was written to within the last [`RECENTLY`](App::RECENTLY).
    pub async fn ingest_bounce(self, message: &[u8]) -> Result<usize, Error> {
        let bounces = self.app.bounces.as_ref().ok_or(Error::NotFound("bounces"))?;
        let unreadable = |UnreadableBounce(why)| Error::from(FieldError::new("message", why));
        self.app.ingest(bounces.read(message).map_err(unreadable)?, Source::Message).await
    }

    /// Applies reports that a gateway has read: an address that permanently refuses mail is suppressed. Returns the
    /// number of such addresses. The gateway vouches for the addresses it names; if it names the mail, the address is
    /// the one that mail was sent to.
    pub async fn take_bounces(self, reports: Vec<BounceReport>) -> Result<usize, Error> {
        self.app.ingest(reports, Source::Gateway).await
    }
}

impl App {
    pub(super) async fn suppression(&self, email: &EmailAddress) -> Result<Option<Suppression>, Error> {
        Ok(self.store.suppressed(std::slice::from_ref(email)).await?.remove(&email.key()))
    }

    /// Sends mail to an address again.
    async fn lift(&self, email: &EmailAddress) -> Result<(), Error> {
        self.commit(&Changes::new().write(SuppressionWrite::Remove(email.clone()))).await?;
        self.bump_account(email).await?;
        self.clear_problem_at(email).await
    }

    /// Stops mail to a mailbox that the relay refused.
    pub(super) async fn suppress_refused(&self, email: EmailAddress, said: String) -> Result<(), Error> {
        let new = Suppression::new(email.clone(), SuppressionCause::Refused, said.clone(), self.clock.now());
        self.commit(&Changes::new().write(SuppressionWrite::Add(new))).await?;
        self.suppression_is_told(&email, &said).await
    }

    /// Whoever has an address that gets no mail any more sees it in their account, and who invited them sees it there.
    async fn suppression_is_told(&self, email: &EmailAddress, said: &str) -> Result<(), Error> {
        self.bump_account(email).await?;
        self.record_problem_at(email, said).await
    }

    /// Bumps the version of the account at an address, because data shown with it has changed.
    async fn bump_account(&self, email: &EmailAddress) -> Result<(), Error> {
        let Some(user) = self.account_at(email.key()).await? else { return Ok(()) };
        self.retry(user.id.as_uuid(), || async {
            let Some(user) = self.account_at(email.key()).await? else {
                return Ok(Attempt::Unchanged(()));
            };
            Ok(Attempt::Commit(Changes::new().write(UserWrite::Update(user.bumped())), ()))
        })
        .await
    }

    /// Handles the use of a link that was mailed to an address, which shows that mail arrives there, whatever a report
    /// said.
    pub(super) async fn link_was_used(&self, email: &EmailAddress) -> Result<(), Error> {
        match self.suppression(email).await? {
            Some(suppression) if suppression.is_disproved_by_a_link() => self.lift(email).await,
            _ => Ok(()),
        }
    }

    /// Returns how the log names an address: by the account it belongs to, otherwise by its domain.
    async fn account_or_domain(&self, email: &EmailAddress) -> Result<String, Error> {
        let account = self.account_at(email.key()).await?;
        let domain = || format!("an address at {}", email.domain());
        Ok(account.map_or_else(domain, |user| format!("the address of user {}", user.id)))
    }

    /// Time after sending a mail within which a report without its Message-ID counts.
    pub const RECENTLY: Duration = Duration::from_hours(30 * 24);

    async fn ingest(&self, reports: Vec<BounceReport>, source: Source) -> Result<usize, Error> {
        let mut by_mail: BTreeMap<DeliveryId, Vec<BounceReport>> = BTreeMap::new();
        let mut others = Vec::new();
        for report in reports {
            match &report.mail {
                Some(mail) => by_mail.entry(mail.delivery).or_default().push(report),
                None => others.push(report),
            }
        }
        let mut resolved = Vec::new();
        for (id, reports) in by_mail {
            match self.store.delivery(id).await? {
                Some((delivery, _)) => resolved.extend(self.resolve(&delivery, &reports).await?),
                // Not ours, or no longer kept.
                None => others.extend(reports),
            }
        }
        for report in others {
            let Some(email) = report.email else { continue };
            let counts = match source {
                Source::Gateway => true,
                Source::Message if resolved.len() >= MOST_UNMATCHED => false,
                Source::Message => report.kind > BounceKind::Delayed && self.was_written_to(&email).await?,
            };
            if counts {
                resolved.push(Resolved { email, kind: report.kind, detail: report.detail, participant: None });
            }
        }
        let at = self.clock.now();
        let mut known = HashSet::new();
        let new = resolved.iter().filter_map(|Resolved { email, kind, detail, .. }| {
            let cause = kind.suppresses().filter(|_| known.insert(email.key()))?;
            Some(SuppressionWrite::Add(Suppression::new(email.clone(), cause, detail.clone(), at)))
        });
        let changes = new.fold(Changes::new(), Changes::write);
        let found = changes.writes.len();
        self.commit(&changes).await?;
        for Resolved { email, kind, detail, participant } in resolved {
            if kind.suppresses().is_some() {
                self.suppression_is_told(&email, &detail).await?;
            }
            if let Some(participant) = participant.filter(|_| kind > BounceKind::Delayed) {
                self.record_problem(participant, &detail).await?;
            }
        }
        Ok(found)
    }

    /// Returns what reports about one of our mails mean for the address it was sent to; `None` if that is not certain.
    async fn resolve(&self, delivery: &Delivery, reports: &[BounceReport]) -> Result<Option<Resolved>, Error> {
        let mails = || reports.iter().filter_map(|report| report.mail.as_ref());
        let to = mails().find_map(|mail| mail.to.as_ref());
        let Some(email) = self.sent_to(delivery, to, reports).await? else { return Ok(None) };
        // What is said about the address itself counts. Else it leads to others, and is gone when all of them are.
        let key = email.key();
        let named = |report: &&BounceReport| report.email.as_ref().is_some_and(|email| email.key() == key);
        let own = reports.iter().filter(named).max_by_key(|report| report.kind);
        let found = own.or_else(|| reports.iter().min_by_key(|report| report.kind));
        let participant = delivery.notice.as_ref().ok().and_then(Notice::participant);
        Ok(found.map(|report| Resolved { email, kind: report.kind, detail: report.detail.clone(), participant }))
    }

    /// Returns the address that a mail was sent to. An account may have another one by now, so the `To` that came back, a
    /// name in the report or an account that has not changed since must say that it is still this one. Names that are
    /// not ours say nothing: feedback loops hide addresses, lists and forwarders put theirs in.
    async fn sent_to(
        &self,
        delivery: &Delivery,
        to: Option<&EmailAddress>,
        reports: &[BounceReport],
    ) -> Result<Option<EmailAddress>, Error> {
        let user = match &delivery.recipient {
            Recipient::Address(address) => return Ok(Some(address.clone())),
            Recipient::User(id) => self.store.user(*id).await?,
        };
        // A link is made for one address.
        if let Ok(
            Notice::Welcome(WelcomeNotice { token: Some(token) })
            | Notice::VerifyEmail(VerifyEmailNotice { token, .. })
            | Notice::PasswordReset(PasswordResetNotice { token, .. }),
        ) = &delivery.notice
            && let Some(token) = self.stored_token(*token).await?
        {
            return Ok(Some(token.email));
        }
        let participant = match delivery.notice.as_ref().ok().and_then(Notice::participant) {
            Some(id) => self.store.participants_by_id(&[id]).await?.remove(&id).and_then(Result::ok),
            None => None,
        };
        let addresses: Vec<_> =
            user.iter().map(|user| &user.email).chain(participant.iter().map(|one| &one.email)).collect();
        let one_of = |named: &EmailAddress| addresses.iter().copied().find(|address| address.key() == named.key());
        let named = reports.iter().filter_map(|report| report.email.as_ref());
        let sent_at = delivery.first_claimed_at.unwrap_or(delivery.planned_at);
        let unchanged = || user.as_ref().filter(|user| user.updated_at <= sent_at).map(|user| &user.email);
        Ok(to.into_iter().chain(named).find_map(one_of).or_else(unchanged).cloned())
    }

    /// Returns whether mail was sent to an address recently, either to the address itself or to its account.
    async fn was_written_to(&self, email: &EmailAddress) -> Result<bool, Error> {
        let account = self.account_at(email.key()).await?;
        let theirs = account.map(|user| Recipient::User(user.id));
        let recipients = Some(theirs.into_iter().chain([Recipient::Address(email.clone())]).collect());
        let from = Some(first_id(self.clock.now() - Self::RECENTLY));
        let query = DeliveryQuery { recipients, from, ..DeliveryQuery::default() };
        let sent = self.store.deliveries(&query, None, MOST_SENT).await?;
        Ok(sent.iter().any(|delivery| delivery.first_claimed_at.is_some()))
    }
}

/// The origin of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A gateway, which has checked them.
    Gateway,
    /// A message as it came, which anybody may have written.
    Message,
}

/// The result of reports about mail to one of our recipients.
struct Resolved {
    email: EmailAddress,
    kind: BounceKind,
    detail: String,
    /// The participant that the mail was about, if it was about a meeting.
    participant: Option<ParticipantId>,
}

/// Most addresses that one message can report without the Message-ID of a mail: ours have one reader each.
const MOST_UNMATCHED: usize = 20;

/// Maximum number of deliveries that are examined to find out whether mail was sent to an address.
const MOST_SENT: u32 = 100;
