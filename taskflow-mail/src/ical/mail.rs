//! The answer in a mail (RFC 6047).

use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders, PartType};
use taskflow_core::EmailAddress;
use taskflow_core::ports::{CalendarReply, UnreadableReply};

use super::{reply, unreadable};

/// Most parts that a mail may have; answers have three or four. The parser keeps a mail inside a mail inside a mail as
/// such, and takes a piece of the stack for each when it lets go of them: thousands would overflow it.
const MOST_PARTS: usize = 200;

/// The answer in a mail, with who sent it.
pub(super) fn read(message: &[u8]) -> Result<CalendarReply, UnreadableReply> {
    if mentions(message, b"content-type") > MOST_PARTS {
        return Err(unreadable(format!("it has more than {MOST_PARTS} parts")));
    }
    let mail = MessageParser::default().parse(message).ok_or_else(|| unreadable("it is no mail and no calendar"))?;
    let mut read = Err(unreadable("it has no calendar in it"));
    for object in objects(&mail) {
        // Some send the same answer twice, to be read here and to be saved as a file.
        read = reply::read(&object);
        if read.is_ok() {
            break;
        }
    }
    Ok(CalendarReply { sender: Some(sender(&mail)?), ..read? })
}

/// The calendar objects of a mail; not of mails that were attached to it.
fn objects<'a>(mail: &'a Message<'_>) -> impl Iterator<Item = String> + 'a {
    mail.parts.iter().filter_map(|part| {
        let kind = part.content_type()?;
        let subtype = kind.subtype().unwrap_or_default();
        let is = |c: &str, s: &str| kind.ctype().eq_ignore_ascii_case(c) && subtype.eq_ignore_ascii_case(s);
        if !is("text", "calendar") && !is("application", "ics") {
            return None;
        }
        match &part.body {
            PartType::Text(text) | PartType::Html(text) => Some(text.to_string()),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            PartType::Message(_) | PartType::Multipart(_) => None,
        }
    })
}

/// Its only author. A mail of which that cannot be said is refused: its answer would count for whomever it names.
fn sender(mail: &Message<'_>) -> Result<EmailAddress, UnreadableReply> {
    let refused = || unreadable("it has no From with exactly one address");
    let mut from = mail.headers().iter().filter(|header| header.name == HeaderName::From);
    let (Some(header), None) = (from.next(), from.next()) else { return Err(refused()) };
    match header.value.as_address() {
        Some(Address::List(list)) if list.len() == 1 => {
            list[0].address().and_then(|address| address.parse().ok()).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}

/// How often `word` (in lower case) comes in a message, whatever its case.
fn mentions(message: &[u8], word: &[u8]) -> usize {
    message.windows(word.len()).filter(|window| window.eq_ignore_ascii_case(word)).count()
}
