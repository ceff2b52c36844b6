use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, State};
use crate::error::{StoreError, UniqueField};
use crate::ports::{Lookup, Users};
use crate::{
    Changes, CredentialWrite, DeliveryState, EmailAddress, Entity, Recipient, Timestamp, User, UserId, UserWrite, Write,
};

/// The reason that the ledger shows for deliveries to a deleted account.
const ACCOUNT_GONE: &str = "the account was deleted";

impl MemoryWrite for UserWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            // Names and addresses are checked once for all writes of the commit.
            Self::Insert(_) => Ok(()),
            Self::Update(user) => {
                check.require_next(check.state.users.get(&user.id).map(|row| row.version), user.version)
            }
            Self::Clear { id, .. } => check.require(check.state.has_rest(*id)),
            Self::Delete { id, .. } => check.require(check.state.users.contains_key(id)),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Insert(user) | Self::Update(user) => {
                state.forget_keys(user.id);
                state.unique.extend(keys(user).map(|key| (key, user.id)));
                state.users.insert(user.id, user.clone());
            }
            Self::Clear { id, limit, at } => state.clear_user(*id, *limit as usize, *at),
            Self::Delete { id, at } => state.delete_user(*id, *at),
        }
    }
}

impl MemoryWrite for CredentialWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Set(credential) => check.require_user(credential.user_id),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Set(credential) => state.credentials.insert(credential.user_id, credential.clone()),
        };
    }
}

impl State {
    /// Fails with `Taken` if a username or an address belongs to another account, stored or in the same commit.
    pub(super) fn check_unique(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut added = HashMap::new();
        for (write, change) in changes.writes.iter().enumerate() {
            let Write::User(UserWrite::Insert(user) | UserWrite::Update(user)) = change else { continue };
            for key in keys(user) {
                let stored = self.unique.get(&key).filter(|id| **id != user.id).is_some();
                let field = key.0;
                if stored || added.insert(key, user.id).is_some() {
                    return Err(StoreError::Taken { field, write });
                }
            }
        }
        Ok(())
    }

    /// Returns an account that is not deleted.
    pub(super) fn account(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).filter(|user| user.deleted_at.is_none())
    }

    /// Returns whether a deleted account has rows that are cleared before it is removed.
    fn has_rest(&self, id: UserId) -> bool {
        let is_open = |row: &super::Row| is_open_for(row, id);
        self.users.get(&id).is_some_and(|user| user.deleted_at.is_some())
            && (self.tasks.values().any(|task| task.user_id == id)
                || self.feeds.get(&id).is_some_and(|feed| !feed.is_empty())
                || self.responses.keys().any(|(owner, _)| *owner == id)
                || self.meetings.values().any(|meeting| meeting.created_by == Some(id))
                || self.participants.values().any(|participant| participant.user_id == Some(id))
                || self.deliveries.values().any(is_open))
    }

    fn clear_user(&mut self, id: UserId, limit: usize, at: Timestamp) {
        let open = self.deliveries.values().filter(|row| is_open_for(row, id)).take(limit);
        let keys: Vec<_> = open.map(|row| row.delivery.dedupe_key.clone()).collect();
        keys.iter().for_each(|key| self.cancel(key, ACCOUNT_GONE, at));
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.drain(..limit.min(feed.len()));
        }
        let responses: Vec<_> = self.responses.keys().filter(|(owner, _)| *owner == id).take(limit).cloned().collect();
        responses.iter().for_each(|key| drop(self.responses.remove(key)));
        let tasks: BTreeSet<_> =
            self.tasks.values().filter(|task| task.user_id == id).take(limit).map(|task| task.id).collect();
        self.events.retain(|event| !matches!(&event.entity, Entity::Task(task) if tasks.contains(task)));
        tasks.iter().for_each(|task| drop(self.tasks.remove(task)));
        let called = self.meetings.values_mut().filter(|meeting| meeting.created_by == Some(id));
        called.take(limit).for_each(|meeting| meeting.created_by = None);
        let theirs = self.participants.values_mut().filter(|participant| participant.user_id == Some(id));
        for participant in theirs.take(limit) {
            participant.user_id = None;
            participant.version += 1;
        }
    }

    fn delete_user(&mut self, id: UserId, at: Timestamp) {
        if let Some(user) = self.users.get_mut(&id) {
            user.deleted_at.get_or_insert(at);
        }
        self.clear_user(id, usize::MAX, at);
        self.forget_keys(id);
        self.users.remove(&id);
        self.credentials.remove(&id);
        self.tokens.retain(|_, token| token.user_id != id);
        self.statistics.remove(&id);
        self.forget_quotas(id);
        self.end_sessions(id, None, at);
        self.feeds.remove(&id);
        self.heads.remove(&id);
    }

    fn forget_keys(&mut self, id: UserId) {
        self.users.get(&id).into_iter().flat_map(keys).for_each(|key| {
            self.unique.remove(&key);
        });
    }
}

/// Returns whether a delivery to an account can still be cancelled.
fn is_open_for(row: &super::Row, user: UserId) -> bool {
    let delivery = &row.delivery;
    let is_open = match delivery.state {
        DeliveryState::Scheduled => true,
        DeliveryState::Claimed => !delivery.cancel_requested,
        DeliveryState::Delivered | DeliveryState::Discarded | DeliveryState::Cancelled | DeliveryState::Expired => {
            false
        }
    };
    is_open && delivery.recipient == Recipient::User(user)
}

/// Returns the unique keys of a user.
fn keys(user: &User) -> [(UniqueField, String); 2] {
    [(UniqueField::Username, user.username.key()), (UniqueField::Email, user.email.key())]
}

#[async_trait]
impl Users for MemoryStore {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().account(id).cloned())
    }

    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.account(*id)).map(|user| (user.id, Ok(user.clone()))).collect())
    }

    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let there = state.users.values().filter(|user| user.deleted_at.is_none());
        let later = there.filter(|user| after.is_none_or(|after| user.id > after));
        Ok(later.take(size as usize).cloned().collect())
    }

    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let keys: BTreeSet<_> = addresses.iter().map(EmailAddress::key).collect();
        let owner = |key| state.unique.get(&(UniqueField::Email, key)).and_then(|id| state.users.get(id));
        Ok(keys.into_iter().filter_map(owner).filter(|user| user.email_verified).cloned().collect())
    }

    async fn deleted_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let state = self.state();
        let deleted = state.users.values().filter(|user| user.deleted_at.is_some()).map(|user| user.id);
        Ok(deleted.filter(|id| after.is_none_or(|after| *id > after)).take(limit as usize).collect())
    }
}
