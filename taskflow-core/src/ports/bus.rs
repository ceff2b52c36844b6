use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::Announcement;

/// A hint that something was committed.
#[derive(Debug, Clone)]
pub enum Signal {
    /// This happened.
    Announced(Arc<Announcement>),
    /// Mail was planned; some of it may be due.
    Planned,
}

/// Tells others in this process, and perhaps on other nodes, what was committed.
///
/// # Contract
///
/// Best effort: a signal may be lost or come twice, and the truth is in the store. Publishing never waits and never
/// fails the caller.
pub trait EventBus: Send + Sync {
    /// Tells everybody who listens now.
    fn publish(&self, signals: &[Signal]);

    /// Everything published from now on; ends when the bus does.
    fn subscribe(&self) -> BoxStream<'static, Signal>;
}

/// Tells nobody: for hosts that poll.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl EventBus for NoBus {
    fn publish(&self, _signals: &[Signal]) {}

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        stream::pending().boxed()
    }
}
