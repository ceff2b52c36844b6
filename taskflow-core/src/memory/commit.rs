//! Applying [`Changes`]: every write is checked before any is applied.

use std::time::Duration;

use super::State;
use crate::error::{StoreError, UniqueField};
use crate::{Changes, NewDelivery, UserId, UserWrite, Write};

/// A noun's writes as this store checks and applies them; implemented in the noun's file.
pub(super) trait MemoryWrite {
    /// Returns the error that the write fails with, if it does.
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError>;

    /// Applies a write that was checked, at this time of the store's own clock.
    fn apply(&self, state: &mut State, at: Duration);
}

fn noun(write: &Write) -> &dyn MemoryWrite {
    match write {
        Write::Access(write) => write,
        Write::Quota(write) => write,
        Write::User(write) => write,
        Write::Credential(write) => write,
        Write::Session(write) => write,
        Write::Token(write) => write,
        Write::Response(write) => write,
        Write::Task(write) => write,
        Write::Meeting(write) => write,
        Write::Participant(write) => write,
        Write::Delivery(write) => write,
        Write::Suppression(write) => write,
        Write::Unsubscribe(write) => write,
        Write::Job(write) => write,
        Write::Statistics(write) => write,
        Write::Mailbox(write) => write,
    }
}

impl State {
    /// Applies all of `changes`, or nothing.
    pub(super) fn commit(&mut self, changes: &Changes, at: Duration) -> Result<(), StoreError> {
        for (index, write) in changes.writes.iter().enumerate() {
            noun(write).check(&WriteCheck { state: self, changes, index })?;
        }
        self.check_unique(changes)?;
        changes.writes.iter().for_each(|write| noun(write).apply(self, at));
        let mut turns = self.turns(changes.deliveries.iter().filter_map(NewDelivery::turn_group));
        changes.deliveries.iter().for_each(|delivery| self.plan(delivery, &mut turns));
        changes.events.iter().for_each(|event| self.publish(event));
        Ok(())
    }
}

/// A write that is checked against the state before the commit.
pub(super) struct WriteCheck<'a> {
    pub(super) state: &'a State,
    changes: &'a Changes,
    pub(super) index: usize,
}

impl WriteCheck<'_> {
    /// Returns the writes of the commit.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Write> {
        self.changes.writes.iter()
    }

    /// Fails with `Stale` unless the condition holds.
    pub(super) fn require(&self, holds: bool) -> Result<(), StoreError> {
        if holds { Ok(()) } else { Err(StoreError::Stale { write: self.index }) }
    }

    /// Fails with `Stale` unless the stored version is one less than the new one.
    pub(super) fn require_next(&self, stored: Option<u64>, new: u64) -> Result<(), StoreError> {
        self.require(stored.is_some_and(|stored| stored + 1 == new))
    }

    /// Fails with `Stale` unless the account exists or is inserted by the same commit.
    pub(super) fn require_user(&self, id: UserId) -> Result<(), StoreError> {
        let inserts = |write: &Write| matches!(write, Write::User(UserWrite::Insert(user)) if user.id == id);
        self.require(self.state.account(id).is_some() || self.writes().any(inserts))
    }

    /// Fails with `Stale` unless there is a row of the account, even of a deleted one.
    pub(super) fn require_user_row(&self, id: UserId) -> Result<(), StoreError> {
        let inserts = |write: &Write| matches!(write, Write::User(UserWrite::Insert(user)) if user.id == id);
        self.require(self.state.users.contains_key(&id) || self.writes().any(inserts))
    }

    /// Fails with `Taken` if another row already has the value.
    pub(super) fn require_free(&self, field: UniqueField, taken: bool) -> Result<(), StoreError> {
        if taken { Err(StoreError::Taken { field, write: self.index }) } else { Ok(()) }
    }
}
