//! The whole product from outside: the real binary as a process, real sockets, a real SMTP dialogue, a real PostgreSQL.

#![expect(clippy::duplicate_mod, reason = "what people see is tested on every store")]
#![expect(clippy::print_stdout, reason = "seeds and figures")]

#[path = "../harness/postgres.rs"]
#[allow(dead_code, reason = "shared with tests that need other parts of it")]
mod cluster;
#[path = "../harness/crowd.rs"]
mod crowd;
#[path = "../harness/failing_disk.rs"]
mod failing_disk;
#[path = "../harness/fanout.rs"]
mod fanout;
#[path = "../harness/live.rs"]
#[expect(dead_code, reason = "shared with the tests that take minutes")]
mod live_clients;
#[path = "../harness/residents.rs"]
#[expect(dead_code, reason = "shared with tests that need other parts of it")]
mod residents;
#[path = "../harness/resuming.rs"]
mod resuming;
#[path = "../harness/rows.rs"]
mod rows;
#[path = "../harness/server.rs"]
mod server;
#[path = "../harness/wave.rs"]
mod wave;

mod admins;
mod arrows;
mod bench;
mod command_line;
mod databases;
mod histories;
mod kills;
mod letters;
mod live;
mod operations;
mod postgres;
mod readme;
mod relay;
mod shape;
mod sqlite;
mod times;
