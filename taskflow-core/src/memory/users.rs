use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, State};
use crate::error::{StoreError, UniqueField};
use crate::ports::{Lookup, Users};
use crate::{Changes, CredentialWrite, EmailAddress, Entity, Recipient, Timestamp, User, UserId, UserWrite, Write};

/// What a deleted account leaves in the ledger.
const ACCOUNT_GONE: &str = "the account was deleted";

impl MemoryWrite for UserWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            // Names and addresses are checked once for all writes of the commit.
            Self::Insert(_) => Ok(()),
            Self::Update(user) => {
                check.require_next(check.state.users.get(&user.id).map(|row| row.version), user.version)
            }
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
    /// `Taken` when a name or an address belongs to somebody else, stored or in the same commit.
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

    fn delete_user(&mut self, id: UserId, at: Timestamp) {
        self.forget_keys(id);
        self.users.remove(&id);
        self.credentials.remove(&id);
        self.tokens.retain(|_, token| token.user_id != id);
        self.statistics.remove(&id);
        self.forget_quotas(id);
        self.responses.retain(|(owner, _), _| *owner != id);
        self.end_sessions(id, None, at);
        self.feeds.remove(&id);
        self.heads.remove(&id);
        let tasks = &mut self.tasks;
        self.events.retain(|event| match &event.entity {
            Entity::Task(task) => tasks.get(task).is_none_or(|task| task.user_id != id),
            Entity::Meeting(_) => true,
        });
        tasks.retain(|_, task| task.user_id != id);
        let called = self.meetings.values_mut().filter(|meeting| meeting.created_by == Some(id));
        called.for_each(|meeting| meeting.created_by = None);
        let theirs = self.participants.values_mut().filter(|participant| participant.user_id == Some(id));
        theirs.for_each(|participant| participant.user_id = None);
        let to_them = |row: &&super::Row| row.delivery.recipient == Recipient::User(id);
        let keys: Vec<_> =
            self.deliveries.values().filter(to_them).map(|row| row.delivery.dedupe_key.clone()).collect();
        keys.iter().for_each(|key| self.cancel(key, ACCOUNT_GONE, at));
    }

    fn forget_keys(&mut self, id: UserId) {
        self.users.get(&id).into_iter().flat_map(keys).for_each(|key| {
            self.unique.remove(&key);
        });
    }
}

/// What makes a user unique.
fn keys(user: &User) -> [(UniqueField, String); 2] {
    [(UniqueField::Username, user.username.key()), (UniqueField::Email, user.email.key())]
}

#[async_trait]
impl Users for MemoryStore {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.users.get(id)).map(|user| (user.id, Ok(user.clone()))).collect())
    }

    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let later = state.users.values().filter(|user| after.is_none_or(|after| user.id > after));
        Ok(later.take(size as usize).cloned().collect())
    }

    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let keys: BTreeSet<_> = addresses.iter().map(EmailAddress::key).collect();
        let owner = |key| state.unique.get(&(UniqueField::Email, key)).and_then(|id| state.users.get(id));
        Ok(keys.into_iter().filter_map(owner).filter(|user| user.email_verified).cloned().collect())
    }
}
