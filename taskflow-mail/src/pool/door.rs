//! The known state of the relay: whether it may be used now, and whether a refusal is about one mail or about all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskflow_core::EmailAddress;
use taskflow_core::ports::Clock;

/// Time for which a relay that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Most recipients that are remembered as throttled. Forgetting one means another turn without an attempt.
const MOST_THROTTLED: usize = 10_000;

/// The circuit breaker of a relay.
pub(super) struct CircuitBreaker {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

struct Known {
    state: State,
    /// The time since which the relay asks for less mail or refuses everything, and the cause. Meanwhile no mail is
    /// offered, or one as a probe. It ends when a mail is accepted.
    tripped: Option<(Duration, String)>,
    /// Number of mails that it has refused in a row.
    refused: u32,
    /// Recipients for whom the relay asked for less mail, and has accepted none since.
    throttled_for: HashSet<EmailAddress>,
    /// Whether it accepted a mail since it was last unavailable, or accepted an envelope and took long over the mail.
    proven: bool,
    /// Whether it was unavailable, and has accepted no mail since.
    failed: bool,
    /// Whether it accepted a mail since it last hung up in the middle of one.
    vouched: bool,
    /// The cause for which it refused a mail that may concern all mail, and the time of the last connection since then.
    /// `None` once it accepts a mail.
    doubtful: Option<(String, Option<Duration>)>,
}

enum State {
    /// It worked last time: connect freely.
    Open,
    /// Nothing is known, or a connection was lost: one at a time finds out.
    Unknown,
    /// It failed at that moment, for that reason.
    Shut(Duration, String),
}

impl CircuitBreaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let known = Known {
            state: State::Unknown,
            tripped: None,
            refused: 0,
            throttled_for: HashSet::new(),
            proven: false,
            failed: false,
            vouched: false,
            doubtful: None,
        };
        Self { clock, known: Mutex::new(known) }
    }

    /// Returns whether anybody may connect.
    pub(super) fn is_open(&self) -> bool {
        let known = self.lock();
        matches!(known.state, State::Open) && known.doubtful.is_none()
    }

    /// Returns the reason nobody may connect now. While the relay fails or is doubtful, one connection a second is let
    /// through.
    pub(super) fn refuses_to_connect(&self) -> Option<String> {
        let now = self.clock.monotonic();
        let mut known = self.lock();
        match &known.state {
            State::Shut(since, cause) if now.saturating_sub(*since) < PAUSE => return Some(cause.clone()),
            State::Open | State::Unknown | State::Shut(..) => {}
        }
        let (cause, opened) = known.doubtful.as_mut()?;
        match opened {
            Some(opened) if now.saturating_sub(*opened) < PAUSE => Some(cause.clone()),
            Some(_) | None => {
                *opened = Some(now);
                None
            }
        }
    }

    /// Records that the relay refused a mail, which may concern all mail. Until it accepts one, one connection a second
    /// is opened.
    pub(super) fn becomes_doubtful(&self, cause: &str) {
        self.lock().doubtful.get_or_insert_with(|| (cause.to_owned(), None));
    }

    /// Returns the reason no mail may be offered now, even over an open connection. While the circuit is open, one mail
    /// a second is let through as a probe.
    pub(super) fn refuses_to_offer(&self) -> Option<String> {
        let now = self.clock.monotonic();
        let mut known = self.lock();
        let (since, cause) = known.tripped.as_mut()?;
        if now.saturating_sub(*since) < PAUSE {
            return Some(cause.clone());
        }
        *since = now;
        None
    }

    /// Records that the relay accepted a connection.
    pub(super) fn opened(&self) {
        self.lock().state = State::Open;
    }

    /// Records that the relay failed.
    pub(super) fn shut(&self, cause: &str) {
        tracing::debug!(cause, "the relay is unavailable");
        let mut known = self.lock();
        (known.proven, known.failed) = (false, true);
        known.state = State::Shut(self.clock.monotonic(), cause.to_owned());
    }

    /// Records that a connection was lost: that may be all, or the relay is gone.
    pub(super) fn doubt(&self) {
        let mut known = self.lock();
        if matches!(known.state, State::Open) {
            known.state = State::Unknown;
        }
    }

    /// Returns whether the relay accepted mail since it was last unavailable, so that more may be offered at once.
    pub(super) fn is_proven(&self) -> bool {
        let known = self.lock();
        known.proven && known.tripped.is_none()
    }

    /// Records that the relay accepted an envelope and takes long over the mail. Returns whether more may be offered at
    /// once: not while it fails.
    pub(super) fn proves_itself(&self) -> bool {
        let mut known = self.lock();
        known.proven = !known.failed;
        known.proven && known.tripped.is_none()
    }

    /// Returns whether the relay was unavailable and has accepted no mail since, so that only one mail at a time is
    /// offered.
    pub(super) fn has_failed(&self) -> bool {
        let known = self.lock();
        known.failed || known.tripped.is_some()
    }

    /// Opens the circuit because the relay asks for less mail, or refuses everything.
    pub(super) fn trip(&self, cause: &str) {
        tracing::debug!(cause, "the relay is left alone");
        self.lock().tripped = Some((self.clock.monotonic(), cause.to_owned()));
    }

    /// Records that the relay refused a mail. `most_in_a_row` refusals in a row are about the relay, whatever they say;
    /// then one mail a second finds out whether they still are.
    pub(super) fn refused(&self, cause: &str, most_in_a_row: u32) {
        let mut known = self.lock();
        known.refused = known.refused.saturating_add(1);
        if known.refused >= most_in_a_row || known.tripped.is_some() && known.refused > 1 {
            tracing::debug!(cause, "the relay refuses everything");
            known.tripped = Some((self.clock.monotonic(), cause.to_owned()));
        } else {
            known.tripped = None;
        }
    }

    /// Records that the relay asks for less mail to this recipient, and returns whether that is new. A recipient that
    /// meets it again and again may be the only one concerned.
    pub(super) fn meets_first(&self, recipient: &EmailAddress) -> bool {
        let mut known = self.lock();
        if known.throttled_for.len() >= MOST_THROTTLED {
            known.throttled_for.clear();
        }
        known.throttled_for.insert(recipient.clone())
    }

    /// Records that the relay accepted a mail to this recipient.
    pub(super) fn vouch(&self, recipient: &EmailAddress) {
        let mut known = self.lock();
        (known.proven, known.failed, known.vouched) = (true, false, true);
        known.refused = 0;
        (known.tripped, known.doubtful) = (None, None);
        known.throttled_for.remove(recipient);
    }

    /// Records that the relay hung up in the middle of a mail, and returns whether that is about this mail: it is if
    /// others were accepted since it last did so. Two in a row are about the relay, or a storm of 421 would use up an
    /// attempt of every mail.
    pub(super) fn is_about_one_mail(&self) -> bool {
        std::mem::take(&mut self.lock().vouched)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
