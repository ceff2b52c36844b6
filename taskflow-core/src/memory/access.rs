use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::AccessWrite;
use crate::error::StoreError;

impl MemoryWrite for AccessWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        AccessWrite::check(*self, check.index)?;
        check.require_user(self.account())
    }

    fn apply(&self, _: &mut State, _: Duration) {}
}
