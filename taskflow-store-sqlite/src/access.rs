//! Preconditions on who may write.

use sqlx::SqliteConnection;
use taskflow_core::{AccessWrite, StoreError};

use crate::rows::Rows;

/// The preconditions of a commit as the parameters of statements.
#[derive(Default)]
pub(crate) struct AccessWrites {
    required: Rows,
}

impl AccessWrites {
    /// Adds a precondition, the write of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &AccessWrite) -> Result<(), StoreError> {
        write.check(index)?;
        self.required.push(index, write.account(), &write.account())
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        self.required.apply_all(conn, REQUIRE).await
    }
}

const REQUIRE: &str = "
    SELECT u.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value
    WHERE u.deleted_at IS NULL";
