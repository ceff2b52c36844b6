//! Claims a batch and has its channel decide for each delivery whether it is sent.

use std::collections::HashSet;
use std::time::Duration;

use super::App;
use super::channel::{Channel, ChannelBatch, Decided, FollowUp, PreparedBatch, Ready};
use crate::error::StoreError;
use crate::ports::{ClaimRequest, Claimed};
use crate::{DeliveryId, LeaseToken, NoticeKind, Outcome, Settlement, Timestamp};

/// A claimed batch: the messages to send, and the deliveries to settle without sending.
pub(super) struct ClaimedBatch<'a, M> {
    pub(super) ready: Vec<Ready<M>>,
    pub(super) decided: Vec<Settlement>,
    pub(super) follow_ups: Vec<FollowUp<'a>>,
    /// The error with which the lookup of the claimed deliveries failed; all of them are released then.
    pub(super) failure: Option<StoreError>,
}

/// Claims due deliveries of a channel and has them prepared. `held` are those that this step holds already.
pub(super) async fn claim<'a, C: Channel>(
    app: &'a App,
    channel: &'a C,
    limit: usize,
    held: HashSet<DeliveryId>,
    lease_for: Duration,
) -> ClaimedBatch<'a, C::Message> {
    let now = app.clock.now();
    let held_until = app.clock.monotonic() + lease_for;
    let request = ClaimRequest {
        channel: channel.kind(),
        kinds: app.notices.clone(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        now,
        lease: LeaseToken::from_uuid(app.ids.next(now)),
        lease_for,
    };
    let nothing = |failure| ClaimedBatch { ready: Vec::new(), decided: Vec::new(), follow_ups: Vec::new(), failure };
    // Asked after `now` was read: what a wrong clock shows is never claimed by.
    if !app.clock_is_right() {
        return nothing(None);
    }
    let claims = match app.outbox.claim(&request).await {
        Err(error) => return nothing(Some(error)),
        Ok(claims) if claims.is_empty() => return nothing(None),
        Ok(claims) => claims,
    };
    let given_back: Vec<_> = claims.iter().map(give_back).collect();
    let (prepared, failure) = match channel.prepare(ChannelBatch { app, claims, held, now, request: &request }).await {
        // The clock jumped meanwhile: what seems to be too late may not be.
        Ok(_) if !app.clock_is_right() => (PreparedBatch { decided: given_back, ..PreparedBatch::default() }, None),
        Ok(prepared) => (prepared, None),
        Err(error) => (PreparedBatch { decided: given_back, ..PreparedBatch::default() }, Some(error)),
    };
    let PreparedBatch { mut ready, decided, follow_ups } = prepared;
    ready.iter_mut().for_each(|one| one.held_until = held_until);
    let decided = decided.into_iter().map(|decided| settlement(decided, now)).collect();
    ClaimedBatch { ready, decided, follow_ups, failure }
}

pub(super) fn give_back(Claimed { delivery, lease }: &Claimed) -> Decided {
    let outcome = Outcome::Released { next_at: delivery.next_at, error: None };
    Decided { id: delivery.id, lease: *lease, kind: delivery.kind, outcome }
}

fn settlement(Decided { id, lease, kind, outcome }: Decided, at: Timestamp) -> Settlement {
    warn_when_discarded(id, kind, &outcome);
    Settlement { id, lease, at, outcome, effect: None }
}

/// Logs a mail that is given up: its id, its kind and the reason, without any address.
pub(super) fn warn_when_discarded(id: DeliveryId, kind: NoticeKind, outcome: &Outcome) {
    if let Outcome::Discarded { error } = outcome {
        tracing::warn!(delivery = %id, %kind, reason = without_addresses(error), "a mail was discarded");
    }
}

/// Relays like to repeat the address that they refuse.
fn without_addresses(reason: &str) -> String {
    let words = reason.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_address() {
        let reason = "550 5.1.1 <ada@example.org>: user unknown (ada@example.org)";
        assert_eq!(without_addresses(reason), "550 5.1.1 (address) user unknown (address)");
    }
}
