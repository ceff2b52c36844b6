//! The reference server of TaskFlow: what makes the library a service.
//!
//! # Code map
//!
//! * [`config`] – the settings: four sources, one check, every problem at once.
//! * [`wiring`] – the one file that names adapters: settings in, [`wiring::Service`] out.
//! * [`http`] – the server itself: connections, limits, middleware; [`api`] – what it answers; [`auth`] – who asks.
//! * `pace` – what keeps claims apart (`BATCH_DELAY`).
//! * [`worker`] – the delivery loop around core's step; [`bus`] – what wakes it.
//! * [`jobs`] – the recurring duties: beats, tasks, and what they see of the machine.
//! * [`heartbeat`] – how several processes know of each other and share the rate of mail.
//! * [`telemetry`] – logs.
//! * `cli` – the command line, one file per command; the first of them is `serve`.
//!
//! # Invariants
//!
//! * Requests are answered only after the schema is up to date.
//! * Secrets are `***` in every message, log and `Debug`.
//! * The server ends within thirty seconds of SIGTERM, with every mail either settled or given back.

pub mod api;
pub mod auth;
pub mod bus;
mod cli;
pub mod config;
pub mod heartbeat;
pub mod http;
pub mod jobs;
mod live;
mod pace;
pub mod telemetry;
pub mod wiring;
pub mod worker;

pub use cli::main;
