use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Requester;

/// Room for so many units, of which one requester holds a part at most: nobody can take all of it.
#[derive(Debug, Clone)]
pub struct Shares {
    room: Arc<Semaphore>,
    each: usize,
    /// Units that each requester holds; who holds none is not here.
    held: Arc<Mutex<HashMap<Requester, usize>>>,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
    held: Arc<Mutex<HashMap<Requester, usize>>>,
    requester: Requester,
    units: usize,
}

impl Shares {
    /// Room for `total` units, of which one requester holds `each` at most.
    #[must_use]
    pub fn new(total: usize, each: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(total)), each: each.min(total), held: Arc::default() }
    }

    /// Returns a part of the room for `requester`, without waiting; `None` when the room, or their part of it, is taken.
    #[must_use]
    pub fn take(&self, requester: Requester, units: usize) -> Option<Share> {
        let permit = self.room.clone().try_acquire_many_owned(u32::try_from(units).ok()?).ok()?;
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.get(&requester).copied().unwrap_or_default() + units;
        if held > self.each {
            return None;
        }
        all.insert(requester, held);
        drop(all);
        Some(Share { permit, held: Arc::clone(&self.held), requester, units })
    }
}

impl Share {
    /// Returns how many units it is.
    #[must_use]
    pub fn units(&self) -> usize {
        self.units
    }

    /// Adds another part of the same requester.
    pub fn merge(&mut self, mut other: Self) {
        debug_assert_eq!(self.requester, other.requester);
        if let Some(permit) = other.permit.split(other.permit.num_permits()) {
            self.permit.merge(permit);
            self.units += std::mem::take(&mut other.units);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.requester).copied().unwrap_or_default().saturating_sub(self.units);
        match left {
            0 => all.remove(&self.requester),
            left => all.insert(self.requester, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn one_requester_cannot_take_all_of_the_room() {
        let [one, other] = [1, 2].map(|n| Requester::at(IpAddr::V4(Ipv4Addr::from(n))));
        let shares = Shares::new(10, 6);
        let mut held = shares.take(one, 4).expect("room");
        assert!(shares.take(one, 3).is_none(), "more than their part");
        held.merge(shares.take(one, 2).expect("room"));
        assert!(shares.take(one, 1).is_none());
        let others = shares.take(other, 4).expect("what is left");
        assert!(shares.take(other, 1).is_none(), "nothing is left");
        drop(held);
        assert!(shares.take(one, 6).is_some(), "all of it is given back");
        drop(others);
        assert!(shares.held.lock().expect("a lock").is_empty(), "nobody is remembered");
    }
}
