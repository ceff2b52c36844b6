//! Explains in words the outcome of a delivery, or its next step.

use super::MailReport;
use crate::{CapturedMail, Delivery, DeliveryState, Recipient, Timestamp};

impl MailReport {
    /// Returns the outcome of a delivery, or its next step, as a sentence without its full stop.
    #[must_use]
    pub fn explain(&self, delivery: &Delivery) -> String {
        let what = self.outcome(delivery);
        // Whoever compares the two times would look for a delay that there was not.
        if minute(delivery.planned_at) > minute(delivery.due_at) {
            let what = what.strip_prefix("due, ").unwrap_or(&what);
            format!("planned at {}, already due; {what}", minute(delivery.planned_at))
        } else {
            what
        }
    }

    fn outcome(&self, delivery: &Delivery) -> String {
        let settled = minute(delivery.settled_at.unwrap_or(delivery.next_at));
        let after = |count: String| if delivery.attempts == 0 { String::new() } else { format!(" after {count}") };
        match delivery.state {
            DeliveryState::Delivered if delivery.reply.as_deref() == Some(CapturedMail::REPLY) => {
                format!("kept at /mailbox at {settled}; nothing has left this machine")
            }
            DeliveryState::Delivered => {
                let refusals = after(counted(delivery.attempts, "refusal"));
                format!("accepted by the relay at {settled}{refusals}: {}", quoted(delivery.reply.as_deref()))
            }
            DeliveryState::Discarded => {
                let attempts = after(attempts(delivery.attempts));
                format!("discarded at {settled}{attempts}: {}", quoted(delivery.last_error.as_deref()))
            }
            DeliveryState::Cancelled => format!("cancelled at {settled}: {}", delivery.reason),
            DeliveryState::Expired => format!("expired at {settled}: {}", delivery.reason),
            DeliveryState::Claimed => "being sent now".to_owned(),
            DeliveryState::Scheduled => self.next(delivery),
        }
    }

    fn next(&self, delivery: &Delivery) -> String {
        if let Some(why) = self.is_stopped(delivery) {
            return format!("will be cancelled: {why}");
        }
        let next = minute(delivery.next_at);
        match &delivery.last_error {
            Some(error) => format!(
                "{} failed, the next one is at {next}: {}",
                attempts(delivery.attempts.max(1)),
                quoted(Some(error.as_str()))
            ),
            None if delivery.next_at <= self.now => "due, waits for a server to send it".to_owned(),
            None if delivery.next_at > delivery.due_at && delivery.due_at <= self.now => format!("held until {next}"),
            None => format!("leaves at {next}"),
        }
    }

    /// Returns the reason a waiting delivery will be cancelled when it is due, as far as that is known. The sender
    /// makes the same checks then.
    pub(super) fn is_stopped(&self, delivery: &Delivery) -> Option<String> {
        let kind = delivery.kind;
        let is_admitted =
            |suppression: &crate::Suppression| delivery.notice.as_ref().is_ok_and(|notice| suppression.admits(notice));
        if self.suppression.as_ref().is_some_and(|suppression| !is_admitted(suppression)) {
            return Some("the address is suppressed".to_owned());
        }
        let is_to_account = matches!(delivery.recipient, Recipient::User(_));
        // Mail to an address that an account has verified follows the settings of the account.
        match self.account.as_ref().filter(|user| is_to_account || user.email_verified) {
            Some(user) if is_to_account && !user.is_active => Some("the account is locked".to_owned()),
            Some(user) if !user.preferences.wants(kind) => Some(format!("the person has switched off {kind}")),
            None if self.unsubscribed.contains(&kind) && kind.can_be_switched_off() => {
                Some(format!("the guest has unsubscribed from {kind}"))
            }
            Some(_) | None => None,
        }
    }
}

pub(super) fn attempts(count: u32) -> String {
    counted(count, "attempt")
}

fn counted(count: u32, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

/// Returns text of others in quotation marks and on one line; `no reason` if there is no text.
pub(super) fn quoted(text: Option<&str>) -> String {
    match text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")) {
        Some(text) if !text.is_empty() => format!("\"{text}\""),
        Some(_) | None => "no reason".to_owned(),
    }
}

/// Formats an instant to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}
