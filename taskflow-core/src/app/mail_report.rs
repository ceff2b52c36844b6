//! What mail was sent to whom, and why mail reached somebody or did not; for administrators who are asked.

use std::collections::{BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use super::App;
use crate::error::{Error, StoreError};
use crate::mail_report::{MailLog, MailLogEntry, MailLogQuery, MailReport, Senders};
use crate::{Actor, Delivery, DeliveryId, EmailAddress, Login, Recipient, Timestamp};

/// Deliveries that are read at once.
const PAGE: u32 = 500;

impl App {
    /// Returns the latest `most` deliveries that match `query`, newest first, and how many match in each state; for
    /// administrators. It reads every delivery since `query.since`.
    pub async fn mail_log(&self, actor: Actor, query: &MailLogQuery, most: usize) -> Result<MailLog, Error> {
        self.admit_admin(actor).await?;
        let recipients = match &query.recipient {
            Some(address) => Some(self.recipients_at(address).await?),
            None => None,
        };
        let (mut latest, mut counts) = (VecDeque::new(), HashMap::new());
        let mut after = query.since.and_then(before);
        loop {
            let page = self.outbox.deliveries_after(after, PAGE).await?;
            let at_end = page.len() < PAGE as usize;
            after = page.last().map(|last| last.id).or(after);
            for delivery in page.into_iter().filter(|one| query.is_about(one, recipients.as_deref())) {
                *counts.entry(delivery.state).or_insert(0) += 1;
                if !query.states.is_empty() && !query.states.contains(&delivery.state) {
                    continue;
                }
                if latest.len() >= most.max(1) {
                    latest.pop_back();
                }
                latest.push_front(delivery);
            }
            if at_end {
                return Ok(MailLog { counts, latest: self.log_entries(latest.into()).await? });
            }
        }
    }

    /// Returns what is known about mail to an address, with its latest `recent` deliveries; for administrators. An unknown
    /// address has a report too, see [`MailReport::is_unknown`].
    pub async fn mail_report(&self, actor: Actor, address: &EmailAddress, recent: usize) -> Result<MailReport, Error> {
        self.admit_admin(actor).await?;
        let account = self.accounts.account(&Login::Email(address.key())).await?;
        let query = MailLogQuery { recipient: Some(address.clone()), ..MailLogQuery::default() };
        let MailLog { counts, latest } = self.mail_log(actor, &query, recent).await?;
        let nodes = self.nodes.nodes().await?;
        let running = || nodes.iter().filter(|node| node.is_live);
        Ok(MailReport {
            address: address.clone(),
            now: self.clock.now(),
            account: account.map(|account| account.user),
            suppression: self.suppression(address).await?,
            senders: Senders {
                running: running().count(),
                sending: running().filter(|node| node.said.sends_mail).count(),
            },
            counts,
            recent: latest,
        })
    }

    /// The recipients that an address stands for: itself, and the account that has it now.
    async fn recipients_at(&self, address: &EmailAddress) -> Result<Vec<Recipient>, StoreError> {
        let account = self.accounts.account(&Login::Email(address.key())).await?;
        let theirs = account.map(|account| Recipient::User(account.user.id));
        Ok(theirs.into_iter().chain([Recipient::Address(address.clone())]).collect())
    }

    /// Deliveries with the addresses that they go to.
    async fn log_entries(&self, deliveries: Vec<Delivery>) -> Result<Vec<MailLogEntry>, StoreError> {
        let user = |delivery: &Delivery| match delivery.recipient {
            Recipient::User(id) => Some(id),
            Recipient::Address(_) => None,
        };
        let ids: BTreeSet<_> = deliveries.iter().filter_map(user).collect();
        let users = match ids.is_empty() {
            true => HashMap::new(),
            false => self.store.users(&ids.into_iter().collect::<Vec<_>>()).await?,
        };
        let entry = |delivery: Delivery| {
            let email = match &delivery.recipient {
                Recipient::Address(address) => Some(address.clone()),
                Recipient::User(id) => users.get(id).and_then(|user| user.as_ref().ok()).map(|user| user.email.clone()),
            };
            MailLogEntry { delivery, email }
        };
        Ok(deliveries.into_iter().map(entry).collect())
    }
}

/// The highest id that is older than a time (RFC 9562 section 5.7: 48 bits of milliseconds come first).
fn before(at: Timestamp) -> Option<DeliveryId> {
    let millis = u64::try_from(at.as_micros().div_euclid(1000)).ok()?;
    let first = u128::from(millis).checked_shl(80)?;
    Some(DeliveryId::from_uuid(Uuid::from_u128(first.checked_sub(1)?)))
}
