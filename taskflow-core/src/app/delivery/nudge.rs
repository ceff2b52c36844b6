//! Wakes a running step when more work arrives, so that one slow mail does not delay others.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Counts nudges and wakes the steps that wait for one.
#[derive(Debug, Default)]
pub(in crate::app) struct Nudges {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    listeners: u64,
    waiting: HashMap<u64, Waker>,
}

/// The subscription of one step.
pub(super) struct Listener<'a> {
    nudges: &'a Nudges,
    id: u64,
    heard: u64,
}

impl Nudges {
    /// Wakes every step that is running.
    pub(in crate::app) fn nudge(&self) {
        let mut state = self.state();
        state.count += 1;
        state.waiting.drain().for_each(|(_, waker)| waker.wake());
    }

    /// Listens for wake-ups from now on.
    pub(super) fn listen(&self) -> Listener<'_> {
        let mut state = self.state();
        state.listeners += 1;
        Listener { nudges: self, id: state.listeners, heard: state.count }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener<'_> {
    /// Returns at the next nudge, or at once if there was one since the last.
    pub(super) async fn nudged(&mut self) {
        poll_fn(|context| {
            let mut state = self.nudges.state();
            if state.count != self.heard {
                self.heard = state.count;
                return Poll::Ready(());
            }
            state.waiting.insert(self.id, context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.nudges.state().waiting.remove(&self.id);
    }
}
