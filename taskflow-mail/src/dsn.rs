//! Reports that come back about mail: delivery status (RFC 3464), complaints (RFC 5965) and failure notices in plain
//! text.

mod block;
mod notice;

use mail_parser::{MessageParser, MimeHeaders};
use taskflow_core::ports::{Bounces, UnreadableBounce};
use taskflow_core::{BounceKind, BounceReport, EmailAddress, ReturnedMail, bounce_is_for_good};

use self::block::{Block, blocks, typed};
use crate::foreign::{decoded, octets, parts};
use crate::message::one_line;

/// Maximum size of a message that is examined, in octets. Reports often bring the whole mail back, including pictures.
const LONGEST_MESSAGE: usize = 16 << 20;

/// Maximum number of addresses that are read from one report.
const MOST_REPORTS: usize = 1000;

/// Maximum depth of nested multiparts: the report itself, and the parts that a list or gateway may have wrapped around
/// it.
const DEEPEST: usize = 4;

/// Maximum size of the headers of a returned mail that are examined, in octets.
const LONGEST_HEADERS: usize = 64 << 10;

/// Maximum size of the text of a report that is examined, in octets.
const LONGEST_TEXT: usize = 16 << 10;

/// Longest reason that is kept, in characters.
const LONGEST_DETAIL: usize = 500;

/// Reads the reports that relays send to the author of a mail, and those that mailbox providers send about unwanted
/// mail.
///
/// # Supported reports
///
/// * The `message/delivery-status` part (RFC 3464 §2) of a `multipart/report`: an entry for each recipient. A failure
///   is permanent if it says that there is no such mailbox ([`bounce_is_for_good`]): in its status, in the relay's
///   words or, without either, in its text for human readers. A full mailbox, or policy, may change and is not
///   permanent.
/// * The `message/feedback-report` part (RFC 5965 §3): a complaint of type `abuse`, `fraud` or `other` about the
///   addresses in `Original-Rcpt-To` or, if the report names none, of the returned mail. `not-spam` is no complaint.
/// * Failure notices in plain text, as qmail and Exim write them: from a mailer daemon, with an address and a reason,
///   with the copy of the mail in the text or in a part of its own. An out-of-office reply is no failure notice.
///
/// The address is `Original-Recipient` (RFC 3461 §4.2, in xtext), to which the mail was sent, otherwise
/// `Final-Recipient`, which an alias may lead to. The Message-ID in the headers or in the returned copy identifies the
/// mail. Anybody can write such a report, but only a recipient of a mail knows its Message-ID.
///
/// # Errors
///
/// [`UnreadableBounce`] states what is missing; it never quotes the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct BounceReports;

impl Bounces for BounceReports {
    fn read(&self, message: &[u8]) -> Result<Vec<BounceReport>, UnreadableBounce> {
        if message.len() > LONGEST_MESSAGE {
            return Err(unreadable("it is longer than 16 MiB"));
        }
        let mut found = Found::default();
        found.collect(message, DEEPEST);
        let mail = found.mail(message);
        let mut reports = match (&found.status, &found.feedback) {
            (Some(status), _) => bounces(status, found.text.as_deref(), mail.as_ref())?,
            (None, Some(feedback)) => complaints(feedback, found.original.as_ref(), mail.as_ref())?,
            (None, None) => match notice::read(message, found.text.as_deref(), mail) {
                Some(reports) => reports,
                None => return Err(unreadable("it has no delivery status and no feedback report in it")),
            },
        };
        // The same address twice is one entry, the worse one.
        let key = |report: &BounceReport| report.email.as_ref().map(EmailAddress::key);
        reports.sort_by_key(|report| (key(report), std::cmp::Reverse(report.kind)));
        reports.dedup_by_key(|report| key(report));
        Ok(reports)
    }
}

fn unreadable(why: &str) -> UnreadableBounce {
    UnreadableBounce(why.to_owned())
}

/// The parts of a report that say something.
#[derive(Default)]
struct Found {
    status: Option<String>,
    feedback: Option<String>,
    /// The headers of the mail that came back.
    original: Option<Block>,
    /// The text of the report for human readers.
    text: Option<String>,
}

impl Found {
    fn collect(&mut self, part: &[u8], deeper: usize) {
        let Some(head) = MessageParser::default().parse_headers(part) else { return };
        let Some(kind) = head.content_type() else {
            keep_first(&mut self.text, part);
            return;
        };
        let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
        match (kind.ctype().to_ascii_lowercase().as_str(), subtype.as_str()) {
            ("message", "delivery-status" | "global-delivery-status") => keep_first(&mut self.status, part),
            ("message", "feedback-report") => keep_first(&mut self.feedback, part),
            ("message", "rfc822" | "rfc822-headers" | "global" | "global-headers") | ("text", "rfc822-headers") => {
                self.original.get_or_insert_with(|| headers_of(part));
            }
            ("multipart", _) => {
                let Some((deeper, boundary)) = deeper.checked_sub(1).zip(kind.attribute("boundary")) else { return };
                for part in parts(part, boundary) {
                    self.collect(part, deeper);
                }
            }
            ("text", "plain") => keep_first(&mut self.text, part),
            _ => {}
        }
    }

    /// Returns the mail of ours that a report is about. Some reports name it in the status or as the mail they reply
    /// to.
    fn mail(&self, message: &[u8]) -> Option<ReturnedMail> {
        let original = self.original.as_ref();
        if let Some(mail) = original.and_then(returned) {
            return Some(mail);
        }
        self.status.as_ref().or(self.feedback.as_ref())?;
        let status = self.status.as_deref().map(Block::read);
        let named = status.and_then(|status| {
            ["x-original-message-id", "original-message-id"].iter().find_map(|name| delivery(status.get(name)?))
        });
        let delivery = named.or_else(|| answered(message))?;
        Some(ReturnedMail { delivery, to: original.and_then(recipient) })
    }
}

/// Returns the headers of a returned mail, and nothing else: a mail inside a mail must not be parsed.
fn headers_of(part: &[u8]) -> Block {
    let octets = octets(part).unwrap_or_default();
    Block::read(&String::from_utf8_lossy(&octets[..octets.len().min(LONGEST_HEADERS)]))
}

fn keep_first(place: &mut Option<String>, part: &[u8]) {
    if place.is_none() {
        *place = decoded(part);
    }
}

/// Returns the mail with these headers.
fn returned(headers: &Block) -> Option<ReturnedMail> {
    Some(ReturnedMail { delivery: delivery(headers.get("message-id")?)?, to: recipient(headers) })
}

fn recipient(headers: &Block) -> Option<EmailAddress> {
    headers.get("to").and_then(block::address)
}

/// Returns the mail that a message replies to.
fn answered(message: &[u8]) -> Option<taskflow_core::DeliveryId> {
    let head = Block::read(&String::from_utf8_lossy(&message[..message.len().min(LONGEST_HEADERS)]));
    ["in-reply-to", "references"].iter().find_map(|name| delivery(head.get(name)?))
}

/// Returns the delivery in the first Message-ID of ours, `<id@host>`.
fn delivery(ids: &str) -> Option<taskflow_core::DeliveryId> {
    ids.split(['<', '>', ' ', ',']).find_map(|id| id.split_once('@')?.0.trim().parse().ok())
}

/// Returns the reports for each recipient. A delivery status has blocks of fields with empty lines between them, the
/// first of which is about the mail as a whole.
fn bounces(
    status: &str,
    text: Option<&str>,
    mail: Option<&ReturnedMail>,
) -> Result<Vec<BounceReport>, UnreadableBounce> {
    let says = |block: &Block| {
        block.get("action").is_some() || block.get("final-recipient").is_some() && block.get("status").is_some()
    };
    let recipients: Vec<_> = blocks(status).filter(says).take(MOST_REPORTS).collect();
    let alone = recipients.len() == 1;
    let mut reports = Vec::new();
    for block in recipients {
        let email = block.recipient();
        if email.is_none() && mail.is_none() {
            continue;
        }
        let reason = Reason::of(&block, text, alone);
        let kind = match block::word(block.get("action").unwrap_or("failed")).as_str() {
            "failed" if reason.for_good => BounceKind::Hard,
            "failed" => BounceKind::Soft,
            "delayed" => BounceKind::Delayed,
            _ => BounceKind::Delivered,
        };
        reports.push(BounceReport { email, mail: mail.cloned(), kind, detail: reason.detail });
    }
    if reports.is_empty() { Err(unreadable("its delivery status names no recipient")) } else { Ok(reports) }
}

/// The reason a mail was not delivered.
struct Reason {
    for_good: bool,
    detail: String,
}

impl Reason {
    /// Finds the reason in the status and the relay's own words; if those leave it open, in the text for human readers.
    fn of(block: &Block, text: Option<&str>, alone: bool) -> Self {
        let (status, said) = (block.status(), block.get("diagnostic-code").map(typed).unwrap_or_default());
        let good = |said: &str| bounce_is_for_good(&status, said);
        if good(said) || text.is_none() {
            return Self { for_good: good(said), detail: detail(&status, said) };
        }
        let text = before_the_copy(text.unwrap_or_default());
        let about = block.names().find_map(|name| about(text, &name)).unwrap_or_default();
        let whole = if alone { text } else { "" };
        let more = [about.as_str(), whole].into_iter().map(|more| format!("{said} {more}"));
        let found = more.into_iter().find(|more| good(more));
        let shown = match (&found, said) {
            (Some(more), _) => more.as_str(),
            (None, "") => about.as_str(),
            (None, said) => said,
        };
        Self { for_good: found.is_some(), detail: detail(&status, shown) }
    }
}

/// Returns the relay's own words, preceded by the status unless they contain it.
fn detail(status: &str, said: &str) -> String {
    shortened(&if said.contains(status) { said.to_owned() } else { format!("{status} {said}") })
}

fn complaints(
    feedback: &str,
    original: Option<&Block>,
    mail: Option<&ReturnedMail>,
) -> Result<Vec<BounceReport>, UnreadableBounce> {
    let block = Block::read(feedback);
    let kind = block.get("feedback-type").ok_or_else(|| unreadable("its feedback report names no type"))?;
    let kind = block::word(kind);
    match kind.as_str() {
        "abuse" | "fraud" | "other" => {}
        "not-spam" | "virus" | "auth-failure" => return Ok(Vec::new()),
        _ => return Err(unreadable("its feedback report is of a type that says nothing about an address")),
    }
    let mut emails: Vec<Option<EmailAddress>> =
        block.all("original-rcpt-to").filter_map(block::address).map(Some).take(MOST_REPORTS).collect();
    if emails.is_empty() {
        // Some hide the address in the report and leave it in the mail that came back, or its Message-ID alone.
        let to = original.and_then(recipient);
        emails.extend((to.is_some() || mail.is_some()).then_some(to));
    }
    if emails.is_empty() {
        return Err(unreadable("its feedback report names no address"));
    }
    let detail = shortened(&format!("reported as {kind}"));
    let report = |email| {
        let (mail, detail) = (mail.cloned(), detail.clone());
        BounceReport { email, mail, kind: BounceKind::Complaint, detail }
    };
    Ok(emails.into_iter().map(report).collect())
}

/// Returns the text of a report before the copy of the mail that it may contain.
fn before_the_copy(text: &str) -> &str {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marks = line.trim().to_ascii_lowercase();
        let copy = marks.starts_with("--") && (marks.contains("message") || marks.contains("header"));
        if copy || at > LONGEST_TEXT {
            break;
        }
        at += line.len();
    }
    let mut end = at.min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the text about an address: its paragraph, from the line that contains it.
fn about(text: &str, address: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.to_ascii_lowercase().contains(address));
    let first = lines.next()?;
    let more = lines.take_while(|line| !line.trim().is_empty());
    Some([first].into_iter().chain(more).collect::<Vec<_>>().join(" "))
}

fn shortened(text: &str) -> String {
    one_line(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_DETAIL).collect()
}
