//! An invitation as a page.

use std::fmt::Write;

use taskflow_core::{Comment, FieldError, Invitation, Meeting, MeetingResponse, MeetingStatus, Participant, Timestamp};

use crate::api::html::{Page, escape};

/// What the page says about an answer that was just given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    /// None was.
    None,
    /// It is recorded.
    Thanks,
    /// It is not, and why.
    Refused(&'a [FieldError]),
}

/// The meeting as it is at `now`, with a form to answer as long as it is not over.
pub(super) fn render(invitation: &Invitation, now: Timestamp, word: Word<'_>) -> Page {
    let Invitation { meeting, participant, .. } = invitation;
    let mut body = String::new();
    match word {
        Word::None => {}
        Word::Thanks => body.push_str("<p class=\"note\" role=\"status\">Thank you, your answer is recorded.</p>\n"),
        Word::Refused(errors) => {
            body.push_str("<p class=\"note\" role=\"alert\">Your answer is not recorded.</p>\n");
            for FieldError { field, message } in errors {
                push(&mut body, format_args!("<p>{} {}.</p>\n", escape(field), escape(message)));
            }
        }
    }
    write_facts(&mut body, meeting);
    match meeting.status(now) {
        MeetingStatus::Cancelled => body.push_str("<p class=\"note\">This meeting is cancelled.</p>\n"),
        MeetingStatus::Completed => body.push_str("<p class=\"note\">This meeting is over.</p>\n"),
        MeetingStatus::Scheduled | MeetingStatus::InProgress if participant.is_organizer() => {
            body.push_str("<p class=\"note\">You called this meeting.</p>\n");
        }
        MeetingStatus::Scheduled | MeetingStatus::InProgress => write_form(&mut body, participant),
    }
    let page = Page::new(meeting.title.as_str(), &body);
    if matches!(word, Word::Refused(_)) { page.refused() } else { page }
}

fn write_facts(body: &mut String, meeting: &Meeting) {
    let organizer = match &meeting.organizer.name {
        Some(name) => format!("{name} ({})", meeting.organizer.address),
        None => meeting.organizer.address.to_string(),
    };
    let facts = [
        ("When", Some(when(meeting))),
        ("Where", meeting.location.as_ref().map(ToString::to_string)),
        ("Organizer", Some(organizer)),
        ("About", meeting.description.as_ref().map(ToString::to_string).filter(|text| !text.trim().is_empty())),
    ];
    body.push_str("<dl>\n");
    for (name, fact) in facts {
        if let Some(fact) = fact {
            push(body, format_args!("<dt>{name}</dt>\n<dd>{}</dd>\n", escape(&fact)));
        }
    }
    if let Some(url) = &meeting.meeting_url {
        let url = escape(url.as_str());
        push(body, format_args!("<dt>Online</dt>\n<dd><a href=\"{url}\" rel=\"noopener noreferrer\">{url}</a></dd>\n"));
    }
    body.push_str("</dl>\n");
}

fn write_form(body: &mut String, participant: &Participant) {
    push(body, format_args!("<p>{}</p>\n", present_answer(participant)));
    let comment = participant.comment.as_ref().map(|comment| escape(comment.as_str())).unwrap_or_default();
    push(
        body,
        format_args!(
            "<form method=\"post\">\n<label>Comment (optional)\n\
             <textarea name=\"comment\" rows=\"3\" maxlength=\"{}\">\n{comment}</textarea></label>\n",
            Comment::MAX_LENGTH
        ),
    );
    let answers = [
        (MeetingResponse::Accepted, "Accept"),
        (MeetingResponse::Tentative, "Maybe"),
        (MeetingResponse::Declined, "Decline"),
    ];
    for (answer, label) in answers {
        push(body, format_args!("<button name=\"response\" value=\"{answer}\">{label}</button>\n"));
    }
    body.push_str("</form>\n");
}

fn present_answer(participant: &Participant) -> String {
    let email = escape(participant.email.as_str());
    match participant.response {
        MeetingResponse::Pending => format!("{email} has not answered yet."),
        MeetingResponse::Accepted => format!("{email} has accepted."),
        MeetingResponse::Declined => format!("{email} has declined."),
        MeetingResponse::Tentative => format!("{email} may come."),
    }
}

/// From when to when, on the clocks of the meeting's zone, with its name.
fn when(meeting: &Meeting) -> String {
    let (start, end) =
        (meeting.time_zone.wall_clock(meeting.starts_at), meeting.time_zone.wall_clock(meeting.ends_at()));
    let same_day = start.at.date() == end.at.date();
    let same_offset = start.abbreviation == end.abbreviation;
    let begins = start.at.format("%A, %-d %B %Y, %H:%M").to_string();
    let begins = if same_offset { begins } else { format!("{begins} {}", start.abbreviation) };
    let ends = end.at.format(if same_day { "%H:%M" } else { "%A, %-d %B %Y, %H:%M" });
    format!("{begins} \u{2013} {ends} {} ({})", end.abbreviation, meeting.time_zone)
}

/// Writing to a string never fails.
fn push(body: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = body.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use poem::IntoResponse;
    use taskflow_core::{Invitee, MeetingId, NewMeeting, ParticipantId, StartsAt, UserId};
    use uuid::Uuid;

    use super::*;

    const EVIL: &str = "\"></title></dl><script>alert(1)</script>";

    fn invitation() -> Invitation {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let new = NewMeeting {
            description: Some(EVIL.parse().expect("a description")),
            location: Some(EVIL.parse().expect("a place")),
            meeting_url: Some("https://meet.example.org/?a='\"<".parse().expect("a URL")),
            ..NewMeeting::titled(EVIL.parse().expect("a title"), StartsAt::Instant(at("2027-03-27T22:30:00Z")))
        };
        let (id, address) = (Uuid::nil(), "ada@example.org".parse().expect("an address"));
        let organizer = taskflow_core::Mailbox { name: Some(EVIL.to_owned()), address };
        let zone = "Europe/Berlin".parse().expect("a zone");
        let id = MeetingId::from_uuid(id);
        let meeting =
            Meeting::new(id, UserId::from_uuid(Uuid::nil()), organizer, &zone, new, at("2027-01-01T00:00:00Z"))
                .expect("a meeting");
        let invitee = Invitee::new("guest@example.org".parse().expect("an address"));
        let participant = Participant::invited(ParticipantId::from_uuid(Uuid::nil()), id, invitee, None);
        Invitation { meeting, participant, respond_url: None }
    }

    async fn text(invitation: &Invitation, now: &str, word: Word<'_>) -> String {
        let page = render(invitation, now.parse().expect("a time"), word);
        page.into_response().take_body().into_string().await.expect("text")
    }

    #[tokio::test]
    async fn nothing_that_people_wrote_gets_out_of_its_place() {
        let mut invitation = invitation();
        invitation.participant.comment = Some("</textarea><script>".parse().expect("a comment"));
        let page = text(&invitation, "2027-01-01T00:00:00Z", Word::None).await;
        assert!(!page.contains("<script") && page.matches("</dl>").count() == 1, "{page}");
        assert!(page.matches("</textarea>").count() == 1 && page.contains("?a=%27%22%3C"), "{page}");
    }

    #[tokio::test]
    async fn times_stand_in_the_zone_of_the_meeting_with_its_name() {
        let page = text(&invitation(), "2027-01-01T00:00:00Z", Word::None).await;
        let when = "Saturday, 27 March 2027, 23:30 \u{2013} Sunday, 28 March 2027, 00:30 CET (Europe/Berlin)";
        assert!(page.contains(when), "{page}");
    }

    #[tokio::test]
    async fn whoever_can_still_answer_gets_a_form() {
        let mut invitation = invitation();
        let before = text(&invitation, "2027-01-01T00:00:00Z", Word::Thanks).await;
        assert!(before.contains("<form method=\"post\">") && before.contains("is recorded"), "{before}");
        let after = text(&invitation, "2027-04-01T00:00:00Z", Word::None).await;
        assert!(!after.contains("<form") && after.contains("is over"));
        invitation.meeting = invitation.meeting.cancel("2027-01-01T00:00:00Z".parse().expect("a time"));
        let off = text(&invitation, "2027-01-01T00:00:00Z", Word::None).await;
        assert!(!off.contains("<form") && off.contains("is cancelled"));
    }
}
