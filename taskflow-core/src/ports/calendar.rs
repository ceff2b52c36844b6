use chrono::NaiveDateTime;

use crate::{CalendarMethod, CalendarPart, EmailAddress, Meeting, MeetingId, MeetingResponse, Participant, Timestamp};

/// A meeting as a calendar shall take it over.
#[derive(Debug, Clone, Copy)]
pub struct CalendarEntry<'a> {
    /// The iTIP method: what the calendar is to do with the entry (RFC 5546 §1.4).
    pub method: CalendarMethod,
    /// The meeting.
    pub meeting: &'a Meeting,
    /// The participants that the entry names besides the organizer.
    pub attendees: &'a [Participant],
}

/// A response that a calendar sent: a reply (RFC 5546 §3.2.3), or a proposal of another time (§3.2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarReply {
    /// The meeting (UID).
    pub meeting: MeetingId,
    /// Its revision (SEQUENCE; 0 when absent).
    pub sequence: u32,
    /// The time of the reply (DTSTAMP in UTC, otherwise the Date of the mail); `None` if the message does not contain
    /// one.
    pub at: Option<Timestamp>,
    /// The attendees it names, each with a response; at least one. More than one is against RFC 5546 §3.2.3 but
    /// happens.
    pub attendees: Vec<ReplyAttendee>,
    /// The sender of the message (From), if it came with its headers.
    pub sender: Option<EmailAddress>,
    /// The comment on the reply (COMMENT), cut to the maximum length of a [`Comment`](crate::Comment).
    pub comment: Option<String>,
    /// The proposed change (METHOD:COUNTER); `None` for a plain reply.
    pub counter: Option<Counter>,
}

/// An attendee in a [`CalendarReply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyAttendee {
    /// Their address (ATTENDEE).
    pub email: EmailAddress,
    /// The person who replies on behalf of the attendee (SENT-BY, RFC 5545 §3.2.18).
    pub sent_by: Option<EmailAddress>,
    /// The response (PARTSTAT).
    pub response: MeetingResponse,
}

/// A proposal of another time for a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The proposed start (DTSTART); `None` if the message does not contain one.
    pub starts_at: Option<ProposedStart>,
}

/// A time as a calendar gives it (RFC 5545 §3.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposedStart {
    /// An instant.
    At(Timestamp),
    /// A local time in no zone that is known; the meeting's own is meant.
    Local(NaiveDateTime),
}

/// The error of a message without a reply. States what is missing, and never quotes the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableReply(pub String);

/// Writes calendar entries and reads the replies of calendars (RFC 5545, 5546, 6047).
///
/// # Contract
///
/// Pure: the same entry gives the same text, byte for byte. User input is escaped, lines are folded at 75 octets and
/// end in CRLF. Reading never panics, whatever the input, and takes time in proportion to its length.
pub trait Calendar: Send + Sync {
    /// Returns the entry as a calendar object.
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart;

    /// Returns the replies in a message, at least one, in their order. The message is a whole mail (RFC 5322), or a
    /// calendar object by itself, whose `content_type` (RFC 2045 §5.1) may contain its charset and method.
    fn read_reply(&self, message: &[u8], content_type: Option<&str>) -> Result<Vec<CalendarReply>, UnreadableReply>;
}
