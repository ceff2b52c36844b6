//! Writers of one row that have been in each other's way wait in a queue: one after the other, in the order they came.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use uuid::Uuid;

/// The queues of this process, by the id of their row. A row without waiting writers has no queue.
#[derive(Debug, Default)]
pub(in crate::app) struct WriterQueues {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    queues: HashMap<Uuid, VecDeque<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    waker: Option<Waker>,
}

/// A place in a queue; dropping it lets the next one go on.
#[derive(Debug)]
pub(in crate::app) struct Place<'a> {
    queues: &'a WriterQueues,
    row: Uuid,
    number: u64,
}

impl WriterQueues {
    /// Takes the last place in the queue for a row.
    pub(in crate::app) fn join(&self, row: Uuid) -> Place<'_> {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        state.queues.entry(row).or_default().push_back(Waiting { number, waker: None });
        Place { queues: self, row, number }
    }

    /// Takes the last place in the queue for a row if there is one.
    pub(super) fn join_existing(&self, row: Uuid) -> Option<Place<'_>> {
        let exists = self.state().queues.contains_key(&row);
        exists.then(|| self.join(row))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Ends when everybody who came before has left the queue.
    pub(in crate::app) async fn first(&self) {
        poll_fn(|context| {
            let mut state = self.queues.state();
            let Some(queue) = state.queues.get_mut(&self.row) else { return Poll::Ready(()) };
            match queue.iter_mut().enumerate().find(|(_, waiting)| waiting.number == self.number) {
                Some((place, waiting)) if place > 0 => {
                    waiting.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                Some(_) | None => Poll::Ready(()),
            }
        })
        .await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.queues.state();
        let Some(queue) = state.queues.get_mut(&self.row) else { return };
        queue.retain(|waiting| waiting.number != self.number);
        match queue.front_mut() {
            Some(first) => {
                if let Some(waker) = first.waker.take() {
                    waker.wake();
                }
            }
            None => {
                state.queues.remove(&self.row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn places_are_served_in_their_order_and_one_that_is_given_up_is_skipped() {
        let (queues, row) = (WriterQueues::default(), Uuid::from_u128(1));
        assert!(queues.join_existing(row).is_none());
        let (first, second) = (queues.join(row), queues.join(row));
        let third = queues.join_existing(row).expect("a queue");
        let is_first = |place: &Place<'_>| place.first().now_or_never().is_some();
        assert_eq!([is_first(&first), is_first(&second), is_first(&third)], [true, false, false]);
        drop(second);
        assert!(!is_first(&third));
        drop(first);
        assert!(is_first(&third));
        assert!(is_first(&queues.join(Uuid::from_u128(2))), "rows have queues of their own");
        drop(third);
        assert!(queues.state().queues.is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (queues, row) = (WriterQueues::default(), Uuid::from_u128(1));
        let (first, second) = (queues.join(row), queues.join(row));
        futures_util::future::join(second.first(), async { drop(first) }).await;
    }
}
