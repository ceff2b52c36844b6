//! Explains why mail reached an address or did not, for administrators.

use super::{LedgerPage, LedgerQuery};
use crate::error::Error;
use crate::mail_report::{MailReport, Senders};
use crate::{Actor, Delivery, DeliveryState, EmailAddress};

/// Maximum number of deliveries of one state that are examined, the latest first.
const MOST_OF_A_STATE: u32 = 500;

use_cases! {
    /// Use cases of mail itself: custom emails, samples, captured mail and reports about an address.
    MailUseCases,
    /// Returns the use cases of mail itself.
    mail
}

impl MailUseCases<'_> {
    /// Returns the report on mail to an address, with its latest `recent` deliveries; for administrators. An unknown
    /// address has a report too, see [`MailReport::is_unknown`].
    pub async fn report(self, actor: Actor, address: &EmailAddress, recent: u32) -> Result<MailReport, Error> {
        self.app.admit_admin(actor).await?;
        let account = self.app.account_at(address.key()).await?;
        let query = LedgerQuery { recipient: Some(address.clone()), ..LedgerQuery::default() };
        let LedgerPage { rows, .. } = self.app.deliveries().page(actor, &query, None, recent).await?;
        let in_state = async |state| {
            let query = LedgerQuery { states: vec![state], ..query.clone() };
            let page = self.app.deliveries().page(actor, &query, None, MOST_OF_A_STATE).await?;
            Ok::<_, Error>(page.rows.into_iter().map(|row| row.delivery).collect::<Vec<_>>())
        };
        // What was planned last did not leave last.
        let last = |deliveries: Vec<Delivery>| deliveries.into_iter().max_by_key(|one| (one.settled_at, one.id));
        let nodes = self.app.known_nodes().await?;
        let running = || nodes.iter().filter(|node| node.is_live);
        let unsubscribed = self.app.store.unsubscribed(std::slice::from_ref(address)).await?;
        Ok(MailReport {
            address: address.clone(),
            now: self.app.clock.now(),
            account,
            suppression: self.app.suppression(address).await?,
            unsubscribed: unsubscribed.into_iter().map(|(_, kind)| kind).collect(),
            senders: Senders {
                running: running().count(),
                sending: running().filter(|node| node.said.sends_mail).count(),
            },
            counts: self.app.deliveries().counts(actor, &query).await?,
            recent: rows,
            scheduled: in_state(DeliveryState::Scheduled).await?,
            last_delivered: last(in_state(DeliveryState::Delivered).await?),
            last_discarded: last(in_state(DeliveryState::Discarded).await?),
        })
    }
}
