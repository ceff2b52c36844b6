use std::iter::Sum;

use crate::DeliveryState;

/// Number of deliveries ever planned, and their outcomes. `planned` always equals the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// All of them.
    pub planned: u64,
    /// Taken by the relay.
    pub delivered: u64,
    /// No longer wanted.
    pub cancelled: u64,
    /// Too late or nothing to say.
    pub expired: u64,
    /// Given up.
    pub discarded: u64,
    /// Scheduled or claimed: still to come.
    pub due: u64,
}

impl Ledger {
    /// Returns whether everything planned is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.planned == self.delivered + self.cancelled + self.expired + self.discarded + self.due
    }
    /// Adds deliveries that are in this state.
    pub fn count(&mut self, state: DeliveryState, deliveries: u64) {
        self.planned += deliveries;
        *match state {
            DeliveryState::Scheduled | DeliveryState::Claimed => &mut self.due,
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Discarded => &mut self.discarded,
            DeliveryState::Cancelled => &mut self.cancelled,
            DeliveryState::Expired => &mut self.expired,
        } += deliveries;
    }
}

/// Adds the ledgers of several channels.
impl Sum for Ledger {
    fn sum<I: Iterator<Item = Self>>(ledgers: I) -> Self {
        ledgers.fold(Self::default(), |sum, one| Self {
            planned: sum.planned + one.planned,
            delivered: sum.delivered + one.delivered,
            cancelled: sum.cancelled + one.cancelled,
            expired: sum.expired + one.expired,
            discarded: sum.discarded + one.discarded,
            due: sum.due + one.due,
        })
    }
}
