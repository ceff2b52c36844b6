use crate::{CalendarMethod, CalendarPart, EmailAddress, Meeting, MeetingId, MeetingResponse, Participant, Timestamp};

/// A meeting as a calendar shall take it over.
#[derive(Debug, Clone, Copy)]
pub struct CalendarEntry<'a> {
    /// What the calendar shall do with it (RFC 5546 §1.4).
    pub method: CalendarMethod,
    /// The meeting.
    pub meeting: &'a Meeting,
    /// Who of those who come is named besides the organizer.
    pub attendees: &'a [Participant],
}

/// An answer that somebody's calendar sent (RFC 5546 §3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarReply {
    /// To which meeting (UID).
    pub meeting: MeetingId,
    /// To which of its revisions (SEQUENCE; 0 when absent).
    pub sequence: u32,
    /// When it was given (DTSTAMP).
    pub at: Timestamp,
    /// Who answers (ATTENDEE).
    pub attendee: EmailAddress,
    /// Who sent the message (From), when it came with its headers.
    pub sender: Option<EmailAddress>,
    /// What they answer (PARTSTAT).
    pub response: MeetingResponse,
    /// What they add (COMMENT), cut to what a [`Comment`](crate::Comment) may hold.
    pub comment: Option<String>,
}

/// A message in which no answer was found; says what is missing, never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableReply(pub String);

/// Writes calendar entries and reads the answers of calendars (RFC 5545, 5546, 6047).
///
/// # Contract
///
/// Pure: the same entry is the same text, byte for byte. Whatever people typed is escaped, lines are folded at 75 octets
/// and end in CRLF. Reading never panics, whatever it is given, and takes time in proportion to its length.
pub trait Calendar: Send + Sync {
    /// The entry as a calendar object.
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart;

    /// The answer in a message: a whole mail (RFC 5322) or a calendar object by itself.
    fn read_reply(&self, message: &[u8]) -> Result<CalendarReply, UnreadableReply>;
}
