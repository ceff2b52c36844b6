//! `taskflow mail outbox`: the ledger of deliveries, the one that was planned last first.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use taskflow_core::{Actor, DeliveryState, EmailAddress, LedgerQuery, NoticeKind, Timestamp};

use super::ledger::{self, Shown};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Format, Report};
use crate::wiring::Opened;

/// Which deliveries.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Outbox {
    /// Only mail to this address
    #[arg(value_name = "ADDRESS", value_parser = super::address)]
    address: Option<EmailAddress>,
    /// Only deliveries in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state())]
    state: Vec<DeliveryState>,
    /// Only this kind of mail, as in task_due; may be repeated
    #[arg(long, value_name = "KIND", value_parser = kind(), hide_possible_values = true)]
    kind: Vec<NoticeKind>,
    /// Only deliveries planned since then: 30m, 12h, 7d, or 2026-03-29T07:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Show at most this many
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// A moment in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Ago(Duration),
    At(Timestamp),
}

impl Since {
    /// Returns the time that is meant at `now`.
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => now - ago,
            Self::At(at) => at,
        }
    }
}

pub(super) fn state() -> impl TypedValueParser<Value = DeliveryState> {
    PossibleValuesParser::new(DeliveryState::ALL.map(DeliveryState::as_str))
        .try_map(|word| word.parse::<DeliveryState>())
}

pub(super) fn kind() -> impl TypedValueParser<Value = NoticeKind> {
    PossibleValuesParser::new(NoticeKind::ALL.map(NoticeKind::as_str)).try_map(|word| word.parse::<NoticeKind>())
}

pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(at) = text.parse() {
        return Ok(Since::At(at));
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("must be a time such as 30m, 12h, 7d or 2026-03-29T07:00:00Z".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|_| "must begin with a number, as in 12h".to_owned())?;
    Ok(Since::Ago(Duration::from_secs(u64::from(number) * seconds)))
}

/// The latest deliveries.
#[derive(Debug, Serialize)]
struct Page {
    /// Number of deliveries in each state, regardless of `--state`.
    counts: BTreeMap<&'static str, u64>,
    /// The one that was planned last first.
    deliveries: Vec<Shown>,
}

impl Report for Page {
    fn text(&self) -> String {
        let table = match self.deliveries.is_empty() {
            true => "no mail matches".to_owned(),
            false => rows(&self.deliveries),
        };
        match ledger::counted(&self.counts).as_str() {
            "" => table,
            counted => format!("{table}\n\n{counted}"),
        }
    }
}

/// Columns of the text.
const WIDTH: usize = 100;

/// Two lines for each delivery: an id leaves no room for an address beside it.
fn rows(deliveries: &[Shown]) -> String {
    let table = output::table(["ID", "PLANNED", "SENT", "STATE"], deliveries.iter().map(times));
    let mut lines = table.lines();
    let mut text = lines.next().unwrap_or_default().to_owned();
    for (line, delivery) in lines.zip(deliveries) {
        text.push_str(&format!("\n{line}\n    {}", ledger::shortened(&about(delivery), WIDTH - 4)));
    }
    text
}

fn times(shown: &Shown) -> [String; 4] {
    let sent = shown.settled_at.filter(|_| shown.state == "delivered").map(ledger::minute);
    let planned = ledger::minute(shown.planned_at);
    [shown.id.to_string(), planned, sent.unwrap_or_default(), shown.state.to_owned()]
}

/// Describes a mail: its kind, its due time if that differs from its planned time, and the last answer about it.
fn about(shown: &Shown) -> String {
    let to = shown.email.as_deref().unwrap_or("(account deleted)");
    let (due, planned) = (ledger::minute(shown.due_at), ledger::minute(shown.planned_at));
    let due = if due == planned { String::new() } else { format!(", due {due}") };
    let answer = match ledger::answer(shown) {
        answer if answer.is_empty() => answer,
        answer => format!(": {answer}"),
    };
    format!("{} to {to}{due}{answer}", shown.kind)
}

/// Prints the deliveries that were asked for.
pub(super) async fn run(outbox: &Outbox, opened: &Opened, format: Format) -> Result<(), Failure> {
    let now = opened.clock.now();
    let query = LedgerQuery {
        kinds: outbox.kind.clone(),
        states: outbox.state.clone(),
        recipient: outbox.address.clone(),
        since: outbox.since.map(|since| since.at(now)),
        words: Vec::new(),
    };
    let failed = |error| Failure::of("cannot read the outbox", &error);
    let page = opened.app.deliveries().page(Actor::System, &query, None, outbox.limit).await.map_err(failed)?;
    let counts = opened.app.deliveries().counts(Actor::System, &query).await.map_err(failed)?;
    let deliveries = page.rows.into_iter().map(Shown::from).collect();
    format.print(&Page { counts: ledger::counts(&counts), deliveries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_the_past_is_a_span_or_an_instant() {
        assert_eq!(since("90m"), Ok(Since::Ago(Duration::from_mins(90))));
        assert_eq!(since("7d"), Ok(Since::Ago(Duration::from_hours(7 * 24))));
        assert!(matches!(since("2026-03-29T07:00:00Z"), Ok(Since::At(_))));
        for wrong in ["", "h", "yesterday", "12", "-1h", "1y", "12 h"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
