//! Failure notices without a delivery status, as qmail (QSBMF), Exim and older relays write them.

use taskflow_core::{BounceKind, BounceReport, EmailAddress, ReturnedMail, bounce_is_for_good};

use super::block::{Block, address};
use super::{LONGEST_HEADERS, MOST_REPORTS, about, answered, before_the_copy, blocks, returned, shortened};

/// Local parts of addresses that send failure notices. An out-of-office reply comes from none of them.
const DAEMONS: [&str; 4] = ["mailer-daemon", "mail-daemon", "postmaster", "mailerdaemon"];

/// The header in which Exim lists the failed addresses.
const FAILED: &str = "x-failed-recipients";

/// Phrases of a notice about a mail that is still being tried.
const STILL_TRIED: [&str; 6] = [
    "not yet been delivered",
    "will continue to be",
    "will be retried",
    "still being retried",
    "do not need to resend",
    "this is a warning message only",
];

/// Returns the reports in a notice; `None` if the message is none. `mail` is the mail that it returns in a part of its
/// own.
pub(super) fn read(message: &[u8], text: Option<&str>, mail: Option<ReturnedMail>) -> Option<Vec<BounceReport>> {
    let head = Block::read(&String::from_utf8_lossy(&message[..message.len().min(LONGEST_HEADERS)]));
    let from = head.get("from").and_then(address).map(|from| from.key()).unwrap_or_default();
    let daemon = from.split_once('@').is_some_and(|(local, _)| DAEMONS.contains(&local));
    if !daemon && head.get(FAILED).is_none() {
        return None;
    }
    let text = text?;
    let said = before_the_copy(text);
    let copy = &text[said.len()..];
    let mail = mail.or_else(|| blocks(copy).find_map(|block| returned(&block)));
    let mail = mail.or_else(|| Some(ReturnedMail { delivery: answered(message)?, to: None }));
    let listed = head.all(FAILED).flat_map(|list| list.split(',')).filter_map(address);
    let mut recipients: Vec<EmailAddress> =
        listed.chain(said.lines().filter_map(subject_of)).take(MOST_REPORTS).collect();
    recipients.sort_by_key(EmailAddress::key);
    recipients.dedup_by_key(|email| email.key());
    let mut recipients: Vec<_> = recipients.into_iter().map(Some).collect();
    if recipients.is_empty() {
        mail.as_ref()?;
        recipients.push(None);
    }
    let subject = head.get("subject").unwrap_or_default().to_ascii_lowercase();
    let words = said.to_ascii_lowercase();
    let tried = subject.contains("warning") || subject.contains("delay");
    let tried = tried || STILL_TRIED.iter().any(|phrase| words.contains(phrase));
    let single = recipients.len() == 1;
    let report = |email: Option<EmailAddress>| {
        let about = email.as_ref().and_then(|email| about(said, &email.key())).unwrap_or_default();
        let reason = if single && !bounce_is_for_good("", &about) { said } else { about.as_str() };
        let kind = match () {
            () if tried => BounceKind::Delayed,
            () if bounce_is_for_good("", reason) => BounceKind::Hard,
            () => BounceKind::Soft,
        };
        let detail = shortened(if about.is_empty() { said } else { &about });
        BounceReport { email, mail: mail.clone(), kind, detail }
    };
    Some(recipients.into_iter().map(report).collect())
}

/// Returns the address that a line is about: all of it, or what is before the reason, as in
/// `<ada@example.org>: 550 5.1.1 User unknown`.
fn subject_of(line: &str) -> Option<EmailAddress> {
    let line = line.trim();
    let named = line.split_once(':').map_or(line, |(named, _)| named).trim_end();
    let bare = named.strip_prefix('<').and_then(|named| named.strip_suffix('>')).unwrap_or(named);
    let plain = bare.contains('@') && !bare.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '/'));
    plain.then(|| bare.parse().ok()).flatten()
}
