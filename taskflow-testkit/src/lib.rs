//! What the tests and benches of this workspace share: the server as a process of its own, clusters of PostgreSQL,
//! clients of every kind, and faults on demand. Everything here panics when something fails, because a test then has.

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
