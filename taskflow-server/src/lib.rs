//! The reference server of TaskFlow: what makes the library a service.
//!
//! # Code map
//!
//! From the bottom up; a module uses only those above it in this list:
//!
//! * [`telemetry`] – logs; `disk` – free space on the disk of the database; [`limits`] – who makes a request, and how
//!   much of the service they may use.
//! * [`config`] – the settings: four sources, one check, every problem at once.
//! * [`auth`] – passwords, sessions and tokens; [`samples`] – a sample of every notice.
//! * [`service`] – [`service::Service`], everything that handlers work with.
//! * [`api`] – the operations, WebSockets and event streams included.
//! * [`http`] – connections, limits and middleware around the operations.
//! * [`wiring`] – the one module that names adapters: settings in, a working service out.
//! * `cli` – the command line, one file per command; the first of them is `serve`.
//!
//! The loops (delivery, jobs, heartbeat, live feeds) are the crate [`taskflow_runtime`].
//!
//! # Invariants
//!
//! * Requests are answered only after the schema is up to date.
//! * Secrets are `***` in every message, log and `Debug`.
//! * The server ends within thirty seconds of SIGTERM, with every mail either settled or given back.

pub mod api;
pub mod auth;
mod cli;
pub mod config;
mod disk;
mod hosts;
pub mod http;
pub mod limits;
pub mod samples;
pub mod service;
pub mod telemetry;
pub mod wiring;

pub use cli::main;
