//! What comes back about mail: reports of delivery (RFC 3464) and complaints (RFC 5965).

use mail_parser::{MessageParser, MimeHeaders};
use taskflow_core::ports::{Bounces, UnreadableBounce};
use taskflow_core::{BounceReport, EmailAddress, SuppressionCause, bounce_is_for_good};

use crate::foreign::{body, decoded, parts};
use crate::message::one_line;

/// Longest message that is looked at, in octets. Reports often bring the whole mail back, pictures and all.
const LONGEST_MESSAGE: usize = 16 << 20;

/// Most addresses that are taken from one report.
const MOST_REPORTS: usize = 1000;

/// How deep multiparts are followed: the report itself, and what a list or a gateway may have wrapped around it.
const DEEPEST: usize = 4;

/// How much of the headers of a mail that came back is looked at, in octets.
const LONGEST_HEADERS: usize = 64 << 10;

/// Longest reason that is kept, in characters.
const LONGEST_DETAIL: usize = 500;

/// Reads the reports that relays send to the author of a mail, and those that mailbox providers send about unwanted mail.
///
/// # What is read
///
/// * The `message/delivery-status` part (RFC 3464 §2) of a `multipart/report`: an entry for each recipient whose mail
///   `failed` or is `delayed`. A failure is permanent when it says that there is no such mailbox
///   ([`bounce_is_for_good`]); a full one, or policy, may be otherwise tomorrow. `delivered`, `relayed` and `expanded` report no trouble.
/// * The `message/feedback-report` part (RFC 5965 §3): a complaint of type `abuse`, `fraud` or `other` about the
///   addresses in `Original-Rcpt-To`, or of the mail that came back when the report names none. `not-spam` is none.
///
/// The address is `Original-Recipient`, the one that was written to, else `Final-Recipient`, which an alias may lead to.
/// Anybody can write such a report: who hands it in must know where it comes from.
///
/// # Errors
///
/// [`UnreadableBounce`] says what is missing; it never quotes the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct BounceReports;

impl Bounces for BounceReports {
    fn read(&self, message: &[u8]) -> Result<Vec<BounceReport>, UnreadableBounce> {
        if message.len() > LONGEST_MESSAGE {
            return Err(unreadable("it is longer than 16 MiB"));
        }
        let mut found = Found::default();
        found.collect(message, DEEPEST);
        let mut reports = match (&found.status, &found.feedback) {
            (Some(status), _) => bounces(status)?,
            (None, Some(feedback)) => complaints(feedback, found.original.as_deref())?,
            (None, None) => return Err(unreadable("it has no delivery status and no feedback report in it")),
        };
        // The same address twice is one entry, the worse one.
        reports.sort_by_key(|report| (report.email.key(), !report.permanent));
        reports.dedup_by_key(|report| report.email.key());
        Ok(reports)
    }
}

fn unreadable(why: &str) -> UnreadableBounce {
    UnreadableBounce(why.to_owned())
}

/// The parts of a report that say something, as text.
#[derive(Default)]
struct Found {
    status: Option<String>,
    feedback: Option<String>,
    /// The headers of the mail that came back.
    original: Option<String>,
}

impl Found {
    fn collect(&mut self, part: &[u8], deeper: usize) {
        let Some(head) = MessageParser::default().parse_headers(part) else { return };
        let Some(kind) = head.content_type() else { return };
        let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
        match (kind.ctype().to_ascii_lowercase().as_str(), subtype.as_str()) {
            ("message", "delivery-status" | "global-delivery-status") => keep_first(&mut self.status, part),
            ("message", "feedback-report") => keep_first(&mut self.feedback, part),
            ("message", "rfc822" | "rfc822-headers" | "global" | "global-headers") | ("text", "rfc822-headers") => {
                // Not decoded: a mail inside a mail has no transfer encoding (RFC 2046 §5.2.1), and parsing it is what
                // must not happen.
                let headers = body(part);
                let headers = &headers[..headers.len().min(LONGEST_HEADERS)];
                self.original.get_or_insert_with(|| String::from_utf8_lossy(headers).into_owned());
            }
            ("multipart", _) => {
                let Some((deeper, boundary)) = deeper.checked_sub(1).zip(kind.attribute("boundary")) else { return };
                for part in parts(part, boundary) {
                    self.collect(part, deeper);
                }
            }
            _ => {}
        }
    }
}

fn keep_first(place: &mut Option<String>, part: &[u8]) {
    if place.is_none() {
        *place = decoded(part);
    }
}

/// What is said about each recipient: blocks of fields with empty lines between them, the first about the mail as a whole.
fn bounces(status: &str) -> Result<Vec<BounceReport>, UnreadableBounce> {
    let recipients = blocks(status).filter(|block| block.get("action").is_some());
    let mut named = false;
    let mut reports = Vec::new();
    for block in recipients.take(MOST_REPORTS) {
        let Some(email) = block.recipient() else { continue };
        named = true;
        let permanent = match block.get("action").unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "failed" => block.is_permanent(),
            "delayed" => false,
            _ => continue,
        };
        let detail = block.detail();
        reports.push(BounceReport { email, permanent, cause: SuppressionCause::Bounce, detail });
    }
    if named { Ok(reports) } else { Err(unreadable("its delivery status names no recipient")) }
}

fn complaints(feedback: &str, original: Option<&str>) -> Result<Vec<BounceReport>, UnreadableBounce> {
    let block = Block::read(feedback);
    let kind = block.get("feedback-type").ok_or_else(|| unreadable("its feedback report names no type"))?;
    let kind = word(kind);
    match kind.as_str() {
        "abuse" | "fraud" | "other" => {}
        "not-spam" | "virus" | "auth-failure" => return Ok(Vec::new()),
        _ => return Err(unreadable("its feedback report is of a type that says nothing about an address")),
    }
    let mut emails: Vec<EmailAddress> = block.all("original-rcpt-to").filter_map(address).take(MOST_REPORTS).collect();
    if emails.is_empty() {
        // Some hide the address in the report and leave it in the mail that came back.
        let to = original.map(Block::read).and_then(|original| address(original.get("to")?));
        emails.extend(to);
    }
    if emails.is_empty() {
        return Err(unreadable("its feedback report names no address"));
    }
    let detail = shortened(&format!("reported as {kind}"));
    let report =
        |email| BounceReport { email, permanent: true, cause: SuppressionCause::Complaint, detail: detail.clone() };
    Ok(emails.into_iter().map(report).collect())
}

/// Fields with their names in lower case, folded lines put together.
struct Block(Vec<(String, String)>);

fn blocks(status: &str) -> impl Iterator<Item = Block> + '_ {
    let mut lines = status.lines().peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        lines.peek()?;
        let mut block = Block(Vec::new());
        while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
            block.add(line);
        }
        Some(block)
    })
}

impl Block {
    /// The first block of a text.
    fn read(text: &str) -> Self {
        blocks(text).next().unwrap_or(Self(Vec::new()))
    }

    fn add(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Addresses of other types (RFC 3464 §2.1.2), for example of X.400, are not for us.
    fn recipient(&self) -> Option<EmailAddress> {
        ["original-recipient", "final-recipient"].iter().find_map(|name| {
            let value = self.get(name)?;
            let kind = value.split_once(';').map_or("rfc822", |(kind, _)| kind.trim());
            let is_mail = ["rfc822", "utf-8"].iter().any(|known| kind.eq_ignore_ascii_case(known));
            is_mail.then(|| address(typed(value))).flatten()
        })
    }

    /// For example `5.1.1`; some write the relay's words behind it.
    fn status(&self) -> String {
        self.get("status").map(word).unwrap_or_default()
    }

    /// Whether the mailbox is gone for good; without a status the relay's own words say it.
    fn is_permanent(&self) -> bool {
        bounce_is_for_good(&self.status(), self.get("diagnostic-code").map(typed).unwrap_or_default())
    }

    /// The relay's own words, with the status before them unless they bring it along.
    fn detail(&self) -> String {
        let said = self.get("diagnostic-code").map(typed).unwrap_or_default();
        let status = self.status();
        let detail = if said.contains(status.as_str()) { said.to_owned() } else { format!("{status} {said}") };
        shortened(&detail)
    }
}

/// What follows the type in `rfc822; ada@example.org` (RFC 3464 §2.1.2).
fn typed(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, value)| value).trim()
}

/// The address in `<ada@example.org>`, with or without a name before it, or by itself.
fn address(value: &str) -> Option<EmailAddress> {
    let value = value.trim();
    let inside = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(inside, _)| inside);
    inside.trim().parse().ok()
}

fn word(value: &str) -> String {
    value.split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

fn shortened(text: &str) -> String {
    one_line(text).chars().take(LONGEST_DETAIL).collect()
}
