//! The PostgreSQL store of TaskFlow: several nodes share one database, which is their queue and their clock of leases.
//!
//! [`PgStore`] implements the ports [`Store`], [`Outbox`], [`Accounts`], [`SharedLimits`], [`Nodes`], [`JobStore`],
//! [`CohortScan`] and [`Maintenance`] of [`taskflow_core`] on PostgreSQL 15 and later. It opens connections of its own
//! ([`PgStore::connect`]) or shares those of a host ([`PgStore::from_pool`], [`PgStore::commit_in`]): everything it makes
//! lives in the schema `taskflow`, and no `search_path` is needed.
//!
//! ```no_run
//! use taskflow_core::ports::Store;
//! use taskflow_store_postgres::{PgOptions, PgStore};
//!
//! # async fn open() -> Result<(), taskflow_core::StoreError> {
//! let store = PgStore::connect("postgres://taskflow@localhost/taskflow", PgOptions::default()).await?;
//! store.ping().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! * A write runs in a task of its own, which a caller that goes away cannot stop half-way; a transaction that the
//!   database has rolled back as the loser of a race (40001, 40P01) is run again.
//! * Every call ends: who gets no answer in time is told so ([`PgOptions::answer_timeout`]), and the connection is not
//!   used again.
//! * Statements depend on the kinds of writes, not on the number of rows: rows travel as one JSON array per statement
//!   and are unfolded by `json_to_recordset`. Rows are locked in the order of their ids, and tables in this one: jobs, runs, people, meetings, participants,
//!   deliveries, suppressions, feeds.
//! * Nodes tell each other what happens by NOTIFY, on connections of their own ([`PgPulse`]); no write does.
//! * Time comes in as parameters, with one exception: leases, the lives of nodes and shared limits run by the clock of the
//!   database.
//! * PostgreSQL keeps every character but U+0000, which becomes U+FFFD on its way in.
//!
//! [`Store`]: taskflow_core::ports::Store
//! [`Outbox`]: taskflow_core::ports::Outbox
//! [`Accounts`]: taskflow_core::ports::Accounts
//! [`SharedLimits`]: taskflow_core::ports::SharedLimits
//! [`Nodes`]: taskflow_core::ports::Nodes
//! [`JobStore`]: taskflow_core::ports::JobStore
//! [`CohortScan`]: taskflow_core::ports::CohortScan
//! [`Maintenance`]: taskflow_core::ports::Maintenance

mod accounts;
mod clearing;
mod commit;
mod connection;
mod deliveries;
mod error;
mod explain;
mod feed;
mod full_disk;
mod limits;
mod mailbox;
mod meetings;
mod nodes;
mod options;
mod outbox;
mod owners;
mod pulse;
mod quotas;
mod reach;
mod reads;
mod refold;
mod responses;
mod rights;
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

pub use explain::explain;
pub use options::{PgOptions, URL_PARAMETERS};
pub use pulse::PgPulse;
pub use schema::{MigrationStatus, schema};
pub use store::PgStore;
