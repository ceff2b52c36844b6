//! Quotas: how much one account may store and cause.

use super::AppBuilder;
use crate::Quotas;

impl AppBuilder {
    /// Sets what one account may store and cause; nothing is limited unless told.
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.app.quotas = quotas;
        self
    }
}
