//! The words of mail about meetings.

use taskflow_core::notice::{
    MeetingCancelContent, MeetingChangeContent, MeetingInviteContent, MeetingLeftContent, MeetingProposalContent,
    MeetingReminderContent, MeetingUndeliveredContent,
};
use taskflow_core::ports::Renderer;
use taskflow_core::{
    Content, Locale, MailLinks, Meeting, MeetingChange, MeetingResponse, MeetingType, NoticeContent, RenderInput,
    StartsAt,
};
use taskflow_mail::Templates;

use crate::support::{guest, invitation, meeting, noon};

/// The words of a mail to somebody in Berlin.
fn render(content: impl NoticeContent) -> Content {
    let links = MailLinks::sample(&content, "https://tasks.example.org");
    render_with(content, links)
}

fn render_with(content: impl NoticeContent, links: MailLinks) -> Content {
    render_in(Locale::en(), Box::new(content), links)
}

fn render_in(locale: Locale, content: Box<dyn NoticeContent>, links: MailLinks) -> Content {
    let input = RenderInput {
        name: "Bob".to_owned(),
        locale,
        zone: "Europe/Berlin".parse().unwrap(),
        date: noon(),
        public_url: Some("https://tasks.example.org".to_owned()),
        unsubscribe_url: None,
        links,
        content,
    };
    Templates::new().render(&input).unwrap()
}

fn cancel(meeting: Meeting) -> MeetingCancelContent {
    let last_planned = (meeting.starts_at, meeting.ends_at());
    MeetingCancelContent { invitation: invitation(meeting), last_planned }
}

fn changed(before: &Meeting, change: MeetingChange) -> Content {
    let after = before.apply(change, noon(), std::time::Duration::ZERO).unwrap();
    render(MeetingChangeContent { invitation: invitation(after), was: before.facts() })
}

#[test]
fn an_invitation_says_when_in_the_readers_zone_and_asks_for_an_answer() {
    let content = render(MeetingInviteContent(invitation(meeting("Plans"))));
    assert_eq!(content.subject, "Invitation: Plans, Mon 23 Nov, 15:00 CET");
    let expected = "Hello Bob,

Ada \"A\" <x> has invited you to this meeting:

Plans
When: Monday, 23 November 2026 at 15:00 CET (Europe/Berlin)
Duration: 1 hour
Where: Room 1, first floor
Link: https://meet.example.org/room?a=1&b=2
Organizer: Ada \"A\" <x> (ada@reader.example)

Bring, if you can:
* cake; tea

Accept: https://tasks.example.org/r/sample-accepted
Maybe: https://tasks.example.org/r/sample-tentative
Decline: https://tasks.example.org/r/sample-declined

Show details: https://tasks.example.org/r/sample

-- 
You are receiving this email because Ada \"A\" <x> invited you.
";
    assert_eq!(content.text, expected);
    let html = content.html.unwrap();
    for answer in ["accepted", "tentative", "declined"] {
        let button = format!("href=\"https:&#x2f;&#x2f;tasks.example.org&#x2f;r&#x2f;sample-{answer}\"");
        assert!(html.contains(&button), "{html}");
    }
    assert!(html.contains("room?a=1&amp;b=2") && !html.contains("<x>"), "{html}");
}

#[test]
fn a_change_tells_what_was_and_what_is_for_every_fact_that_differs() {
    let moved = StartsAt::Instant("2026-11-24T08:30:00Z".parse().unwrap());
    let content = changed(
        &meeting("Plans"),
        MeetingChange {
            title: Some("Better plans".parse().unwrap()),
            description: Some(Some("Bring, if you can:\n* cake; coffee".parse().unwrap())),
            starts_at: Some(moved),
            duration: Some(taskflow_core::DurationMinutes::new(90).unwrap()),
            location: Some(None),
            meeting_url: Some(Some("https://meet.example.org/b".parse().unwrap())),
            meeting_type: Some(MeetingType::Virtual),
            ..MeetingChange::default()
        },
    );
    assert_eq!(content.subject, "Changed: Better plans, Tue 24 Nov, 09:30 CET");
    let expected = "Ada \"A\" <x> has made changes to this meeting:

Better plans
Title: Plans
    → Better plans
When: Monday, 23 November 2026 at 15:00
    → Tuesday, 24 November 2026 at 09:30 CET (Europe/Berlin)
Duration: 1 hour
    → 1 hour 30 minutes
Where: Room 1, first floor
    → none
Link: https://meet.example.org/room?a=1&b=2
    → https://meet.example.org/b
Type: in person
    → online
Description: Bring, if you can: * cake; tea
    → Bring, if you can: * cake; coffee
Organizer: Ada \"A\" <x> (ada@reader.example)
";
    assert!(content.text.contains(expected), "{}", content.text);
    let html = content.html.unwrap();
    for once in ["24 November 2026", "(Europe", "1 hour 30 minutes"] {
        assert_eq!(html.split("<h1").nth(1).unwrap().matches(once).count(), 1, "{once} in {html}");
    }
}

#[test]
fn a_change_does_not_tell_what_is_as_it_was() {
    let renamed = MeetingChange { title: Some("x".parse().unwrap()), ..MeetingChange::default() };
    let content = changed(&meeting("Plans"), renamed);
    assert_eq!(content.text.matches('→').count(), 1, "{}", content.text);
    assert_eq!(content.html.unwrap().matches("<s ").count(), 1);
}

#[test]
fn a_meeting_without_a_place_names_none() {
    let nowhere = |meeting_type| {
        let change = MeetingChange {
            location: Some(None),
            meeting_url: Some(None),
            meeting_type: Some(meeting_type),
            ..MeetingChange::default()
        };
        let meeting = meeting("Plans").apply(change, noon(), std::time::Duration::ZERO).unwrap();
        render(MeetingInviteContent(invitation(meeting))).text
    };
    let in_person = nowhere(MeetingType::InPerson);
    assert!(!in_person.contains("Where") && !in_person.contains("in person"), "{in_person}");
    let online = nowhere(MeetingType::Virtual);
    assert!(!online.contains("Where") && online.contains("Type: online\n"), "{online}");
}

#[test]
fn who_is_taken_off_a_meeting_is_not_told_that_it_is_cancelled() {
    let content = render(cancel(meeting("Plans")));
    assert_eq!(content.subject, "No longer invited: Plans, Mon 23 Nov, 15:00 CET");
    let content = render(cancel(meeting("Plans").cancel(noon())));
    assert_eq!(content.subject, "Cancelled: Plans, Mon 23 Nov, 15:00 CET");
    assert!(
        content.text.contains("has cancelled this meeting") && !content.text.contains("/r/sample-"),
        "{}",
        content.text
    );
}

#[test]
fn a_reminder_carries_the_organizers_message_as_text() {
    let message = Some("Bring <b>cake</b>\nand tea".to_owned());
    let content = render(MeetingReminderContent { invitation: invitation(meeting("Plans")), message });
    assert_eq!(content.subject, "Reminder: Plans starts tomorrow at 15:00");
    assert!(content.text.contains("A note from Ada \"A\" <x>:\n\nBring <b>cake</b>\nand tea\n"), "{}", content.text);
    let html = content.html.unwrap();
    assert!(html.contains("Bring &lt;b&gt;cake") && !html.contains("<b>cake"), "{html}");
}

#[test]
fn the_organizer_reads_who_left() {
    let content = render(MeetingLeftContent(invitation(meeting("Plans"))));
    assert_eq!(content.subject, "Bob \"B\"; ROLE=CHAIR:^x can't make it: Plans");
    assert!(content.text.contains("Show details: https://tasks.example.org/m/sample\n"), "{}", content.text);
}

#[test]
fn the_organizer_reads_who_proposes_which_time() {
    let mut invitation = invitation(meeting("Plans"));
    invitation.participant.comment = "Could we do <b>eleven</b>?".parse().ok();
    let starts_at = Some("2026-11-24T10:00:00Z".parse().unwrap());
    let content = render(MeetingProposalContent { invitation: invitation.clone(), starts_at });
    assert_eq!(content.subject, "Bob \"B\"; ROLE=CHAIR:^x proposes another time: Plans");
    assert!(content.text.contains("Proposed time: Tuesday"), "{}", content.text);
    assert!(content.text.contains("\n\nCould we do <b>eleven</b>?\n"), "{}", content.text);
    assert!(!content.html.unwrap().contains("<b>eleven"));
    let content = render(MeetingProposalContent { invitation, starts_at: None });
    assert!(!content.text.contains("Proposed time"), "{}", content.text);
}

#[test]
fn the_organizer_reads_whom_mail_does_not_reach_and_why() {
    let mut invitation = invitation(meeting("Plans"));
    invitation.participant.email = "gone@xn--bcher-kva.example".parse().unwrap();
    invitation.participant.delivery_problem = "550 5.1.1 <gone> no such user".parse().ok();
    let content = render(MeetingUndeliveredContent(invitation));
    assert_eq!(content.subject, "Your invitation to gone@b\u{fc}cher.example could not be delivered: Plans");
    assert!(content.text.contains("550 5.1.1 <gone> no such user"), "{}", content.text);
    assert!(content.html.unwrap().contains("550 5.1.1 &lt;gone&gt; no such user"));
}

#[test]
fn the_usual_codes_of_mail_servers_are_said_in_words() {
    for (locale, said, expected) in [
        ("en", "5.1.1", "There is no such mailbox (5.1.1)."),
        ("de", "550 5.1.1 no such user", "Dieses Postfach gibt es nicht (5.1.1)."),
        ("en", "552-5.2.2 <a@example.org>: over quota", "The mailbox is full (5.2.2)."),
        ("en", "smtp; 550 5.1.10 RESOLVER.ADR", "The domain of the address takes no email (5.1.10)."),
    ] {
        let mut invitation = invitation(meeting("Plans"));
        invitation.participant.delivery_problem = said.parse().ok();
        let content = Box::new(MeetingUndeliveredContent(invitation));
        let text = render_in(locale.parse().unwrap(), content, MailLinks::default()).text.replace('\n', " ");
        assert!(text.contains(expected), "{said}: {text}");
    }
}

#[test]
fn guests_are_not_sent_to_a_service_that_they_cannot_sign_in_to() {
    let content = render(MeetingInviteContent(invitation(meeting("Plans"))));
    assert!(!content.text.contains("Open TaskFlow") && !content.html.unwrap().contains("Open TaskFlow"));
    let mut known = invitation(meeting("Plans"));
    known.participant.user_id = known.meeting.created_by;
    assert!(render_with(MeetingInviteContent(known), MailLinks::default()).text.contains("Open TaskFlow"));
}

#[test]
fn everybody_is_sent_to_the_meeting_itself_where_there_are_links() {
    let guest = invitation(meeting("Plans"));
    let mut known = guest.clone();
    known.participant.user_id = known.meeting.created_by;
    for invitation in [guest, known] {
        let content = render(MeetingInviteContent(invitation));
        assert!(content.text.contains("Show details: https://tasks.example.org/r/sample\n"), "{}", content.text);
        assert!(!content.text.contains("Open TaskFlow"), "{}", content.text);
    }
}

#[test]
fn an_answer_that_was_given_is_told_and_the_organizer_is_not_asked() {
    let mut invitation = invitation(meeting("Plans"));
    invitation.participant = guest().respond(MeetingResponse::Tentative, None, noon());
    let content = render(MeetingInviteContent(invitation.clone()));
    assert!(content.text.contains("Your answer so far: maybe\n"), "{}", content.text);
    invitation.participant.role = taskflow_core::MeetingRole::Organizer;
    let content = render(MeetingReminderContent { invitation, message: None });
    assert!(!content.text.contains("answer") && !content.text.contains("/r/sample-"), "{}", content.text);
}

#[test]
fn without_links_nobody_is_asked_to_follow_one() {
    let content = render_with(MeetingInviteContent(invitation(meeting("Plans"))), MailLinks::default());
    assert!(!content.text.contains("Decline") && !content.html.unwrap().contains("Decline"));
}

#[test]
fn hostile_words_stay_words() {
    let title = "</p><script>alert(1)</script> {{ 7*7 }} \u{1F600}";
    let invitation = || invitation(meeting(title));
    for content in [
        render(MeetingInviteContent(invitation())),
        render(MeetingChangeContent {
            invitation: crate::support::invitation(meeting("x")),
            was: meeting(title).facts(),
        }),
        render(cancel(meeting(title))),
        render(MeetingReminderContent { invitation: invitation(), message: Some(title.to_owned()) }),
        render(MeetingLeftContent(invitation())),
    ] {
        assert!(content.text.contains(title), "{}", content.text);
        let html = content.html.unwrap();
        assert!(!html.contains("<script") && !html.contains("49"), "{html}");
    }
}
