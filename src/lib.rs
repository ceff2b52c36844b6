#![doc = include_str!("../README.md")]

pub use taskflow_core::*;

/// Templates, the SMTP mailer and the dev mailbox (feature `smtp`).
#[cfg(feature = "smtp")]
pub mod mail {
    pub use taskflow_mail::*;
}

/// The loops on tokio: delivery, jobs, heartbeat, live feeds (feature `runtime`).
#[cfg(feature = "runtime")]
pub mod runtime {
    pub use taskflow_runtime::*;
}

/// Stores that keep what they are given.
pub mod store {
    pub use taskflow_core::MemoryStore;
    #[cfg(feature = "postgres")]
    pub use taskflow_store_postgres as postgres;
    #[cfg(feature = "postgres")]
    pub use taskflow_store_postgres::{PgOptions, PgStore};
    #[cfg(feature = "sqlite")]
    pub use taskflow_store_sqlite::*;
}

/// The conformance suite for stores, a clock to turn and a mailer that records (feature `testing`).
#[cfg(feature = "testing")]
pub mod testing {
    pub use taskflow_conformance::*;

    /// The cases, at the path they had before the suite became a crate.
    pub mod conformance {
        pub use taskflow_conformance::{Case, cases};
    }
}

/// The reference server (feature `server`).
#[cfg(feature = "server")]
pub mod server {
    pub use taskflow_server::*;
}
