//! Parses inbound mail.
//!
//! The parser is given headers and single parts only, never a mail as a whole: it takes a piece of the stack for each
//! mail inside a mail when it lets go of them, and thousands, which fit into a few kilobytes of base64, overflow it.

use mail_parser::{MessageParser, MimeHeaders, PartType};

/// Returns the parts of a multipart: the content between the lines that begin with its boundary (RFC 2046 §5.1.1).
pub(crate) fn parts<'a>(multipart: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    for line in multipart.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary.as_bytes())) {
            let (ends, rest) = rest.strip_prefix(b"--").map_or((false, rest), |rest| (true, rest));
            if rest.trim_ascii().is_empty() {
                parts.extend(begun.map(|begun| &multipart[begun..at]));
                begun = Some(at + line.len());
                if ends {
                    return parts;
                }
            }
        }
        at += line.len();
    }
    // Cut off on the way: the last part is what there is of it.
    parts.extend(begun.map(|begun| &multipart[begun..]));
    parts
}

/// Returns a part without its transfer encoding, as text; `None` if it is a mail or a multipart itself.
pub(crate) fn decoded(part: &[u8]) -> Option<String> {
    match MessageParser::default().parse(part)?.parts.into_iter().next()?.body {
        PartType::Text(text) | PartType::Html(text) => Some(text.into_owned()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

/// Returns a part without its transfer encoding, octet by octet; `None` if it cannot be decoded.
///
/// The parser also decodes the characters of a text, which is too early if a line was folded between the octets of one.
pub(crate) fn octets(part: &[u8]) -> Option<Vec<u8>> {
    let head = MessageParser::default().parse_headers(part)?;
    let encoding = head.content_transfer_encoding().unwrap_or("8bit").trim();
    let encoding = if encoding.bytes().all(|b| b.is_ascii_graphic()) { encoding } else { "8bit" };
    let header = format!("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let plain = [header.as_bytes(), body(part)].concat();
    match MessageParser::default().parse(&plain)?.parts.into_iter().next()?.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some(bytes.into_owned()),
        PartType::Text(text) | PartType::Html(text) => Some(text.into_owned().into_bytes()),
        PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

/// Returns the body of a part, after the empty line that ends its headers and still in its transfer encoding.
pub(crate) fn body(part: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    &part[at..]
}
