//! Why mail reached an address or did not: what is known about the address, and what follows from it. Pure.

use std::collections::HashMap;

use crate::{
    Delivery, DeliveryState, EmailAddress, NoticeKind, Recipient, Suppression, SuppressionCause, Timestamp, User,
};

/// What is known about mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailReport {
    /// The address.
    pub address: EmailAddress,
    /// When this was so.
    pub now: Timestamp,
    /// The account with this address.
    pub account: Option<User>,
    /// Why the address gets no mail, if it gets none.
    pub suppression: Option<Suppression>,
    /// Which processes send mail.
    pub senders: Senders,
    /// How many deliveries to the address are in each state.
    pub counts: HashMap<DeliveryState, u64>,
    /// The latest deliveries, newest first.
    pub recent: Vec<MailLogEntry>,
}

/// Selects deliveries. The default selects all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailLogQuery {
    /// Only these kinds; empty: all kinds.
    pub kinds: Vec<NoticeKind>,
    /// Only in these states; empty: all states. Counts are of all states.
    pub states: Vec<DeliveryState>,
    /// Only to this address: by itself, and by the account that has it now.
    pub recipient: Option<EmailAddress>,
    /// Only deliveries that were first planned at or after this time.
    pub since: Option<Timestamp>,
}

impl MailLogQuery {
    /// Whether a delivery matches but for its state. `recipients` are those that the address of the query stands for.
    #[must_use]
    pub fn is_about(&self, delivery: &Delivery, recipients: Option<&[Recipient]>) -> bool {
        let to = |one: &Recipient| match (one, &delivery.recipient) {
            (Recipient::Address(one), Recipient::Address(other)) => one.key() == other.key(),
            (one, other) => one == other,
        };
        (self.kinds.is_empty() || self.kinds.contains(&delivery.kind))
            && recipients.is_none_or(|recipients| recipients.iter().any(to))
    }
}

/// Deliveries that match a [`MailLogQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLog {
    /// How many match in each state. States without any are left out.
    pub counts: HashMap<DeliveryState, u64>,
    /// The latest of them, newest first.
    pub latest: Vec<MailLogEntry>,
}

/// A delivery and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLogEntry {
    /// The delivery.
    pub delivery: Delivery,
    /// Its address: of an account, the present one. `None` when the account is gone.
    pub email: Option<EmailAddress>,
}

/// The processes that share the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Senders {
    /// Those that are running.
    pub running: usize,
    /// Those of them that send mail.
    pub sending: usize,
}

/// One reason why mail did or did not reach an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFinding {
    /// The reason, for programs.
    pub code: MailFindingCode,
    /// The reason in one or two sentences.
    pub text: String,
}

/// What a [`MailFinding`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MailFindingCode {
    /// An active account has the address.
    Account,
    /// No account has the address; mail went to it all the same.
    Guest,
    /// Nothing is known about the address.
    Unknown,
    /// The account is locked.
    Locked,
    /// The address of the account is not verified.
    Unverified,
    /// The address is suppressed.
    Suppressed,
    /// The person has switched off some kinds of mail.
    SwitchedOff,
    /// The quiet hours of the person hold mail now.
    QuietHours,
    /// No server is running.
    NoServer,
    /// The running servers hold mail back.
    MailHeld,
    /// Mail is due and has not been sent.
    Due,
    /// The relay refused mail temporarily.
    Retrying,
    /// Mail was discarded.
    Discarded,
    /// The relay accepted mail.
    Accepted,
    /// No mail was planned.
    NoMail,
}

impl MailFindingCode {
    /// Its word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Guest => "guest",
            Self::Unknown => "unknown",
            Self::Locked => "locked",
            Self::Unverified => "unverified",
            Self::Suppressed => "suppressed",
            Self::SwitchedOff => "switched_off",
            Self::QuietHours => "quiet_hours",
            Self::NoServer => "no_server",
            Self::MailHeld => "mail_held",
            Self::Due => "due",
            Self::Retrying => "retrying",
            Self::Discarded => "discarded",
            Self::Accepted => "accepted",
            Self::NoMail => "no_mail",
        }
    }
}

impl MailReport {
    /// Whether nothing at all is known about the address.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.account.is_none() && self.suppression.is_none() && self.recent.is_empty()
    }

    /// What explains that mail reached the address or did not, the most general first.
    #[must_use]
    pub fn findings(&self) -> Vec<MailFinding> {
        let mut findings = vec![self.who()];
        findings.extend(self.suppression.as_ref().map(suppressed));
        findings.extend(self.account.as_ref().map(|user| self.wishes(user)).into_iter().flatten());
        if !self.is_unknown() {
            findings.extend(self.sending());
            findings.extend(self.deliveries());
        }
        findings
    }

    fn who(&self) -> MailFinding {
        let address = &self.address;
        match &self.account {
            Some(user) if !user.is_active => finding(
                MailFindingCode::Locked,
                format!("The account {} has this address. It is locked, so it gets no mail.", user.username),
            ),
            Some(user) if !user.email_verified => finding(
                MailFindingCode::Unverified,
                format!(
                    "The account {} has this address, but it is not verified. It gets mail about its own tasks and account; \
                     invitations to the address are sent as to a guest.",
                    user.username
                ),
            ),
            Some(user) => finding(
                MailFindingCode::Account,
                format!("The account {} has this address. It is active and the address is verified.", user.username),
            ),
            None if self.is_unknown() => finding(
                MailFindingCode::Unknown,
                format!("No account has the address {address}, and the ledger has no mail to it."),
            ),
            None => finding(
                MailFindingCode::Guest,
                "No account has this address. It gets mail only as a guest of meetings or when somebody writes to it."
                    .to_owned(),
            ),
        }
    }

    /// What the person has chosen.
    fn wishes(&self, user: &User) -> Vec<MailFinding> {
        let mut findings = Vec::new();
        let off: Vec<_> = user.preferences.off.iter().copied().map(NoticeKind::as_str).collect();
        if !off.is_empty() {
            let text = format!("The person has switched off {}. Mail of these kinds is cancelled.", off.join(", "));
            findings.push(finding(MailFindingCode::SwitchedOff, text));
        }
        let quiet = user.preferences.quiet_hours;
        if let Some((quiet, end)) = quiet.and_then(|quiet| Some((quiet, quiet.end_after(&user.time_zone, self.now)?))) {
            let text = format!(
                "The quiet hours of the person ({} to {} in {}) last until {}. Mail that can wait is sent after them.",
                quiet.from(),
                quiet.until(),
                user.time_zone,
                minute(end)
            );
            findings.push(finding(MailFindingCode::QuietHours, text));
        }
        findings
    }

    /// Whether anybody sends mail at all.
    fn sending(&self) -> Option<MailFinding> {
        match self.senders {
            Senders { running: 0, .. } => Some(finding(
                MailFindingCode::NoServer,
                "No server is running on this database, so no mail is sent.".to_owned(),
            )),
            Senders { sending: 0, .. } => Some(finding(
                MailFindingCode::MailHeld,
                "The running servers hold mail back (HOLD_MAIL=true), so no mail is sent.".to_owned(),
            )),
            Senders { .. } => None,
        }
    }

    /// What the latest deliveries show.
    fn deliveries(&self) -> Vec<MailFinding> {
        let deliveries = || self.recent.iter().map(|row| &row.delivery);
        let latest = |wanted: &dyn Fn(&Delivery) -> bool| deliveries().find(|delivery| wanted(delivery));
        let mut findings = Vec::new();
        if self.recent.is_empty() {
            findings.push(finding(MailFindingCode::NoMail, "The ledger has no mail to this address.".to_owned()));
        }
        let open = |delivery: &Delivery| delivery.state == DeliveryState::Scheduled;
        let due = deliveries().filter(|one| open(one) && one.next_at <= self.now && one.last_error.is_none()).count();
        if due > 0 {
            let text = format!("{} and waits for a server to send it.", mails(due, "is due", "are due"));
            findings.push(finding(MailFindingCode::Due, text));
        }
        if let Some(retrying) = latest(&|one| open(one) && one.last_error.is_some()) {
            let text = format!(
                "The last attempt to send {} failed: {}. The next attempt is at {}.",
                retrying.kind,
                quoted(retrying.last_error.as_deref()),
                minute(retrying.next_at)
            );
            findings.push(finding(MailFindingCode::Retrying, text));
        }
        if let Some(discarded) = latest(&|one| one.state == DeliveryState::Discarded) {
            let text = format!(
                "The latest discarded mail is {}, given up at {} after {}: {}.",
                discarded.kind,
                minute(discarded.settled_at.unwrap_or(discarded.next_at)),
                attempts(discarded.attempts),
                quoted(discarded.last_error.as_deref())
            );
            findings.push(finding(MailFindingCode::Discarded, text));
        }
        if let Some(accepted) = latest(&|one| one.state == DeliveryState::Delivered) {
            let text = format!(
                "The relay accepted the latest sent mail, {}, at {} with {}. Where it went from there is in the relay's log; \
                 its Message-ID contains {}.",
                accepted.kind,
                minute(accepted.settled_at.unwrap_or(accepted.next_at)),
                quoted(accepted.reply.as_deref()),
                accepted.id
            );
            findings.push(finding(MailFindingCode::Accepted, text));
        }
        findings
    }

    /// What became of a delivery, or what comes next, as a sentence without its full stop.
    #[must_use]
    pub fn explain(&self, delivery: &Delivery) -> String {
        let settled = minute(delivery.settled_at.unwrap_or(delivery.next_at));
        let refused = match delivery.attempts {
            0 => String::new(),
            count => format!(" after {}", attempts(count)),
        };
        match delivery.state {
            DeliveryState::Delivered => {
                format!("accepted by the relay at {settled}{refused}: {}", quoted(delivery.reply.as_deref()))
            }
            DeliveryState::Discarded => {
                format!("discarded at {settled}{refused}: {}", quoted(delivery.last_error.as_deref()))
            }
            DeliveryState::Cancelled => format!("cancelled at {settled}: {}", delivery.reason),
            DeliveryState::Expired => format!("expired at {settled}: {}", delivery.reason),
            DeliveryState::Claimed => "being sent now".to_owned(),
            DeliveryState::Scheduled => self.next(delivery),
        }
    }

    fn next(&self, delivery: &Delivery) -> String {
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
}

fn suppressed(suppression: &Suppression) -> MailFinding {
    let cause = match suppression.cause {
        SuppressionCause::Refused => "the relay refused the mailbox",
        SuppressionCause::Bounce => "a bounce said that it takes no mail",
        SuppressionCause::Complaint => "its reader reported mail as unwanted",
        SuppressionCause::Admin => "an administrator suppressed it",
    };
    let detail = match suppression.detail.trim() {
        "" => String::new(),
        detail => format!(": {}", quoted(Some(detail))),
    };
    let kept = match suppression.cause {
        SuppressionCause::Admin => "",
        _ => " Only some of what the person asks for themself is still sent.",
    };
    let text = format!(
        "The address has been suppressed since {}, because {cause}{detail}. Mail to it is cancelled until an administrator \
         removes the suppression.{kept}",
        minute(suppression.at)
    );
    finding(MailFindingCode::Suppressed, text)
}

fn finding(code: MailFindingCode, text: String) -> MailFinding {
    MailFinding { code, text }
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn mails(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 mail {one}") } else { format!("{count} mails {several}") }
}

/// What somebody else said, on one line; `no reason` when they said nothing.
fn quoted(text: Option<&str>) -> String {
    match text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")) {
        Some(text) if !text.is_empty() => format!("\"{text}\""),
        Some(_) | None => "no reason".to_owned(),
    }
}

/// An instant to the minute, in UTC.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}

#[cfg(test)]
mod tests;
