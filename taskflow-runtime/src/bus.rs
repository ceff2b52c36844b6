//! The event bus of one process.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use taskflow_core::ports::{EventBus, Signal};
use tokio::sync::broadcast::{self, error::RecvError};

/// The number of signals that a subscriber may be behind before it misses some.
const CAPACITY: usize = 1024;

/// Delivers signals within this process. A subscriber that is too slow misses signals and receives [`Signal::Missed`] in
/// their place.
#[derive(Debug)]
pub struct LocalBus {
    sender: broadcast::Sender<Signal>,
}

impl LocalBus {
    /// Creates a bus without subscribers.
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
            match receiver.recv().await {
                Ok(signal) => Some((signal, receiver)),
                Err(RecvError::Lagged(_)) => Some((Signal::Missed, receiver)),
                Err(RecvError::Closed) => None,
            }
        };
        stream::unfold(receiver, next).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn everybody_who_listens_is_told_until_the_bus_is_gone() {
        let bus = LocalBus::new();
        bus.publish(&[Signal::Missed]);
        let (one, two) = (bus.subscribe(), bus.subscribe());
        bus.publish(&[Signal::Missed, Signal::Missed]);
        drop(bus);
        assert_eq!((one.count().await, two.count().await), (2, 2));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_that_it_missed_signals_and_goes_on() {
        let bus = LocalBus::new();
        let mut slow = bus.subscribe();
        bus.publish(&vec![Signal::SessionsEndedElsewhere; 3 * CAPACITY]);
        drop(bus);
        assert!(matches!(slow.next().await, Some(Signal::Missed)));
        assert_eq!(
            slow.filter(|signal| ready(matches!(signal, Signal::SessionsEndedElsewhere))).count().await,
            CAPACITY
        );
    }
}
