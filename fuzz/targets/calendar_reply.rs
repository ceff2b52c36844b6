//! Answers to invitations, as calendars send them (RFC 5545, 5546), alone and in a mail.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskflow_core::Comment;
use taskflow_core::ports::Calendar;
use taskflow_mail::ICalendar;

fuzz_target!(|message: &[u8]| {
    for content_type in [None, Some("text/calendar; method=REPLY"), Some("message/rfc822")] {
        for reply in ICalendar.read_reply(message, content_type).into_iter().flatten() {
            assert!(!reply.attendees.is_empty(), "an answer is somebody's");
            assert!(reply.comment.is_none_or(|comment| comment.parse::<Comment>().is_ok()), "a comment can be stored");
        }
    }
});
