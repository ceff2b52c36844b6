//! Shared parts of this workspace's tests and benches: the server as a process of its own, clusters of PostgreSQL,
//! clients of every kind, and injected faults. Everything here panics on failure, because a test has then failed.

#![expect(clippy::print_stdout, reason = "seeds and figures")]

pub mod accounts;
pub mod backend;
pub mod cluster;
pub mod failing_disk;
pub mod faketime;
pub mod fanout;
pub mod guesses;
pub mod live;
pub mod meetings;
pub mod proxy;
pub mod reminders;
pub mod resuming;
pub mod rows;
pub mod server;
pub mod wait;
