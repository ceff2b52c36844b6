//! `taskflow mail why`: why mail reached somebody or did not, and what to do.

use std::collections::BTreeMap;

use serde::Serialize;
use taskflow_core::{
    Actor, EmailAddress, Error, Login, MailFinding, MailFindingCode, MailReport, Suppression, Timestamp,
};

use super::ledger::{self, Shown};
use crate::cli::failure::{Failure, Reason};
use crate::cli::output::{Format, Report};
use crate::config::{Config, nearest_word, wrapped};
use crate::wiring::Opened;

/// Deliveries that are shown.
const RECENT: u32 = 10;
/// Columns of the text.
const WIDTH: usize = 100;

/// The reasons why mail did or did not reach an address.
#[derive(Debug, Serialize)]
struct Why {
    address: String,
    username: Option<String>,
    suppressed_since: Option<Timestamp>,
    findings: Vec<Finding>,
    /// Number of deliveries in each state.
    counts: BTreeMap<&'static str, u64>,
    /// The latest deliveries, the one that was planned last first.
    deliveries: Vec<Explained>,
}

#[derive(Debug, Serialize)]
struct Finding {
    code: &'static str,
    text: String,
    /// Advice on how to resolve the finding.
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
struct Explained {
    #[serde(flatten)]
    delivery: Shown,
    explanation: String,
}

impl Report for Why {
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.address);
        for finding in &self.findings {
            text.push_str(&format!("\n  {}", wrapped(&finding.text, WIDTH - 2).join("\n  ")));
            if let Some(advice) = &finding.advice {
                text.push_str(&format!("\n    → {}", wrapped(advice, WIDTH - 6).join("\n      ")));
            }
        }
        if !self.deliveries.is_empty() {
            let counted = ledger::counted(&self.counts);
            text.push_str(&format!("\n\nLatest mail ({counted} in all):\n"));
        }
        for Explained { delivery, explanation } in &self.deliveries {
            text.push_str(&format!("\n  {}  {}  {}", ledger::minute(delivery.due_at), delivery.id, delivery.kind));
            text.push_str(&format!("\n    {}", wrapped(explanation, WIDTH - 4).join("\n    ")));
        }
        text
    }
}

/// Prints why mail did or did not reach the account of that name, or that address.
pub(super) async fn run(who: &str, config: &Config, opened: &Opened, format: Format) -> Result<(), Failure> {
    let address = address(who, opened).await?;
    let report = opened.app.mail().report(Actor::System, &address, RECENT).await;
    let report = report.map_err(|error| Failure::of("cannot read the outbox", &error))?;
    if report.is_unknown() {
        return Err(unknown(&report, opened).await);
    }
    let mut findings: Vec<_> = report.findings().into_iter().map(|finding| advised(finding, &report)).collect();
    findings.extend(relay(config));
    let deliveries = report
        .recent
        .iter()
        .map(|row| Explained { explanation: report.explain(&row.delivery), delivery: row.clone().into() });
    format.print(&Why {
        username: report.account.as_ref().map(|user| user.username.to_string()),
        suppressed_since: report.suppression.as_ref().map(|Suppression { at, .. }| *at),
        findings,
        counts: ledger::counts(&report.counts),
        deliveries: deliveries.collect(),
        address: report.address.to_string(),
    })
}

/// The address that was typed, or the one of the account with that name.
async fn address(who: &str, opened: &Opened) -> Result<EmailAddress, Failure> {
    if who.contains('@') {
        return who
            .trim()
            .parse()
            .map_err(|error| Failure::new(format!("ADDRESS {error}, got {who:?}")).because(Reason::Usage));
    }
    let account = opened.accounts().account(&Login::parse(who)).await;
    let account = account.map_err(|error| Failure::of("cannot look the account up", &Error::from(error)))?;
    let absent = || {
        Failure::new(format!("no account has the name {who:?}"))
            .advise("write an e-mail address, or see: taskflow user list")
            .because(Reason::NotFound)
    };
    account.map(|account| account.user.email).ok_or_else(absent)
}

/// Nothing is known about an address; a similar one may be meant.
async fn unknown(report: &MailReport, opened: &Opened) -> Failure {
    let said = report.findings().into_iter().map(|finding| finding.text).collect::<Vec<_>>().join(" ");
    let known = crate::cli::user::all(opened).await.unwrap_or_default();
    let near = nearest_word(report.address.as_str(), known.iter().map(|user| user.email.to_string()));
    let advice = match near {
        Some(near) => format!("did you mean {near}?"),
        None => {
            "check the spelling; mail that was settled longer ago than LEDGER_DAYS is no longer in the ledger".into()
        }
    };
    Failure::new(said.trim_end_matches('.')).advise(advice).because(Reason::NotFound)
}

/// A finding with what to do about it on this command line.
fn advised(finding: MailFinding, report: &MailReport) -> Finding {
    let username = report.account.as_ref().map(|user| user.username.to_string()).unwrap_or_default();
    let address = &report.address;
    let advice = match finding.code {
        MailFindingCode::Locked => Some(format!("unlock the account with: taskflow user enable {username}")),
        MailFindingCode::Unverified => Some(
            "the person verifies it by the link in the welcome mail, or asks for another in their profile".to_owned(),
        ),
        MailFindingCode::Suppressed => Some(format!(
            "when the mailbox exists and the person wants mail, run: taskflow mail unsuppress {address}; otherwise ask for \
             another address"
        )),
        MailFindingCode::SwitchedOff => {
            Some("only the person can switch them on again, in their notification settings".into())
        }
        MailFindingCode::Unsubscribed => {
            Some("only the person can subscribe again, by the link in a mail they have".into())
        }
        MailFindingCode::NoServer => Some("start one with: taskflow serve".to_owned()),
        MailFindingCode::MailHeld => Some("restart a server with HOLD_MAIL=false".to_owned()),
        MailFindingCode::Retrying => Some("test the relay with: taskflow mail test ADDRESS".to_owned()),
        MailFindingCode::Discarded => {
            let again = |id| format!("when the cause is gone, send it again with: taskflow mail retry {id}");
            report.last_discarded.as_ref().map(|one| again(one.id))
        }
        MailFindingCode::Accepted => Some("look into the spam folder, then into the relay's log".to_owned()),
        _ => None,
    };
    Finding { code: finding.code.as_str(), text: finding.text, advice }
}

/// Mail goes nowhere without a relay, as far as the settings of this command say.
fn relay(config: &Config) -> Option<Finding> {
    if config.smtp.is_some() {
        return None;
    }
    let text = "SMTP_SERVER is not set here: with these settings a server sends no mail, but shows it at /mailbox.";
    let advice = Some("set SMTP_SERVER, or run this command with the settings of the server".to_owned());
    Some(Finding { code: "no_relay", text: text.to_owned(), advice })
}
