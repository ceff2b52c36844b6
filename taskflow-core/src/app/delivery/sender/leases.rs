//! The leases that a step holds, and their renewal.

use std::collections::HashSet;
use std::time::Duration;

use super::{Sender, Step};
use crate::DeliveryId;
use crate::app::delivery::channel::Channel;
use crate::ports::HeldLease;

impl<C: Channel> Sender<'_, C> {
    /// Returns the messages that wait in the window or were started.
    pub(super) fn held(&self) -> impl Iterator<Item = DeliveryId> {
        self.leases().map(|(id, _)| id)
    }

    /// Returns the leases of these, including the deliveries that are sent along with them.
    pub(super) fn leases(&self) -> impl Iterator<Item = HeldLease> {
        let waiting = self.window.iter().map(|ready| (ready.delivery.id, ready.lease, &ready.along));
        let started = self.in_doubt.iter().map(|((id, lease), one)| (*id, *lease, &one.along));
        waiting
            .chain(started)
            .flat_map(|(id, lease, along)| std::iter::once((id, lease)).chain(along.iter().map(move |id| (*id, lease))))
    }

    pub(super) fn outlives_a_message(&self, held_until: Duration) -> bool {
        self.app.clock.monotonic() + self.sending.mail_timeout <= held_until
    }

    /// Renews the leases of started messages. Sending ends before the lease does, but writing the outcome may take
    /// longer.
    pub(super) fn renew_what_is_in_doubt(&mut self) {
        if self.failure.is_none() && self.in_doubt.values().any(|one| !self.outlives_a_message(one.held_until)) {
            self.renew();
        }
    }

    /// Everything at once, so that it is rarely done.
    pub(super) fn renew(&mut self) {
        if self.renewing {
            return;
        }
        self.renewing = true;
        let app = self.app;
        let held: Vec<HeldLease> = self.leases().collect();
        let lease_for = self.sending.held_for();
        let held_until = app.clock.monotonic() + lease_for;
        self.work.push(Box::pin(async move {
            let result = app.outbox.renew(&held, lease_for).await;
            Step::Renewed { asked: held, held_until, result }
        }));
    }

    /// Applies the result of a renewal: messages whose lease was lost are removed from the window.
    pub(super) fn take_renewal(&mut self, asked: Vec<HeldLease>, held_until: Duration, held: Vec<DeliveryId>) {
        self.renewing = false;
        // What was claimed while the renewal ran is not concerned.
        let (asked, held): (HashSet<_>, HashSet<_>) = (asked.into_iter().collect(), held.into_iter().collect());
        // Of one that was started the settling tells whether the lease was lost: there is nothing to stop.
        for (_, one) in self.in_doubt.iter_mut().filter(|(lease, _)| asked.contains(lease)) {
            one.held_until = held_until;
        }
        let (before, mut lost) = (self.window.len(), HashSet::new());
        self.window.retain_mut(|ready| {
            if !asked.contains(&(ready.delivery.id, ready.lease)) {
                return true;
            }
            ready.held_until = held_until;
            let is_held = held.contains(&ready.delivery.id);
            lost.extend(ready.threads.iter().filter(|_| !is_held).cloned());
            is_held
        });
        self.report.lease_lost += (before - self.window.len()) as u64;
        self.give_back_the_rest(&lost);
    }
}
