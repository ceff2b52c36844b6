//! `taskflow mail retry` and `taskflow mail cancel`: one delivery by its id, or all that a filter selects.

use serde::Serialize;
use taskflow_core::{
    Actor, App, BulkReport, ChannelKind, DeliveryFilter, DeliveryId, DeliveryState, EmailAddress, Error, NoticeKind,
    ReplyCode,
};

use super::outbox::{Since, kind, since, state};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Report};
use crate::wiring::Opened;

/// Selects one delivery, or all to which every given condition applies.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct Selected {
    /// Its id, which outbox and why print
    #[arg(value_name = "ID", value_parser = super::delivery, conflicts_with_all = [
        "state", "kind", "channel", "recipient", "error", "code", "due_after", "due_before", "dry_run",
    ])]
    id: Option<DeliveryId>,
    /// Only deliveries in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state())]
    state: Vec<DeliveryState>,
    /// Only this kind of mail, as in task_due; may be repeated
    #[arg(long, value_name = "KIND", value_parser = kind(), hide_possible_values = true)]
    kind: Vec<NoticeKind>,
    /// Only on this channel
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    channel: Option<ChannelKind>,
    /// Only mail to this address
    #[arg(long, value_name = "ADDRESS", value_parser = super::address)]
    recipient: Option<EmailAddress>,
    /// Only those whose last error contains this text
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only those whose last error contains this code, as in 550 or 5.7.1
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<ReplyCode>,
    /// Only those due since then: 30m, 12h, 7d, or 2026-03-29T07:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    due_after: Option<Since>,
    /// Only those due before then
    #[arg(long, value_name = "TIME", value_parser = since)]
    due_before: Option<Since>,
    /// Count them and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn channel(text: &str) -> Result<ChannelKind, String> {
    text.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
}

fn code(text: &str) -> Result<ReplyCode, String> {
    text.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
}

/// The change of the deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Retry,
    Cancel,
}

/// A delivery that was changed.
#[derive(Debug, Serialize)]
struct One {
    id: DeliveryId,
    kind: &'static str,
    state: &'static str,
}

impl Report for One {
    fn text(&self) -> String {
        match self.state {
            "cancelled" => format!("{} is cancelled", self.kind),
            "claimed" => format!("{} is being sent and may still arrive; otherwise it is cancelled", self.kind),
            _ => format!("{} is due now; it is sent if it is still worth a mail", self.kind),
        }
    }
}

/// The deliveries that a filter selected.
#[derive(Debug, Serialize)]
struct Many {
    matched: u64,
    changed: u64,
    dry_run: bool,
    #[serde(skip)]
    action: Action,
    #[serde(skip)]
    more: bool,
}

impl Report for Many {
    fn text(&self) -> String {
        let Self { matched, changed, .. } = self;
        let what = match self.action {
            Action::Retry => "due now; each is sent if it is still worth a mail",
            Action::Cancel => "cancelled; those that were being sent may still arrive",
        };
        let at_least = if self.more { "more than " } else { "" };
        match (self.dry_run, changed == matched) {
            (true, _) => format!("{at_least}{matched} deliveries match; nothing was changed"),
            (false, true) => format!("{changed} deliveries are {what}"),
            (false, false) => format!("{changed} of {matched} deliveries are {what}; the others changed meanwhile"),
        }
    }
}

/// Retries or cancels what was selected.
pub(super) async fn run(selected: &Selected, action: Action, opened: &Opened, format: Format) -> Result<(), Failure> {
    let doing = match action {
        Action::Retry => "cannot send the mail again",
        Action::Cancel => "cannot cancel the mail",
    };
    let failed = |error: Error| Failure::of(doing, &error);
    if let Some(id) = selected.id {
        return format.print(&one(id, action, &opened.app).await.map_err(failed)?);
    }
    let now = opened.clock.now();
    let at = |since: Since| since.at(now);
    let mut filter = DeliveryFilter {
        states: selected.state.clone(),
        kinds: selected.kind.clone(),
        channel: selected.channel,
        recipient: selected.recipient.clone(),
        error: selected.error.clone().filter(|text| !text.is_empty()),
        code: selected.code.clone(),
        due_from: selected.due_after.map(at),
        due_before: selected.due_before.map(at),
        as_of: None,
    };
    let mut all = Many { matched: 0, changed: 0, dry_run: selected.dry_run, action, more: false };
    loop {
        let report = many(&filter, action, selected.dry_run, &opened.app).await.map_err(failed)?;
        (all.matched, all.changed, all.more) =
            (all.matched + report.matched, all.changed + report.changed, report.more);
        if selected.dry_run || !report.more || report.changed == 0 {
            return format.print(&all);
        }
        filter.as_of = Some(report.as_of);
    }
}

async fn one(id: DeliveryId, action: Action, app: &App) -> Result<One, Error> {
    let delivery = match action {
        Action::Retry => app.deliveries().retry(Actor::System, id).await?,
        Action::Cancel => app.deliveries().cancel(Actor::System, id).await?,
    };
    Ok(One { id, kind: delivery.kind.as_str(), state: delivery.state.as_str() })
}

async fn many(filter: &DeliveryFilter, action: Action, dry_run: bool, app: &App) -> Result<BulkReport, Error> {
    match action {
        Action::Retry => app.deliveries().retry_selected(Actor::System, filter, dry_run).await,
        Action::Cancel => app.deliveries().cancel_selected(Actor::System, filter, dry_run).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_changed_and_what_was_not() {
        let many = |matched, changed, dry_run, more| Many { matched, changed, dry_run, action: Action::Retry, more };
        assert_eq!(many(3, 0, true, false).text(), "3 deliveries match; nothing was changed");
        assert_eq!(many(50_000, 0, true, true).text(), "more than 50000 deliveries match; nothing was changed");
        assert!(many(3, 3, false, false).text().starts_with("3 deliveries are due now"));
        assert!(many(3, 2, false, false).text().starts_with("2 of 3 deliveries are due now"));
    }
}
