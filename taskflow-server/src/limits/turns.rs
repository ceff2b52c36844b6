use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Requester, Share, Shares};

/// Work that runs only so many times side by side, with a bounded queue in which every requester has a turn: one waits for
/// a permit at a time for each lane of theirs, so that many requests of one do not come before one request of another.
#[derive(Debug, Clone)]
pub struct FairQueue {
    /// Requesters with work that runs or waits.
    seats: Shares,
    permits: Arc<Semaphore>,
    lanes: Arc<Mutex<HashMap<Requester, Weak<Semaphore>>>>,
    /// Permits that one requester may hold or wait for.
    width: usize,
    /// Lanes from which on those that are gone are forgotten.
    most_lanes: usize,
}

/// The permission to run once; given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _lane: (OwnedSemaphorePermit, Arc<Semaphore>),
    _seat: Share,
}

impl FairQueue {
    /// Runs `permits` side by side, of which one requester has `width` at most; `queue` wait, `each` of one requester.
    #[must_use]
    pub fn new(permits: usize, width: usize, queue: usize, each: usize) -> Self {
        Self {
            seats: Shares::new(permits + queue, permits + each),
            permits: Arc::new(Semaphore::new(permits)),
            lanes: Arc::default(),
            width: width.clamp(1, permits),
            most_lanes: 2 * (permits + queue),
        }
    }

    /// Waits for a turn; `None` when too many wait already.
    pub async fn take(&self, requester: Requester) -> Option<Turn> {
        let seat = self.seats.take(requester, 1)?;
        let lane = self.lane(requester);
        let place = lane.clone().acquire_owned().await.ok()?;
        let permit = self.permits.clone().acquire_owned().await.ok()?;
        Some(Turn { _permit: permit, _lane: (place, lane), _seat: seat })
    }

    fn lane(&self, requester: Requester) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&requester).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= self.most_lanes {
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Semaphore::new(self.width));
        lanes.insert(requester, Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;

    use super::*;

    fn requester(n: u32) -> Requester {
        Requester::at(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[tokio::test]
    async fn many_requests_of_one_do_not_come_before_one_of_another() {
        let turns = FairQueue::new(2, 1, 100, 30);
        let first = turns.take(requester(1)).await.expect("a turn");
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(turns.take(requester(1)))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never_by_ref().is_none()), "one at a time");
        let other = turns.take(requester(2)).now_or_never().flatten();
        assert!(other.is_some(), "the second permit is for somebody else");
        drop(first);
        assert!(waiting.swap_remove(0).await.is_some());
    }

    trait NowOrNever: Future + Unpin {
        fn now_or_never_by_ref(&mut self) -> Option<Self::Output> {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match std::pin::Pin::new(self).poll(&mut context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            }
        }
    }

    impl<F: Future + Unpin> NowOrNever for F {}

    #[tokio::test]
    async fn one_requester_cannot_fill_the_queue_and_lanes_are_forgotten() {
        let turns = FairQueue::new(1, 1, 4, 2);
        let held = turns.take(requester(1)).await.expect("a turn");
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(turns.take(requester(1)))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never_by_ref().is_none()));
        assert!(turns.take(requester(1)).await.is_none(), "their part of the queue is full");
        let mut other = Box::pin(turns.take(requester(2)));
        assert!(other.now_or_never_by_ref().is_none(), "there is room for others");
        drop((waiting, held));
        drop(other.await.expect("a turn"));
        for n in 0..1_000 {
            drop(turns.take(requester(n)).await.expect("a turn"));
        }
        assert!(turns.lanes.lock().expect("a lock").len() <= turns.most_lanes);
    }
}
