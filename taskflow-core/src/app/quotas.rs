//! Quotas: how much one account may store and cause.

use super::AppBuilder;
use crate::Quotas;

impl AppBuilder {
    /// Sets the quotas of each account; default no limits.
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.app.quotas = quotas;
        self
    }
}
