#![doc = include_str!("../README.md")]

pub use taskflow_core::*;

/// Templates, the SMTP mailer and the dev mailbox (feature `smtp`).
#[cfg(feature = "smtp")]
pub mod mail {
    pub use taskflow_mail::*;
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

/// The reference server (feature `server`).
#[cfg(feature = "server")]
pub mod server {
    pub use taskflow_server::*;
}
