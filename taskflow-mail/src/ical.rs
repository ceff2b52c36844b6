//! Calendar objects: invitations as calendars take them over, and the answers that calendars send.

mod line;
mod mail;
mod reply;
mod write;

use taskflow_core::CalendarPart;
use taskflow_core::ports::{Calendar, CalendarEntry, CalendarReply, UnreadableReply};

/// Longest message that is looked at, in octets. Answers have a few thousand; those that carry the whole conversation
/// along still fit.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Calendar objects as in RFC 5545, exchanged as in RFC 5546 and 6047.
///
/// # What is written
///
/// One VEVENT with the meeting's id as its UID and `updated_at` as its DTSTAMP, so that the same meeting is the same
/// text. Times are in UTC: every calendar shows them in its owner's zone, and none needs a VTIMEZONE whose rules may be
/// out of date. `PUBLISH` names no attendees (RFC 5546 §3.2.1), and a `CANCEL` of a meeting that takes place without
/// its reader has no STATUS (§3.2.5).
///
/// Only `PUBLISH` brings an alarm, at the meeting's default: whoever takes over a copy wants their calendar to know all
/// about the meeting. Those who are invited get their reminders from TaskFlow, at the minutes each of them chose and
/// not after they declined; an alarm in the invitation would remind them twice, and each update would set it again.
///
/// # What is read
///
/// Answers (`METHOD:REPLY`) with one VEVENT and one ATTENDEE, by themselves or anywhere in a mail of up to 1 MiB: in
/// any transfer encoding, as `text/calendar` or `application/ics`. What was forwarded inside another mail is no answer
/// of the one who sent it and is not looked at.
///
/// # Errors
///
/// [`UnreadableReply`] names what is missing or wrong; it never quotes the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct ICalendar;

impl Calendar for ICalendar {
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart {
        CalendarPart { method: entry.method, text: write::object(entry) }
    }

    fn read_reply(&self, message: &[u8]) -> Result<CalendarReply, UnreadableReply> {
        if message.len() > LONGEST_MESSAGE {
            return Err(unreadable("it is longer than 1 MiB"));
        }
        if reply::is_object(message) {
            return reply::read(&String::from_utf8_lossy(message));
        }
        mail::read(message)
    }
}

fn unreadable(why: impl Into<String>) -> UnreadableReply {
    UnreadableReply(why.into())
}
