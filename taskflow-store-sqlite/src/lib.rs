//! The SQLite store of TaskFlow: one file, nothing to install.
//!
//! [`SqliteStore`] implements every port of storage that [`taskflow_core`] has: [`Store`], [`Outbox`], [`Accounts`],
//! [`SharedLimits`], [`Nodes`], [`JobStore`], [`CohortScan`] and [`Maintenance`]. It opens a file of its own
//! ([`SqliteStore::open`]), lives in memory ([`SqliteStore::in_memory`]) or shares the database of a host
//! ([`SqliteStore::from_pool`], [`SqliteStore::commit_in`]): everything it makes is called `taskflow_…`.
//!
//! ```
//! use taskflow_core::ports::Store;
//! use taskflow_store_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), taskflow_core::StoreError> {
//! let store = SqliteStore::in_memory().await?;
//! store.ping().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! * One connection writes, so that writers queue in order instead of colliding; others read snapshots (WAL). A commit
//!   is on the disk before it is acknowledged (`synchronous=FULL`).
//! * A write runs in a task of its own, which a caller that goes away cannot stop half-way.
//! * Statements depend on the kinds of writes, not on the number of rows: rows travel as one JSON array per statement
//!   and are unfolded by `json_each`.
//! * Time comes in as parameters, with one exception: leases, the lives of nodes and shared limits run by the clock of the
//!   database.
//!
//! [`Store`]: taskflow_core::ports::Store
//! [`Outbox`]: taskflow_core::ports::Outbox
//! [`Accounts`]: taskflow_core::ports::Accounts
//! [`SharedLimits`]: taskflow_core::ports::SharedLimits
//! [`Nodes`]: taskflow_core::ports::Nodes
//! [`JobStore`]: taskflow_core::ports::JobStore
//! [`CohortScan`]: taskflow_core::ports::CohortScan
//! [`Maintenance`]: taskflow_core::ports::Maintenance

mod access;
mod accounts;
mod backup;
mod clearing;
mod commit;
mod database;
mod deliveries;
mod error;
mod explain;
mod feed;
mod limits;
mod mailbox;
mod meetings;
mod nodes;
mod options;
mod outbox;
mod quotas;
mod reads;
mod refold;
mod responses;
mod rows;
mod savepoint;
mod schema;
mod sessions;
mod slots;
mod statistics;
mod store;
mod suppressions;
mod sweeps;
mod tasks;
mod tokens;
mod unsubscribes;
mod upkeep;
mod users;

pub use backup::{BackupContents, BackupFile, Restored};
pub use explain::explain;
pub use options::SqliteOptions;
pub use schema::{MigrationStatus, schema, sqlite_version};
pub use store::SqliteStore;
