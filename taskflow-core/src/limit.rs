//! Rate limits by the generic cell rate algorithm (GCRA): a bucket is one instant, whatever it has seen.

use std::time::Duration;

/// A rate limit: `burst` requests at once, and from then on one for each `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    burst: u32,
    period: Duration,
    /// Interval in whole microseconds, as stores keep it.
    interval: Duration,
}

/// The state of a bucket after one request was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// Time until the bucket is full again, to be kept as its state.
    pub debt: Duration,
    /// Requests that would still be admitted at this instant.
    pub remaining: u32,
}

/// A request that a bucket does not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Time until the bucket admits a request.
    pub retry_after: Duration,
}

impl RateLimit {
    /// Largest burst.
    pub const MAX_BURST: u32 = 1_000_000;
    /// Longest time in which a bucket fills.
    pub const MAX_PERIOD: Duration = Duration::from_hours(24);

    /// Admits `burst` requests at once and as many again, evenly spread, within each `period`. `None`: one of the two is 0
    /// or above its maximum.
    #[must_use]
    pub fn new(burst: u32, period: Duration) -> Option<Self> {
        let interval = period.checked_div(burst)?;
        let fits = burst <= Self::MAX_BURST && period <= Self::MAX_PERIOD && interval >= Duration::from_micros(1);
        let micros = u64::try_from(interval.as_micros()).ok()?;
        fits.then(|| Self { burst, period, interval: Duration::from_micros(micros) })
    }

    /// Returns how many requests are admitted at once.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Returns the time in which one request is earned.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// Returns the time in which an empty bucket fills.
    #[must_use]
    pub fn period(self) -> Duration {
        self.period
    }

    /// Returns the debt of an empty bucket.
    fn depth(self) -> Duration {
        self.interval * self.burst
    }

    /// Takes one request out of a bucket that is full in `debt`.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the bucket is empty; its state stays as it is.
    pub fn take(self, debt: Duration) -> Result<Admitted, Refused> {
        // A debt beyond the bucket comes from another limit, or from a clock that was set back: it is worth no more than
        // an empty one.
        let debt = debt.min(self.depth());
        let after = debt + self.interval;
        match after.checked_sub(self.depth()) {
            None | Some(Duration::ZERO) => {
                let left = (self.depth() - after).as_micros() / self.interval.as_micros();
                Ok(Admitted { debt: after, remaining: u32::try_from(left).unwrap_or(u32::MAX) })
            }
            Some(retry_after) => Err(Refused { retry_after }),
        }
    }

    /// Returns the state of a bucket after its last request has been given back.
    #[must_use]
    pub fn give_back(self, debt: Duration) -> Duration {
        debt.min(self.depth()).saturating_sub(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn limit(burst: u32, seconds: u64) -> RateLimit {
        RateLimit::new(burst, Duration::from_secs(seconds)).expect("a limit")
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_for_each_interval() {
        let limit = limit(3, 30);
        let mut debt = Duration::ZERO;
        for remaining in [2, 1, 0] {
            let admitted = limit.take(debt).expect("admitted");
            assert_eq!(admitted.remaining, remaining);
            debt = admitted.debt;
        }
        assert_eq!(limit.take(debt), Err(Refused { retry_after: Duration::from_secs(10) }));
        let later = debt - Duration::from_secs(4);
        assert_eq!(limit.take(later), Err(Refused { retry_after: Duration::from_secs(6) }));
        assert!(limit.take(debt - Duration::from_secs(10)).is_ok());
        assert!(limit.take(limit.give_back(debt)).is_ok());
    }

    #[test]
    fn a_debt_beyond_the_bucket_counts_as_an_empty_one() {
        let limit = limit(2, 10);
        assert_eq!(limit.take(Duration::MAX), Err(Refused { retry_after: Duration::from_secs(5) }));
        assert!(limit.take(limit.give_back(Duration::MAX)).is_ok());
    }

    #[test]
    fn a_limit_has_a_burst_and_a_period() {
        let second = Duration::from_secs(1);
        assert!(RateLimit::new(0, second).is_none() && RateLimit::new(1, Duration::ZERO).is_none());
        assert!(RateLimit::new(RateLimit::MAX_BURST + 1, Duration::from_hours(1)).is_none());
        assert!(RateLimit::new(1, RateLimit::MAX_PERIOD + second).is_none());
        assert!(RateLimit::new(1000, Duration::from_micros(999)).is_none());
        assert_eq!(limit(60, 60).interval(), second);
    }

    /// A bucket of `burst` tokens that are earned continuously, counted in microseconds of earning.
    struct Model {
        limit: RateLimit,
        earned: u128,
    }

    impl Model {
        fn wait(&mut self, time: Duration) {
            self.earned = (self.earned + time.as_micros()).min(self.limit.depth().as_micros());
        }

        fn take(&mut self) -> bool {
            let cost = self.limit.interval().as_micros();
            let enough = self.earned >= cost;
            self.earned -= if enough { cost } else { 0 };
            enough
        }

        fn give_back(&mut self) {
            self.earned = (self.earned + self.limit.interval().as_micros()).min(self.limit.depth().as_micros());
        }
    }

    proptest! {
        #[test]
        fn it_admits_what_a_bucket_of_tokens_admits(
            burst in 1_u32..20,
            period in 20_u64..5_000,
            steps in vec((0_u64..400, 0_u8..4), 0..200),
        ) {
            let limit = RateLimit::new(burst, Duration::from_micros(period)).expect("a limit");
            let mut model = Model { limit, earned: limit.depth().as_micros() };
            let mut debt = Duration::ZERO;
            for (wait, action) in steps {
                let wait = Duration::from_micros(wait);
                model.wait(wait);
                debt = debt.saturating_sub(wait);
                if action == 0 {
                    model.give_back();
                    debt = limit.give_back(debt);
                    continue;
                }
                let before = debt;
                let taken = limit.take(debt);
                prop_assert_eq!(taken.is_ok(), model.take());
                match taken {
                    Ok(admitted) => debt = admitted.debt,
                    Err(refused) => {
                        prop_assert!(limit.take(before - refused.retry_after).is_ok());
                        prop_assert!(limit.take(before - refused.retry_after + Duration::from_micros(1)).is_err());
                    }
                }
            }
        }
    }
}
