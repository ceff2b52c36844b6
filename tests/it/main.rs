//! The whole product from outside: the real binary as a process, real sockets, a real SMTP dialogue.

#[path = "../harness/server.rs"]
mod server;

mod accounts;
mod arrows;
mod hostile;
mod mail;
mod operations;
mod readme;
mod sessions;
mod tasks;
