//! Report on whether mail reaches an address and why: the known facts about the address, and the findings that follow
//! from them. Pure.

mod explain;

use std::collections::{BTreeSet, HashMap};

use crate::{
    CapturedMail, Delivery, DeliveryState, EmailAddress, LedgerRow, NoticeKind, Suppression, SuppressionCause,
    Timestamp, User,
};
use explain::{attempts, minute, quoted};

/// The known facts about mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailReport {
    /// The address.
    pub address: EmailAddress,
    /// The time of the report.
    pub now: Timestamp,
    /// The account with this address.
    pub account: Option<User>,
    /// The suppression of the address, if it is suppressed.
    pub suppression: Option<Suppression>,
    /// The kinds of mail that the address has unsubscribed from as a guest.
    pub unsubscribed: BTreeSet<NoticeKind>,
    /// Counts of the processes that send mail.
    pub senders: Senders,
    /// Number of deliveries to the address by state, each at most [`App::MOST_COUNTED`](crate::App::MOST_COUNTED).
    pub counts: HashMap<DeliveryState, u64>,
    /// The latest deliveries, the one that was planned last first.
    pub recent: Vec<LedgerRow>,
    /// The deliveries that wait to be sent, the one that was planned last first.
    pub scheduled: Vec<Delivery>,
    /// The delivery that was accepted last.
    pub last_delivered: Option<Delivery>,
    /// The delivery that was discarded last.
    pub last_discarded: Option<Delivery>,
}

/// The processes that share the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Senders {
    /// Number of running processes.
    pub running: usize,
    /// Number of running processes that send mail.
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

/// The subject of a [`MailFinding`].
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
    /// The user has switched off some kinds of mail.
    SwitchedOff,
    /// The guest has unsubscribed from some kinds of mail.
    Unsubscribed,
    /// The quiet hours of the user hold mail now.
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
    /// Mail was kept in the mailbox of the service instead of being sent.
    Captured,
    /// No mail was planned.
    NoMail,
}

impl MailFindingCode {
    /// Returns its name in JSON.
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
            Self::Unsubscribed => "unsubscribed",
            Self::QuietHours => "quiet_hours",
            Self::NoServer => "no_server",
            Self::MailHeld => "mail_held",
            Self::Due => "due",
            Self::Retrying => "retrying",
            Self::Discarded => "discarded",
            Self::Accepted => "accepted",
            Self::Captured => "captured",
            Self::NoMail => "no_mail",
        }
    }
}

impl MailReport {
    /// Returns whether nothing at all is known about the address.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.account.is_none() && self.suppression.is_none() && self.unsubscribed.is_empty() && self.recent.is_empty()
    }

    /// Returns the findings that explain why mail reached the address or did not, the most general first.
    #[must_use]
    pub fn findings(&self) -> Vec<MailFinding> {
        let mut findings = vec![self.who()];
        findings.extend(self.suppression.as_ref().map(suppressed));
        findings.extend(self.account.as_ref().map(|user| self.wishes(user)).into_iter().flatten());
        findings.extend(self.ended());
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
                    "The account {} has this address, but it is not verified. It gets mail about its account, and \
                     about its own tasks unless the service requires verified addresses (REQUIRE_VERIFIED_EMAIL); \
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

    /// Returns the findings about the user's own preferences.
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

    /// Returns the finding about kinds that the address unsubscribed from through links in mail to a guest. `None` for
    /// an account that has verified the address, because its preferences include them.
    fn ended(&self) -> Option<MailFinding> {
        let kinds: Vec<_> = self.unsubscribed.iter().copied().map(NoticeKind::as_str).collect();
        if kinds.is_empty() || self.account.as_ref().is_some_and(|user| user.email_verified) {
            return None;
        }
        let text = format!(
            "The guest has unsubscribed from {}. Mail of these kinds to the address is cancelled.",
            kinds.join(", ")
        );
        Some(finding(MailFindingCode::Unsubscribed, text))
    }

    /// Returns a finding if no process sends mail.
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

    /// Returns the findings about the latest deliveries.
    fn deliveries(&self) -> Vec<MailFinding> {
        let mut findings = Vec::new();
        if self.recent.is_empty() {
            findings.push(finding(MailFindingCode::NoMail, "The ledger has no mail to this address.".to_owned()));
        }
        let leaves = || self.scheduled.iter().filter(|one| self.is_stopped(one).is_none());
        match leaves().filter(|one| one.next_at <= self.now && one.last_error.is_none()).count() {
            0 => {}
            1 => {
                findings
                    .push(finding(MailFindingCode::Due, "1 mail is due and waits for a server to send it.".to_owned()));
            }
            due => {
                let text = format!("{due} mails are due and wait for a server to send them.");
                findings.push(finding(MailFindingCode::Due, text));
            }
        }
        if let Some(retrying) = leaves().find(|one| one.last_error.is_some()) {
            let text = format!(
                "The last attempt to send {} failed: {}. The next attempt is at {}.",
                retrying.kind,
                quoted(retrying.last_error.as_deref()),
                minute(retrying.next_at)
            );
            findings.push(finding(MailFindingCode::Retrying, text));
        }
        if let Some(discarded) = &self.last_discarded {
            let text = format!(
                "The latest discarded mail is {}, given up at {} after {}: {}.",
                discarded.kind,
                minute(discarded.settled_at.unwrap_or(discarded.next_at)),
                attempts(discarded.attempts),
                quoted(discarded.last_error.as_deref())
            );
            findings.push(finding(MailFindingCode::Discarded, text));
        }
        findings.extend(self.last_delivered.as_ref().map(accepted));
        findings
    }
}

/// Returns the finding about the mail that was accepted last.
fn accepted(delivery: &Delivery) -> MailFinding {
    let (kind, at) = (delivery.kind, minute(delivery.settled_at.unwrap_or(delivery.next_at)));
    if delivery.reply.as_deref() == Some(CapturedMail::REPLY) {
        let text = format!("The latest mail, {kind}, was kept at /mailbox at {at}; nothing has left this machine.");
        return finding(MailFindingCode::Captured, text);
    }
    let (reply, id) = (quoted(delivery.reply.as_deref()), delivery.id);
    let text = format!(
        "The relay accepted the latest sent mail, {kind}, at {at} with {reply}. Where it went from there is in the relay's \
         log; its Message-ID contains {id}."
    );
    finding(MailFindingCode::Accepted, text)
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

#[cfg(test)]
mod tests;
