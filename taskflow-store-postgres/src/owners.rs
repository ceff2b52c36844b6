//! People whom a commit needs. They are held before anything else is locked.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;
use taskflow_core::{StoreError, UserId};
use uuid::Uuid;

use crate::error::store_error;
use crate::rows::json;

/// People to whom the rows of a commit refer, or whose feeds it enters, in the order in which they are locked.
///
/// Whoever deletes an account locks it first and then the meetings in which it is. So whoever locks a meeting must not
/// have to wait for an account after that.
#[derive(Default)]
pub(crate) struct UserLocks {
    /// With the first write that cannot do without them, if there is one.
    people: BTreeMap<UserId, Option<usize>>,
}

impl UserLocks {
    /// A write refers to them: it is `Stale` without them.
    pub(crate) fn need(&mut self, write: usize, user: UserId) {
        self.people.entry(user).or_default().get_or_insert(write);
    }

    /// They are told of it, if they are there.
    pub(crate) fn tell(&mut self, user: UserId) {
        self.people.entry(user).or_default();
    }

    /// Keeps people from leaving until the commit is done; those who are about to leave are waited for.
    pub(crate) async fn hold(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.people.is_empty() {
            return Ok(());
        }
        let ids = json(&self.people.keys().collect::<Vec<_>>())?;
        let held: Vec<Uuid> = sqlx::query_scalar(HOLD).bind(ids).fetch_all(conn).await.map_err(store_error)?;
        let held: HashSet<Uuid> = held.into_iter().collect();
        let gone = self.people.iter().filter(|(user, _)| !held.contains(&user.as_uuid()));
        match gone.filter_map(|(_, write)| *write).min() {
            Some(write) => Err(StoreError::Stale { write }),
            None => Ok(()),
        }
    }
}

const HOLD: &str = "
    SELECT u.id
    FROM (SELECT value::uuid AS id FROM json_array_elements_text($1::json) ORDER BY 1) AS r
    CROSS JOIN LATERAL (SELECT id FROM taskflow.users WHERE id = r.id FOR KEY SHARE) AS u";
