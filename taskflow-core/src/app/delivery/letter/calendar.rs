//! The calendar entry in a mail.

use super::super::App;
use crate::ports::CalendarEntry;
use crate::{CalendarPart, EmailAddress, NoticeContent, Participant};

impl App {
    /// Returns the calendar entry of a mail. It names only the reader besides the organizer: guests do not learn each
    /// other's addresses, and a mail to one of 500 is no longer than a mail to one of two. The reader has the address
    /// that the mail goes to, so that the calendar behind it finds itself.
    pub(super) fn calendar_part(&self, content: &dyn NoticeContent, reader: &EmailAddress) -> Option<CalendarPart> {
        let (method, invitation) = content.calendar()?;
        let attendee = Participant { email: reader.clone(), ..invitation.participant.clone() };
        let attendees = std::slice::from_ref(&attendee);
        Some(self.calendar.as_ref()?.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees }))
    }
}
