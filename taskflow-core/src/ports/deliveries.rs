use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{
    BulkSelection, ChannelKind, Delivery, DeliveryId, DeliveryState, FailedAttempt, Ledger, NoticeKind, Recipient,
};

/// Selects deliveries of the ledger. The default selects all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Only these kinds; empty: all kinds.
    pub kinds: Vec<NoticeKind>,
    /// Only in these states; empty: all states.
    pub states: Vec<DeliveryState>,
    /// Only to one of these recipients. A user may be known by an account and by the bare address.
    pub recipients: Option<Vec<Recipient>>,
    /// Only this delivery and those with a later id.
    pub from: Option<DeliveryId>,
}

/// Reads the ledger of deliveries. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Returns the totals of each channel; reads the whole ledger. A channel without deliveries may be absent.
    async fn ledgers(&self) -> Result<BTreeMap<ChannelKind, Ledger>, StoreError>;

    /// Counts everything, on all channels together; reads the whole ledger.
    async fn ledger(&self) -> Result<Ledger, StoreError> {
        Ok(self.ledgers().await?.into_values().sum())
    }

    /// Returns one delivery with its failed attempts, oldest first.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<FailedAttempt>)>, StoreError>;

    /// Returns up to `limit` deliveries whose key begins with `prefix`, in the order of their keys (bytes).
    async fn deliveries_with_key(&self, prefix: &str, limit: u32) -> Result<Vec<Delivery>, StoreError>;

    /// Returns scheduled and claimed deliveries whose keys begin with one of these prefixes, up to a hundred for each,
    /// in any order.
    async fn open_with_keys(&self, prefixes: &[String]) -> Result<Vec<Delivery>, StoreError> {
        let mut open = Vec::new();
        for prefix in prefixes {
            let found = self.deliveries_with_key(prefix, 1_000).await?.into_iter();
            let is_open = |one: &Delivery| matches!(one.state, DeliveryState::Scheduled | DeliveryState::Claimed);
            open.extend(found.filter(is_open).take(100));
        }
        Ok(open)
    }

    /// Returns up to `size` deliveries that match `query` and have an id before `before`, newest id first.
    async fn deliveries(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Counts the deliveries that match `query` by state. States without any are left out.
    ///
    /// The cost is bounded: each count stops at `most`, and of each recipient that `query` names, only the newest `most`
    /// deliveries are counted.
    async fn delivery_counts(
        &self,
        query: &DeliveryQuery,
        most: u32,
    ) -> Result<HashMap<DeliveryState, u64>, StoreError>;

    /// Returns up to `limit` deliveries that are selected, in any order. Stores that search read none in other states; this
    /// reads the whole ledger.
    async fn selected(&self, selection: &BulkSelection, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        const PAGE: u32 = 1_000;
        let (mut selected, mut after) = (Vec::new(), None);
        loop {
            let page = self.deliveries_after(after, PAGE).await?;
            let found = page.iter().filter(|delivery| selection.selects(delivery)).map(|delivery| delivery.id);
            selected.extend(found.take(limit as usize - selected.len()));
            after = page.last().map(|delivery| delivery.id);
            if page.len() < PAGE as usize || selected.len() == limit as usize {
                return Ok(selected);
            }
        }
    }

    /// Returns up to `size` deliveries of any kind after `after` by id, oldest id first.
    async fn deliveries_after(&self, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, StoreError>;
}
