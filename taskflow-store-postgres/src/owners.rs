//! The accounts that a commit depends on. They are locked before meetings are.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use taskflow_core::{StoreError, UserId};
use uuid::Uuid;

use crate::error::store_error;
use crate::rows::json;

/// The accounts that the rows of a commit refer to or whose feeds it enters, in the order in which they are locked.
///
/// The deletion of an account locks the account first and then its meetings. So a commit that locks a meeting must not
/// wait for an account afterwards.
#[derive(Default)]
pub(crate) struct UserLocks {
    /// With the first write that requires the account, if there is one.
    users: BTreeMap<UserId, Requirement>,
}

/// The first writes that are `Stale` without an account.
#[derive(Default)]
struct Requirement {
    /// The write that needs the account.
    account: Option<usize>,
    /// The write for which the row of a deleted account is enough.
    row: Option<usize>,
}

impl UserLocks {
    /// Adds an account that a write refers to: the write is `Stale` without it, and when the account is deleted.
    pub(crate) fn require(&mut self, write: usize, user: UserId) {
        self.users.entry(user).or_default().account.get_or_insert(write);
    }

    /// Adds an account that a row refers to already: the write is `Stale` without it.
    pub(crate) fn require_row(&mut self, write: usize, user: UserId) {
        self.users.entry(user).or_default().row.get_or_insert(write);
    }

    /// Adds an account whose feed is entered if it exists.
    pub(crate) fn add(&mut self, user: UserId) {
        self.users.entry(user).or_default();
    }

    /// Locks the accounts against deletion until the commit is done; waits for deletions that have begun.
    pub(crate) async fn lock(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.users.is_empty() {
            return Ok(());
        }
        let ids = json(&self.users.keys().collect::<Vec<_>>())?;
        let locked: Vec<(Uuid, bool)> = sqlx::query_as(LOCK).bind(ids).fetch_all(conn).await.map_err(store_error)?;
        let locked: HashMap<Uuid, bool> = locked.into_iter().collect();
        let missing = self.users.iter().filter_map(|(user, required)| match locked.get(&user.as_uuid()) {
            Some(true) => None,
            Some(false) => required.account,
            None => required.account.into_iter().chain(required.row).min(),
        });
        match missing.min() {
            Some(write) => Err(StoreError::Stale { write }),
            None => Ok(()),
        }
    }
}

const LOCK: &str = "
    SELECT u.id, u.is_there
    FROM (SELECT value::uuid AS id FROM json_array_elements_text($1::json) ORDER BY 1) AS r
    CROSS JOIN LATERAL (
        SELECT id, deleted_at IS NULL AS is_there
        FROM taskflow.users
        WHERE id = r.id
        FOR KEY SHARE) AS u";
