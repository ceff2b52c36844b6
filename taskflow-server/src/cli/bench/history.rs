//! Course of a run over time, read afterwards from the ledger alone: nothing is counted while the run is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow_core::{Actor, App, DeliveryId, Timestamp};

use super::report::{rounded, seconds};
use crate::cli::failure::Failure;

/// Deliveries that are read at once.
const PAGE: u32 = 1_000;

/// Into so many parts a run is cut.
const PARTS: u32 = 60;

/// The shortest part, since a commit takes about as long.
const SHORTEST: Duration = Duration::from_millis(10);

/// Number of events in each part of a run. The first part begins with the planning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    /// Duration of a part in seconds.
    pub(super) every_s: f64,
    /// Mails that were planned in each.
    pub(super) planned: Vec<u64>,
    /// Mails that the relay took in each.
    pub(super) sent: Vec<u64>,
    /// The most memory that was seen in each, in MiB; empty where the system does not say.
    pub(super) memory_mb: Vec<f64>,
}

/// Percentiles of the delay, in seconds, from the due time of mails to their acceptance by the relay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lateness {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// Reads the ledger, page by page, of a run that began to plan at `began` and took `wall`.
pub(super) async fn read(app: &App, began: Timestamp, wall: Duration) -> Result<(History, Lateness), Failure> {
    let mut counting = Counting::new(began, wall);
    let mut after: Option<DeliveryId> = None;
    loop {
        let page = app.deliveries().list_after(Actor::System, after, PAGE).await;
        let page = page.map_err(|error| Failure::of("cannot read the ledger", &error))?;
        let Some(last) = page.last() else { return Ok(counting.result()) };
        after = Some(last.id);
        for delivery in &page {
            let sent_at = delivery.settled_at.filter(|_| delivery.reply.is_some());
            counting.add(delivery.planned_at, delivery.due_at, sent_at);
        }
    }
}

struct Counting {
    began: Timestamp,
    every: Duration,
    planned: Vec<u64>,
    sent: Vec<u64>,
    /// Hundredths of a second, and how many mails were so late: no more entries than the run has hundredths.
    late: BTreeMap<u64, u64>,
}

impl Counting {
    fn new(began: Timestamp, wall: Duration) -> Self {
        let every = (wall / PARTS).max(SHORTEST);
        let parts = wall.as_micros().div_ceil(every.as_micros()).max(1) as usize;
        Self { began, every, planned: vec![0; parts], sent: vec![0; parts], late: BTreeMap::new() }
    }

    fn add(&mut self, planned_at: Timestamp, due_at: Timestamp, sent_at: Option<Timestamp>) {
        let part = self.part(planned_at);
        self.planned[part] += 1;
        if let Some(sent_at) = sent_at {
            let part = self.part(sent_at);
            self.sent[part] += 1;
            let late = u64::try_from(sent_at.since(due_at).as_millis() / 10).unwrap_or(u64::MAX);
            *self.late.entry(late).or_default() += 1;
        }
    }

    /// The wall clock may have been set meanwhile: what then lies outside belongs to the first or the last part.
    fn part(&self, at: Timestamp) -> usize {
        let part = at.since(self.began).as_micros() / self.every.as_micros();
        usize::try_from(part).unwrap_or(usize::MAX).min(self.planned.len() - 1)
    }

    fn result(self) -> (History, Lateness) {
        let lateness = Lateness {
            p50: self.percentile(500),
            p90: self.percentile(900),
            p95: self.percentile(950),
            p99: self.percentile(990),
            p99_9: self.percentile(999),
            max: self.percentile(1_000),
        };
        let every_s = rounded(self.every.as_secs_f64(), 4);
        (History { every_s, planned: self.planned, sent: self.sent, memory_mb: Vec::new() }, lateness)
    }

    /// So many of a thousand were at most so late; 0 when there were none.
    fn percentile(&self, permille: u64) -> f64 {
        let wanted = (self.late.values().sum::<u64>() * permille).div_ceil(1_000);
        let mut seen = 0;
        let reached = self.late.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        seconds(Duration::from_millis(reached.map_or(0, |(late, _)| late * 10)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_when_is_counted_by_parts() {
        let began = Timestamp::from_micros(1_800_000_000_000_000);
        let at = |ms| began + Duration::from_millis(ms);
        let mut counting = Counting::new(began, Duration::from_secs(6));
        for ms in 0..1_000 {
            counting.add(at(ms), began, Some(at(4_000 + ms)));
        }
        // Beyond the end, and not sent at all.
        counting.add(at(9_000), began, None);
        let (history, lateness) = counting.result();
        assert_eq!((history.every_s, history.planned.len()), (0.1, 60));
        assert_eq!(
            (&history.planned[..11], history.planned[59]),
            (&[100; 10].into_iter().chain([0]).collect::<Vec<_>>()[..], 1)
        );
        assert_eq!((history.sent[39], history.sent[40], history.sent.iter().sum::<u64>()), (0, 100, 1_000));
        assert_eq!((lateness.p50, lateness.p99, lateness.max), (4.49, 4.98, 4.99));
    }

    #[test]
    fn a_run_without_mail_has_a_history_too() {
        let (history, lateness) = Counting::new(Timestamp::from_micros(0), Duration::ZERO).result();
        assert_eq!((history.planned, history.sent), (vec![0], vec![0]));
        assert_eq!(lateness, Lateness::default());
    }
}
