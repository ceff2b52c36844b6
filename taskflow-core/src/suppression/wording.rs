//! Decides whether a relay's reply about a recipient means that there is no such mailbox.
//!
//! A status (RFC 3463) decides if it is meaningful. Large providers often send a meaningless one (5.0.0, 5.4.1, 5.5.0)
//! or none at all; then their words decide. Words about the sender, this mail or a temporary condition win over words
//! about the mailbox: a wrong suppression costs the reader more than another attempt.

/// The meaning of a status for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// There is no such mailbox, or none any more.
    Gone,
    /// Something else: a full mailbox, policy, the network.
    Otherwise,
    /// Nothing: the words decide.
    Unclear,
}

/// Returns whether a status (RFC 3463 §3.2, §3.3) says that there is no such mailbox, or no longer. A full mailbox
/// (5.2.2), policy (5.7.z), a refused sender (5.1.8) or a network that gave up (5.4.7) are no fault of the address.
#[must_use]
pub fn says_there_is_no_mailbox(status: &str) -> bool {
    meaning(status) == Meaning::Gone
}

fn meaning(status: &str) -> Meaning {
    match status {
        "5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1" => Meaning::Gone,
        // "Other or undefined" in its class, and what providers use as such: Exchange says "Recipient address rejected:
        // Access denied" with 5.4.1 and "unknown recipient" with 5.1.351, Outlook.com "mailbox unavailable" with 5.5.0,
        // Postfix "Host not found" with 5.4.4, Exchange "DNS domain does not exist" with 5.4.310.
        "5.0.0" | "5.1.0" | "5.2.0" | "5.3.0" | "5.4.0" | "5.4.1" | "5.4.4" | "5.5.0" | "5.1.351" | "5.4.310" => {
            Meaning::Unclear
        }
        _ => Meaning::Otherwise,
    }
}

/// Returns whether the reply of a relay to RCPT says that there is no such mailbox. The status in the reply decides if
/// there is one (550 alone can also mean policy), otherwise the words that relays use.
#[must_use]
pub fn refuses_the_mailbox(code: u16, text: &str) -> bool {
    matches!(code, 550..=559) && says_gone(status_in(text), text)
}

/// Returns whether a bounce means that the address gets no more mail, by its status (RFC 3463) or reply code and the
/// words of the relay. The rule is that of a relay that refuses a recipient. A status that says nothing, such as 5.0.0,
/// or a bare code leaves the decision to the words, as in `550 5.1.1 no such user`.
#[must_use]
pub fn bounce_is_for_good(status: &str, said: &str) -> bool {
    if status.contains('.') && meaning(status) != Meaning::Unclear {
        return says_gone(Some(status), said);
    }
    let code = code_in(said).or_else(|| status.parse().ok()).unwrap_or(550);
    if !matches!(code, 550..=559) {
        return false;
    }
    let within = status_in(said).filter(|within| *within != "5.0.0");
    says_gone(within.or(Some(status).filter(|status| status.contains('.'))), said)
}

fn says_gone(status: Option<&str>, said: &str) -> bool {
    let words = || Words::of(said);
    match status.map(meaning) {
        // Gmail says so also of a reader who gets too much mail today.
        Some(Meaning::Gone) => !(status == Some("5.2.1") && words().contains(&["at a rate", "rate limit", "too many"])),
        Some(Meaning::Otherwise) => false,
        Some(Meaning::Unclear) | None => {
            let words = words();
            let edge = status == Some("5.4.1") && words.contains(&["recipient address rejected access denied"]);
            edge || words.say_gone()
        }
    }
}

/// Returns the status of a permanent failure at the start of a reply's text (RFC 2034 §4).
pub(crate) fn status_of(text: &str) -> Option<&str> {
    text.split_whitespace().next().filter(|word| word.starts_with("5.") && word.matches('.').count() == 2)
}

/// Returns whether the words of a relay concern the sender, the mail or a temporary condition rather than a mailbox.
#[must_use]
pub(crate) fn speaks_of_us(text: &str) -> bool {
    Words::of(text).contains(&OTHERWISE)
}

/// Returns the first status anywhere in a text, as in `550-5.1.1 gone` or `Sorry. (#5.1.1)`.
pub(crate) fn status_in(text: &str) -> Option<&str> {
    let mut candidates = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
    candidates.find(|word| {
        let mut parts = word.split('.');
        let class = parts.next().is_some_and(|class| matches!(class, "4" | "5"));
        let numbers = parts.clone().count() == 2 && parts.all(|part| (1..=3).contains(&part.len()));
        class && numbers
    })
}

/// Returns the reply code (RFC 5321 §4.2) in a text: at its start, or after an introduction, as in `said: 550 gone`.
fn code_in(text: &str) -> Option<u16> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '@'));
    words.find(|word| matches!(word.as_bytes(), [b'4' | b'5', b'0'..=b'5', b'0'..=b'9']))?.parse().ok()
}

/// A text as words between single spaces, in lower case, without addresses and names of hosts, which mean nothing here.
struct Words(String);

impl Words {
    fn of(text: &str) -> Self {
        let mut words = " ".to_owned();
        let between = |c: char| c.is_whitespace() || "<>()[]\",;:=".contains(c);
        for token in text.split(between).filter(|token| !token.is_empty() && !names_a_host(token)) {
            for c in token.chars() {
                match c {
                    '\u{2019}' | '\'' => words.push('\''),
                    c if c.is_alphanumeric() => words.extend(c.to_lowercase()),
                    _ if words.ends_with(' ') => {}
                    _ => words.push(' '),
                }
            }
            if !words.ends_with(' ') {
                words.push(' ');
            }
        }
        Self(words)
    }

    /// Returns whether the text contains one of these phrases, each starting at a word.
    fn contains(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.0.match_indices(phrase).any(|(at, _)| self.0[..at].ends_with(' ')))
    }

    fn say_gone(&self) -> bool {
        let account = self.contains(&["doesn't have a", "does not have a"]) && self.contains(&["account", "mailbox"]);
        (account || self.contains(&GONE)) && !self.contains(&OTHERWISE)
    }
}

fn names_a_host(token: &str) -> bool {
    let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
    let last = bare.rsplit_once('.').map(|(_, last)| last);
    bare.contains('@') || last.is_some_and(|last| last.len() > 1 && last.chars().all(char::is_alphabetic))
}

/// Words of relays for mailboxes and domains that do not exist: Postfix, Exim, Sendmail, qmail, Exchange, Domino,
/// Gmail, Outlook.com, Yahoo, iCloud, GMX.
const GONE: [&str; 84] = [
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such person",
    "no such address",
    "no such account",
    "no such domain",
    "no such local user",
    "no mailbox",
    "no account by that name",
    "no user by that name",
    "user unknown",
    "unknown user",
    "user is unknown",
    "user not found",
    "user not known",
    "user does not exist",
    "user doesn't exist",
    "unknown recipient",
    "recipient unknown",
    "recipient not found",
    "unknown mailbox",
    "mailbox unknown",
    "mailbox not found",
    "mailbox unavailable",
    "mailbox does not exist",
    "mailbox disabled",
    "mailbox is disabled",
    "mailbox inactive",
    "mailbox is inactive",
    "mailbox is no longer",
    "account disabled",
    "account is disabled",
    "account has been disabled",
    "account inactive",
    "account is inactive",
    "account has been deleted",
    "account has been deactivated",
    "account not found",
    "account that you tried to reach is disabled",
    "account that you tried to reach is inactive",
    "invalid recipient",
    "invalid mailbox",
    "invalid user",
    "not a valid mailbox",
    "not a valid recipient",
    "not a valid user",
    "not a valid address",
    "not a known user",
    "does not exist",
    "doesn't exist",
    "address unknown",
    "unknown address",
    "address not found",
    "address couldn't be found",
    "address could not be found",
    "unknown or illegal alias",
    "unknown local part",
    "unrouteable address",
    "unroutable address",
    "unrouteable mail domain",
    "not listed in domino directory",
    "no longer in use",
    "no longer accepts mail",
    "no longer exists",
    "no longer valid",
    "wasn't found at",
    "bad destination mailbox",
    "bad destination address",
    "user not listed",
    "user not local",
    "not our customer",
    "domain not found",
    "domain name not found",
    "domain name doesn't exist",
    "unknown domain",
    "unknown host",
    "host unknown",
    "host not found",
    "nxdomain",
    "null mx",
    "nullmx",
    "couldn't find any host",
    "non existent hosts",
];

/// Words of relays that concern the sender, a mail or a temporary condition.
const OTHERWISE: [&str; 66] = [
    "mailbox full",
    "mailbox is full",
    "is full",
    "quota",
    "over quota",
    "exceeded",
    "exceeds",
    "storage",
    "out of space",
    "insufficient",
    "too large",
    "too big",
    "message size",
    "at a rate",
    "rate limit",
    "ratelimit",
    "too many",
    "too much mail",
    "throttl",
    "greylist",
    "graylist",
    "try again",
    "try later",
    "later",
    "temporar",
    "defer",
    "delayed",
    "timed out",
    "timeout",
    "spam",
    "junk",
    "polic",
    "blocked",
    "blocking",
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "denylist",
    "banned",
    "dnsbl",
    "rbl",
    "reputation",
    "dmarc",
    "spf",
    "dkim",
    "authenticat",
    "unauthenticated",
    "not authorized",
    "unauthorized",
    "not permitted",
    "permission",
    "access denied",
    "relay",
    "sender",
    "from address",
    "mail from",
    "return path",
    "virus",
    "malware",
    "phish",
    "content",
    "after end of data",
    "reverse dns",
    "helo",
    "unsolicited",
];

#[cfg(test)]
mod tests;
