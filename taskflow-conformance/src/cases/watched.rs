//! A queue for one batch that tells how often leases were renewed.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled, Storage};
use taskflow_core::{BulkAction, BulkSelection, ChannelKind, DeliveryId, Settlement, StoreError, Timestamp};

/// Hands everything on to a store, but finds nothing more once it has found something: leases that a test lets lapse are
/// not taken over by who held them.
pub(super) struct Watched {
    store: Arc<dyn Storage>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    claimed: bool,
    /// Number of renewals that have ended.
    renewals: u32,
    waiting: Vec<Waker>,
}

impl Watched {
    pub(super) fn new(store: Arc<dyn Storage>) -> Self {
        Self { store, seen: Mutex::default() }
    }

    /// Waits until that many renewals have ended.
    pub(super) async fn renewals(&self, count: u32) {
        poll_fn(|context| {
            let mut seen = self.seen();
            if seen.renewals >= count {
                return Poll::Ready(());
            }
            seen.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panicked")
    }
}

#[async_trait]
impl Outbox for Watched {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        if self.seen().claimed {
            return Ok(Vec::new());
        }
        let claimed = self.store.claim(request).await?;
        self.seen().claimed = !claimed.is_empty();
        Ok(claimed)
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        self.store.claim_these(request, ids).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.store.settle(settlements).await
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        let renewed = self.store.renew(held, lease_for).await;
        let mut seen = self.seen();
        seen.renewals += 1;
        seen.waiting.drain(..).for_each(Waker::wake);
        renewed
    }

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.store.change_selected(action, selection, ids).await
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        self.store.backlog(channel, now).await
    }
}
