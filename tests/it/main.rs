//! The whole product from outside: the real binary as a process, real sockets, a real SMTP dialogue, a real PostgreSQL.

#![expect(clippy::duplicate_mod, reason = "what people see is tested on every store")]
#![expect(clippy::print_stdout, reason = "seeds and figures")]

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
