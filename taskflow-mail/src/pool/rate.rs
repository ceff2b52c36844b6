//! Limits the number of mails that begin per second: a token bucket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// Largest burst, as a fraction of the mails of one second.
const BURST: f64 = 0.1;

/// Maximum sleep before the bucket is checked again: it may have got a higher rate, or a token back.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// A bucket that fills at the rate, for all connections together.
pub(crate) struct Rate {
    bucket: Mutex<Bucket>,
    /// The lock whose holder waits for the next token: first come, first served.
    turn: tokio::sync::Mutex<()>,
}

/// Leave to begin one mail. Goes back into the bucket when the mail is not begun.
pub(crate) struct Token(Option<Arc<Rate>>);

impl Rate {
    pub(crate) fn new(per_second: Option<f64>, now: Instant) -> Self {
        Self { bucket: Mutex::new(Bucket::full(per_second, now)), turn: tokio::sync::Mutex::default() }
    }

    pub(crate) fn set(&self, per_second: Option<f64>, now: Instant) {
        self.lock().set(per_second, now);
    }

    /// Lends a rate until a time, and then no mails until it is set again.
    pub(crate) fn lend(&self, per_second: f64, now: Instant, until: Instant) {
        self.lock().lend(per_second, now, until);
    }

    pub(crate) fn per_second(&self) -> Option<f64> {
        self.lock().per_second
    }

    /// Returns the next token; `None` if there is none until `deadline`. Dropping the call takes none.
    pub(crate) async fn token(self: &Arc<Self>, deadline: Instant) -> Option<Token> {
        if self.per_second().is_none() {
            return Some(Token(None));
        }
        let _turn = timeout_at(deadline, self.turn.lock()).await.ok()?;
        loop {
            let now = Instant::now();
            let taken = self.lock().take(now);
            match taken {
                Ok(()) => return Some(Token(Some(Arc::clone(self)))),
                Err(_) if now >= deadline => return None,
                Err(wait) => sleep_until(deadline.min(now + wait.min(LONGEST_SLEEP))).await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    /// Spends the token, because the mail is begun.
    pub(crate) fn spend(&mut self) {
        self.0 = None;
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(rate) = self.0.take() {
            rate.lock().give_back();
        }
    }
}

/// The contents of the bucket at one moment.
struct Bucket {
    per_second: Option<f64>,
    tokens: f64,
    at: Instant,
    /// Nothing begins from then on.
    until: Option<Instant>,
}

impl Bucket {
    fn full(per_second: Option<f64>, now: Instant) -> Self {
        let mut bucket = Self { per_second, tokens: 0.0, at: now, until: None };
        bucket.tokens = bucket.size();
        bucket
    }

    /// Returns the size of the bucket: at least one token fits, however low the rate.
    fn size(&self) -> f64 {
        self.per_second.map_or(1.0, |rate| (rate * BURST).max(1.0))
    }

    fn set(&mut self, per_second: Option<f64>, now: Instant) {
        self.fill(now);
        self.per_second = per_second;
        self.until = None;
        self.tokens = self.tokens.min(self.size());
    }

    /// Lends a rate until a time. Tokens that nobody could use are not saved up: after a rest the bucket starts empty.
    fn lend(&mut self, per_second: f64, now: Instant, until: Instant) {
        let rested = self.until.is_some_and(|until| now >= until) || self.per_second == Some(0.0);
        self.set(Some(per_second), now);
        self.until = Some(until);
        if rested || per_second <= 0.0 {
            self.tokens = 0.0;
        }
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + elapsed * self.per_second.unwrap_or(0.0)).min(self.size());
    }

    /// Takes one token, or says how long until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.per_second else { return Ok(()) };
        self.fill(now);
        if rate <= 0.0 || self.until.is_some_and(|until| now >= until) {
            return Err(LONGEST_SLEEP);
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // Sums of fractions may end a hair below one; a moment more makes up for it.
        Err(Duration::from_secs_f64((1.0 - self.tokens) / rate) + Duration::from_micros(1))
    }

    fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.size());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Returns the number of tokens taken from `start` on when one is asked for every millisecond.
    fn taken(bucket: &mut Bucket, start: Instant, span: Duration) -> usize {
        let moments = span.as_millis().try_into().unwrap_or(u32::MAX);
        (0..moments).filter(|ms| bucket.take(start + MS * *ms).is_ok()).count()
    }

    #[test]
    fn no_more_begin_in_any_time_than_the_rate_and_one_burst() {
        let now = Instant::now();
        for (rate, most) in [(100.0, 210), (10.0, 21), (1.0, 3), (0.5, 2)] {
            let mut bucket = Bucket::full(Some(rate), now);
            let got = taken(&mut bucket, now, Duration::from_secs(2));
            assert!((most - 2..=most).contains(&got), "{rate}: {got}");
        }
    }

    #[test]
    fn a_quiet_time_saves_up_no_more_than_a_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::full(Some(100.0), now);
        let later = now + Duration::from_hours(1);
        assert_eq!((0..50).filter(|_| bucket.take(later).is_ok()).count(), 10);
        assert!(bucket.take(later).is_err_and(|wait| wait <= MS * 11));
    }

    #[test]
    fn a_new_rate_holds_from_now_on() {
        let now = Instant::now();
        let mut bucket = Bucket::full(Some(1000.0), now);
        bucket.set(Some(1.0), now);
        assert_eq!(taken(&mut bucket, now, Duration::from_millis(900)), 1);
        bucket.set(None, now);
        assert_eq!(taken(&mut bucket, now, Duration::from_millis(900)), 900);
    }

    #[test]
    fn a_rate_that_was_lent_ends_by_itself_and_begins_again_without_a_burst() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::full(Some(100.0), now);
        bucket.lend(0.0, now, now);
        assert_eq!(taken(&mut bucket, now, second), 0);
        bucket.lend(100.0, now + second, now + second * 2);
        assert!(bucket.take(now + second).is_err(), "nothing is saved up");
        let got = taken(&mut bucket, now + second, second * 3);
        assert!((99..=100).contains(&got), "{got}");
        bucket.lend(100.0, now + second * 9, now + second * 10);
        assert!(bucket.take(now + second * 9).is_err());
        // Lent on in time it goes on as it was.
        assert!(bucket.take(now + second * 9 + MS * 500).is_ok());
        bucket.lend(50.0, now + second * 9 + MS * 500, now + second * 20);
        assert_eq!((0..50).filter(|_| bucket.take(now + second * 9 + MS * 500).is_ok()).count(), 5);
    }

    #[tokio::test]
    async fn a_token_that_was_not_spent_goes_back() {
        let rate = Arc::new(Rate::new(Some(0.001), Instant::now()));
        let soon = || Instant::now() + MS;
        let token = rate.token(soon()).await;
        assert!(token.is_some() && rate.token(soon()).await.is_none());
        drop(token);
        let mut token = rate.token(soon()).await.expect("the first one again");
        token.spend();
        drop(token);
        assert!(rate.token(soon()).await.is_none());
    }
}
