//! The event bus of one process.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use taskflow_core::ports::{EventBus, Signal};
use tokio::sync::broadcast::{self, error::RecvError};

/// Signals a listener may be behind before it misses some.
const CAPACITY: usize = 1024;

/// Tells everybody in this process. A listener that is too slow misses signals, which are hints only.
#[derive(Debug)]
pub struct LocalBus {
    sender: broadcast::Sender<Signal>,
}

impl LocalBus {
    /// A bus nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(CAPACITY) }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl EventBus for LocalBus {
    fn publish(&self, signals: &[Signal]) {
        for signal in signals {
            // The only error is that nobody listens.
            let _ = self.sender.send(signal.clone());
        }
    }

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        let receiver = self.sender.subscribe();
        let next = |mut receiver: broadcast::Receiver<Signal>| async move {
            loop {
                match receiver.recv().await {
                    Ok(signal) => return Some((signal, receiver)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        stream::unfold(receiver, next).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_listens_is_told_until_the_bus_is_gone() {
        let bus = LocalBus::new();
        bus.publish(&[Signal::Planned]);
        let (one, two) = (bus.subscribe(), bus.subscribe());
        bus.publish(&[Signal::Planned, Signal::Planned]);
        drop(bus);
        assert_eq!((one.count().await, two.count().await), (2, 2));
    }

    #[tokio::test]
    async fn a_slow_listener_misses_signals_and_goes_on() {
        let bus = LocalBus::new();
        let slow = bus.subscribe();
        bus.publish(&vec![Signal::Planned; 3 * CAPACITY]);
        drop(bus);
        assert_eq!(slow.count().await, CAPACITY);
    }
}
