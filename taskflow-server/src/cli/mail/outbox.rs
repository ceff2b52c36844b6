//! `taskflow mail outbox`: the ledger of deliveries, newest first.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use taskflow_core::{Actor, DeliveryState, EmailAddress, MailLogQuery, NoticeKind, Timestamp};

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
enum Since {
    Ago(Duration),
    At(Timestamp),
}

fn state() -> impl TypedValueParser<Value = DeliveryState> {
    PossibleValuesParser::new(DeliveryState::ALL.map(DeliveryState::as_str))
        .try_map(|word| word.parse::<DeliveryState>())
}

fn kind() -> impl TypedValueParser<Value = NoticeKind> {
    PossibleValuesParser::new(NoticeKind::ALL.map(NoticeKind::as_str)).try_map(|word| word.parse::<NoticeKind>())
}

fn since(text: &str) -> Result<Since, String> {
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
    /// How many deliveries are in each state, whatever --state says.
    counts: BTreeMap<&'static str, u64>,
    /// Newest first.
    deliveries: Vec<Shown>,
}

impl Report for Page {
    fn text(&self) -> String {
        let table = match self.deliveries.is_empty() {
            true => "no mail matches".to_owned(),
            false => output::table(["DUE", "STATE", "TO", "KIND", "ANSWER"], self.deliveries.iter().map(row)),
        };
        match ledger::counted(&self.counts).as_str() {
            "" => table,
            counted => format!("{table}\n\n{counted}"),
        }
    }
}

fn row(shown: &Shown) -> [String; 5] {
    let to = shown.email.clone().unwrap_or_else(|| "(account deleted)".to_owned());
    [ledger::minute(shown.due_at), shown.state.to_owned(), to, shown.kind.to_owned(), ledger::answer(shown)]
}

/// Prints the deliveries that were asked for.
pub(super) async fn run(outbox: &Outbox, opened: &Opened, format: Format) -> Result<(), Failure> {
    let now = opened.clock.now();
    let query = MailLogQuery {
        kinds: outbox.kind.clone(),
        states: outbox.state.clone(),
        recipient: outbox.address.clone(),
        since: outbox.since.map(|since| match since {
            Since::Ago(ago) => now - ago,
            Since::At(at) => at,
        }),
    };
    let log = opened.app.mail_log(Actor::System, &query, outbox.limit as usize).await;
    let log = log.map_err(|error| Failure::of("cannot read the outbox", &error))?;
    let deliveries = log.latest.into_iter().map(Shown::from).collect();
    format.print(&Page { counts: ledger::counts(&log.counts), deliveries })
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
