//! An outbox with a pause between claims, for relays and databases that need a rest.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
use taskflow_core::{BulkAction, BulkSelection, ChannelKind, DeliveryId, Settlement, StoreError, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Passes every call on. A claim waits until the pause after the last claim of its channel that found something is over.
pub struct ThrottledOutbox {
    outbox: Arc<dyn Outbox>,
    pause: Duration,
    lanes: std::sync::Mutex<HashMap<ChannelKind, Arc<NotBefore>>>,
}

/// The earliest time of the next claim of a channel. A claim holds the lock, so that the next one waits for the whole pause.
type NotBefore = Mutex<Option<Instant>>;

impl ThrottledOutbox {
    /// Wraps `outbox` with at least `pause` between claims of a channel that find something.
    #[must_use]
    pub fn new(outbox: Arc<dyn Outbox>, pause: Duration) -> Self {
        Self { outbox, pause, lanes: std::sync::Mutex::default() }
    }

    fn lane(&self, channel: ChannelKind) -> Arc<NotBefore> {
        Arc::clone(self.lanes.lock().unwrap_or_else(PoisonError::into_inner).entry(channel).or_default())
    }
}

#[async_trait]
impl Outbox for ThrottledOutbox {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let lane = self.lane(request.channel);
        let mut not_before = lane.lock().await;
        if let Some(instant) = *not_before {
            sleep_until(instant).await;
        }
        let claimed = self.outbox.claim(request).await?;
        *not_before = (!claimed.is_empty()).then(|| Instant::now() + self.pause);
        Ok(claimed)
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        self.outbox.claim_these(request, ids).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.outbox.settle(settlements).await
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        self.outbox.renew(held, lease_for).await
    }

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.outbox.change_selected(action, selection, ids).await
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        self.outbox.backlog(channel, now).await
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::ports::{NoBus, Storage};
    use taskflow_core::{App, LeaseToken, MemoryStore, NewUser, NoticeKind};

    use super::*;

    /// A store with two mails that are due.
    async fn two_mails() -> Arc<dyn Storage> {
        let store: Arc<dyn Storage> = Arc::new(MemoryStore::new());
        let app = App::builder(Arc::clone(&store)).bus(Arc::new(NoBus)).build();
        for name in ["ada", "bob"] {
            let email = format!("{name}@example.org").parse().expect("an address");
            let username = name.parse().expect("a name");
            let new = NewUser { username, email, time_zone: None, locale: None, is_admin: false };
            app.accounts().register(new, None).await.expect("an account");
        }
        store
    }

    fn one() -> ClaimRequest {
        ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: 1,
            now: Timestamp::MAX,
            lease: LeaseToken::from_uuid(uuid::Uuid::nil()),
            lease_for: Duration::from_mins(1),
        }
    }

    #[tokio::test]
    async fn a_claim_that_found_mail_keeps_the_next_one_waiting_and_an_empty_one_does_not() {
        let pause = Duration::from_millis(60);
        let paced = ThrottledOutbox::new(two_mails().await, pause);
        let began = Instant::now();
        for _ in 0..2 {
            assert_eq!(paced.claim(&one()).await.expect("a claim").len(), 1);
        }
        assert!(began.elapsed() >= pause);
        assert!(paced.claim(&one()).await.expect("a claim").is_empty());
        let later = Instant::now();
        assert!(paced.claim(&one()).await.expect("a claim").is_empty());
        assert!(later.elapsed() < pause);
    }
}
