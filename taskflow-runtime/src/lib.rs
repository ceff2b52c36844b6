//! The loops of TaskFlow on tokio.
//!
//! Core has steps, not loops: [`deliver_due`](taskflow_core::use_cases::OutboxUseCases::deliver_due) sends what is due and
//! returns. This crate decides when the steps run, for hosts that already have a tokio runtime and for the reference server
//! alike. It needs neither an HTTP server nor a command line.
//!
//! [`Runtime::start`] is the short way in. It sends mail and runs jobs until [`Runtime::shutdown`]:
//!
//! ```
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! use taskflow_conformance::RecordingMailer;
//! use taskflow_core::{App, MemoryStore, NewUser};
//! use taskflow_runtime::{LocalBus, Runtime};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mailer = Arc::new(RecordingMailer::new());
//! let bus = Arc::new(LocalBus::new());
//! let app = App::builder(Arc::new(MemoryStore::new())).mailer(mailer.clone()).bus(bus.clone()).build();
//! let app = Arc::new(app);
//! let runtime = Runtime::start(Arc::clone(&app), bus);
//!
//! let ada = NewUser {
//!     username: "ada".parse()?,
//!     email: "ada@example.org".parse()?,
//!     time_zone: None,
//!     locale: None,
//!     is_admin: false,
//! };
//! app.accounts().register(ada, None).await?;
//! while mailer.mails().is_empty() {
//!     tokio::task::yield_now().await;
//! }
//! assert!(runtime.shutdown(Duration::from_secs(10)).await, "everything ended in time");
//! assert_eq!(app.deliveries().ledger().await?.delivered, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to find things
//!
//! | file | what it holds |
//! |---|---|
//! | `runtime.rs` | [`Runtime`]: starts the loops together and stops them in the right order |
//! | [`worker`] | the delivery loop: when mail is sent, and how long to back off after a failure |
//! | [`jobs`] | the job runner: looks for due jobs at every beat and runs each in a task of its own |
//! | [`heartbeat`] | membership in a cluster: heartbeats and this node's share of the mail rate |
//! | [`bus`] | [`LocalBus`]: the event bus of one process |
//! | [`throttle`] | [`ThrottledOutbox`]: a pause between claims |
//! | [`live`] | [`Live`]: hands feed entries to the connections of this node, whatever their protocol |
//!
//! # What always holds
//!
//! * No loop decides what is due. A missed tick, a lost signal or a restart costs time and nothing else.
//! * A panic in a step ends that step, not its loop.
//! * A store or relay that is away is logged when it goes and when it returns, not at every attempt.
//! * After [`Runtime::stop`] no step begins. Mail and job pages under way are finished and settled.
//! * A node keeps its share of the mail rate until its own mail is settled.

pub mod bus;
pub mod heartbeat;
pub mod jobs;
pub mod live;
mod runtime;
pub mod throttle;
pub mod worker;

pub use bus::LocalBus;
pub use heartbeat::{ClusterMember, HeartbeatConfig};
pub use jobs::{JobRunner, SchedulerPulse};
pub use live::Live;
pub use runtime::{Runtime, RuntimeBuilder};
pub use throttle::ThrottledOutbox;
pub use worker::Worker;
