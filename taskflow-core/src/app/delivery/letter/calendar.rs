//! The calendar entry in a mail.

use super::super::App;
use crate::ports::CalendarEntry;
use crate::{CalendarMethod, CalendarPart, EmailAddress, NoticeContent, Participant};

impl App {
    /// What calendars take over from a letter. Only the reader is named beside the organizer: guests are not told each
    /// other's addresses, and a mail to one of 500 is no longer than a mail to one of two.
    /// The reader is named by the address that the mail goes to, so that the calendar behind it finds itself.
    pub(super) fn calendar_part(&self, topic: &NoticeContent, reader: &EmailAddress) -> Option<CalendarPart> {
        let (method, invitation) = match topic {
            NoticeContent::MeetingInvite(invitation) | NoticeContent::MeetingChange { invitation, .. } => {
                (CalendarMethod::Request, invitation)
            }
            NoticeContent::MeetingCancel(invitation) => (CalendarMethod::Cancel, invitation),
            _ => return None,
        };
        let attendee = Participant { email: reader.clone(), ..invitation.participant.clone() };
        let attendees = std::slice::from_ref(&attendee);
        Some(self.calendar.as_ref()?.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees }))
    }
}
