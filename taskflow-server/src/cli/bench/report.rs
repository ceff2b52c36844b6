//! What a run has shown.

use std::time::Duration;

use serde::Serialize;
use taskflow_core::Ledger;

use crate::cli::failure::Failure;

/// The figures of a run, in the order in which they are printed as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// People who were to get a mail.
    pub(super) users: u64,
    /// Mails that were planned.
    pub(super) planned: u64,
    pub(super) planned_per_s: f64,
    /// Mails that the relay took, by the ledger.
    pub(super) sent: u64,
    pub(super) sent_per_s: f64,
    /// Planning and sending together.
    pub(super) wall_s: f64,
    /// The most memory this process has held, in MiB, with the relay if it is built in; absent where the system does not say.
    pub(super) peak_rss_mb: Option<f64>,
    pub(super) ledger: Counts,
    pub(super) database: &'static str,
    pub(super) connections: usize,
    /// Where mail went.
    pub(super) sink: String,
    /// Mails that the built-in relay took: more than `sent` when some were repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taken: Option<u64>,
    /// Mean size of a mail that the built-in relay took, in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_octets: Option<u64>,
    /// Making people and tasks, which is not part of `wall_s`.
    pub(super) seeded_s: f64,
}

/// A [`Ledger`] as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    planned: u64,
    delivered: u64,
    cancelled: u64,
    expired: u64,
    discarded: u64,
    due: u64,
}

impl From<Ledger> for Counts {
    fn from(ledger: Ledger) -> Self {
        let Ledger { planned, delivered, cancelled, expired, discarded, due } = ledger;
        Self { planned, delivered, cancelled, expired, discarded, due }
    }
}

impl Report {
    /// One line of JSON.
    pub(super) fn json(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| Failure::of("cannot write the figures", &error))
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Counts { planned, delivered, cancelled, expired, discarded, due } = &self.ledger;
        let size = self.mail_octets.map(|octets| format!(", {octets} octets a mail")).unwrap_or_default();
        let memory = self.peak_rss_mb.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.1} MB at most"));
        format!(
            "bench    {} people on {}, {} connections to {}{size}\n\
             seeded   in {:.2} s\n\
             planned  {} at {:.0}/s\n\
             sent     {} at {:.0}/s\n\
             wall     {:.2} s\n\
             memory   {memory}\n\
             ledger   {planned} planned = {delivered} delivered + {cancelled} cancelled + {expired} expired \
             + {discarded} discarded + {due} due",
            self.users,
            self.database,
            self.connections,
            self.sink,
            self.seeded_s,
            self.planned,
            self.planned_per_s,
            self.sent,
            self.sent_per_s,
            self.wall_s,
        )
    }

    /// What is missing, if anything is.
    pub(super) fn shortfall(&self) -> Option<String> {
        let Counts { planned, delivered, cancelled, expired, discarded, due } = self.ledger;
        if planned != delivered + cancelled + expired + discarded + due {
            return Some("the ledger does not balance".to_owned());
        }
        if planned != self.users {
            return Some(format!("{planned} mails are in the ledger for {} people", self.users));
        }
        if self.taken.is_some_and(|taken| taken < delivered) {
            return Some(format!("the ledger has {delivered} mails as delivered, and fewer arrived"));
        }
        (delivered != planned).then(|| format!("{} of {planned} mails were not delivered", planned - delivered))
    }
}

/// So many per second, to a tenth.
pub(super) fn per_second(count: u64, took: Duration) -> f64 {
    rounded(count as f64 / took.as_secs_f64().max(1e-6), 1)
}

/// Seconds, to a thousandth.
pub(super) fn seconds(took: Duration) -> f64 {
    rounded(took.as_secs_f64(), 3)
}

/// The most memory that this process has held so far, in MiB: what Linux calls `VmHWM`.
pub(super) fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(rounded(kibibytes / 1024.0, 1))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ledger: Ledger, taken: Option<u64>) -> Report {
        Report {
            users: 10,
            planned: 10,
            planned_per_s: 1.0,
            sent: ledger.delivered,
            sent_per_s: 1.0,
            wall_s: 1.0,
            peak_rss_mb: None,
            ledger: ledger.into(),
            database: "SQLite",
            connections: 16,
            sink: "built-in".to_owned(),
            taken,
            mail_octets: None,
            seeded_s: 1.0,
        }
    }

    #[test]
    fn everything_delivered_is_the_only_success() {
        let all = Ledger { planned: 10, delivered: 10, ..Ledger::default() };
        assert_eq!(report(all, Some(10)).shortfall(), None);
        assert_eq!(report(all, Some(11)).shortfall(), None, "at least once");
        for (ledger, taken) in [
            (Ledger { delivered: 9, due: 1, ..all }, None),
            (Ledger { delivered: 9, discarded: 1, ..all }, None),
            (Ledger { delivered: 9, ..all }, None),
            (Ledger { planned: 9, delivered: 9, ..all }, None),
            (all, Some(9)),
        ] {
            assert!(report(ledger, taken).shortfall().is_some(), "{ledger:?}, {taken:?} taken");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_known_on_linux() {
        assert!(peak_rss_mb().is_some_and(|mb| mb > 1.0));
    }
}
