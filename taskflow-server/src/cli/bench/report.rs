//! Results of a run.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow_core::Ledger;

use super::history::{History, Lateness};
use super::machine::Made;
use crate::cli::failure::Failure;

/// The figures of a run, in the order in which they are printed as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// `sqlite` or `postgres`.
    pub(super) database: String,
    pub(super) connections: usize,
    /// Description of the relay that took the mail.
    pub(super) sink: String,
    /// Mails that the built-in relay took: more than `sent` when some were repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taken: Option<u64>,
    /// Mean size of a mail that the built-in relay took, in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mail_octets: Option<u64>,
    /// Making people and tasks, which is not part of `wall_s`.
    pub(super) seeded_s: f64,
    /// Mails a second that another sender brought to the same relay, as it was said with `--yardstick`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) yardstick_per_s: Option<f64>,
    pub(super) lateness_s: Lateness,
    pub(super) history: History,
    pub(super) made: Made,
}

/// A [`Ledger`] as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
             late     {:.2} s for half of them, {:.2} s at most\n\
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
            self.lateness_s.p50,
            self.lateness_s.max,
        )
    }

    /// Mails of which the ledger says what became of them.
    pub(super) fn accounted_for(&self) -> u64 {
        let Counts { delivered, cancelled, expired, discarded, due, .. } = self.ledger;
        delivered + cancelled + expired + discarded + due
    }

    /// Returns what is missing from the result; `None` if nothing is.
    pub(super) fn shortfall(&self) -> Option<String> {
        let Counts { planned, delivered, .. } = self.ledger;
        if planned != self.accounted_for() {
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

/// The reports in some files, or on standard input when there are none: a line of JSON for each, or one array of them.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Report>, Failure> {
    let texts: Vec<(String, std::io::Result<String>)> = match files {
        [] => vec![("standard input".to_owned(), std::io::read_to_string(std::io::stdin()))],
        _ => files.iter().map(|file| (file.display().to_string(), std::fs::read_to_string(file))).collect(),
    };
    let mut reports = Vec::new();
    for (name, text) in texts {
        let text = text.map_err(|error| Failure::of(&format!("cannot read {name}"), &error))?;
        if text.trim_start().starts_with('[') {
            let many = serde_json::from_str::<Vec<Report>>(&text);
            reports.extend(many.map_err(|error| Failure::of(&format!("{name} holds other than fan-outs"), &error))?);
            continue;
        }
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let report = serde_json::from_str(line);
            let failed = |error| Failure::of(&format!("line {number} of {name} is no fan-out"), &error);
            reports.push(report.map_err(failed)?);
        }
    }
    match reports.is_empty() {
        true => Err(Failure::new("there are no figures").advise("print some with: taskflow bench fanout --json")),
        false => Ok(reports),
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

/// To so many digits behind the point.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
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
            database: "sqlite".to_owned(),
            connections: 16,
            sink: "built-in".to_owned(),
            taken,
            mail_octets: None,
            seeded_s: 1.0,
            yardstick_per_s: None,
            lateness_s: Lateness::default(),
            history: History::default(),
            made: Made::default(),
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
}
