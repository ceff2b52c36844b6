//! Answers by link and by calendar.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskflow_core::ports::{
    Calendar, CalendarEntry, CalendarReply, Counter, Link, LinkPurpose, Links, ProposedStart, ReplyAttendee,
    UnreadableReply,
};
use taskflow_core::{
    CalendarMethod, CalendarPart, EmailAddress, Error, MeetingId, MeetingResponse, Precondition, ReplyTaken, Timestamp,
};
use uuid::Uuid;

use super::app::World;
use super::reminders::{Board, NOBODY, board, move_to, person};
use crate::sample::{at, noon};
use crate::{OpenStore, PlainLinks};

/// Reads from every message what it was told to.
#[derive(Default)]
struct FakeCalendar(Mutex<Option<CalendarReply>>);

impl Calendar for FakeCalendar {
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart {
        CalendarPart { method: entry.method, text: format!("{} {}", entry.meeting.sequence, entry.attendees.len()) }
    }

    fn read_reply(&self, _message: &[u8], _type: Option<&str>) -> Result<Vec<CalendarReply>, UnreadableReply> {
        let reply = self.0.lock().expect("nobody panicked").clone();
        reply.map(|reply| vec![reply]).ok_or_else(|| UnreadableReply("holds no calendar object".to_owned()))
    }
}

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

fn attendee(email: &str, response: MeetingResponse) -> ReplyAttendee {
    ReplyAttendee { email: address(email), sent_by: None, response }
}

/// Returns a calendar's reply to the first revision of a meeting, from an unknown sender.
fn reply(meeting: MeetingId, at: Timestamp, email: &str, response: MeetingResponse) -> CalendarReply {
    CalendarReply {
        meeting,
        sequence: 0,
        at: Some(at),
        attendees: vec![attendee(email, response)],
        sender: None,
        comment: None,
        counter: None,
    }
}

/// The same with another answer.
fn answering(reply: &CalendarReply, response: MeetingResponse) -> CalendarReply {
    let attendees = reply.attendees.iter().cloned().map(|one| ReplyAttendee { response, ..one }).collect();
    CalendarReply { attendees, ..reply.clone() }
}

async fn with_calendar(open: &dyn OpenStore) -> (Board, Arc<FakeCalendar>) {
    let calendar = Arc::new(FakeCalendar::default());
    let world = World::building(open, |builder| builder.calendar(calendar.clone()).links(Arc::new(PlainLinks)));
    (Board::calling(world, board(&["bob", "eve"])).await, calendar)
}

pub(super) async fn a_calendars_answer_counts_when_it_is_theirs_fresh_and_of_this_sequence(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    let (world, id) = (&board.world, board.id);
    let answer = CalendarReply {
        sender: Some(address("Eve@Example.org")),
        comment: Some("ill".to_owned()),
        ..reply(id, noon(), "EVE@example.org", MeetingResponse::Declined)
    };
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    let ignored = |taken| matches!(taken, ReplyTaken::Ignored(_));
    let unknown = taskflow_core::MeetingId::from_uuid(Uuid::nil());
    assert!(ignored(take(CalendarReply { meeting: unknown, ..answer.clone() }).await));
    assert!(ignored(take(CalendarReply { sender: Some(address("bob@example.org")), ..answer.clone() }).await));
    assert!(ignored(
        take(CalendarReply {
            attendees: vec![attendee("kim@example.org", MeetingResponse::Declined)],
            ..answer.clone()
        })
        .await
    ));
    assert!(ignored(take(answering(&answer, MeetingResponse::Pending)).await));
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Pending);

    assert_eq!(take(answer.clone()).await, ReplyTaken::Recorded);
    let details = board.details().await;
    let eve = person(&details, "eve");
    assert_eq!(
        (eve.response, eve.comment.as_ref().map(taskflow_core::Comment::as_str)),
        (MeetingResponse::Declined, Some("ill"))
    );
    assert_eq!(take(answer.clone()).await, ReplyTaken::Recorded);

    // An older answer comes late, and so does one to the meeting as it was before it moved.
    let accepted = CalendarReply { sender: None, ..answering(&answer, MeetingResponse::Accepted) };
    let before = noon() - Duration::from_secs(60);
    assert!(ignored(take(CalendarReply { at: Some(before), ..accepted.clone() }).await));
    board.change(move_to("2026-11-23T11:00:00Z")).await;
    let later = CalendarReply { at: Some(noon() + Duration::from_secs(60)), ..accepted };
    assert!(ignored(take(later.clone()).await));
    // Nor does it count once they were told: it was given to what they knew before.
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.told().await, ["bob: Changed", "eve: Changed"]);
    assert!(ignored(take(later.clone()).await));
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Pending);
    assert_eq!(take(CalendarReply { sequence: 1, ..later.clone() }).await, ReplyTaken::Recorded);
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Accepted);

    world.app.meetings().cancel(board.ada, id, Precondition::Any).await.expect("cancelled");
    let declined = CalendarReply { sequence: 9, ..answering(&later, MeetingResponse::Declined) };
    assert!(ignored(take(declined).await));
    *calendar.0.lock().expect("nobody panicked") = None;
    assert!(matches!(world.app.participants().ingest_reply(b"", None).await, Err(Error::Invalid(_))));
}

pub(super) async fn of_several_attendees_it_is_the_senders_answer(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        board.world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    let is = async |name: &str| person(&board.details().await, name).response;
    let (yes, no) = (MeetingResponse::Accepted, MeetingResponse::Declined);
    let all = |names: &[&str], response| names.iter().map(|name| attendee(name, response)).collect::<Vec<_>>();
    let reply = |attendees, sender: Option<&str>| CalendarReply {
        attendees,
        sender: sender.map(address),
        ..reply(board.id, noon(), "eve@example.org", yes)
    };
    let both = ["ada@example.org", "bob@example.org", "eve@example.org"];
    // Who sent it is among them, whoever else is.
    assert_eq!(take(reply(all(&both, no), Some("eve@example.org"))).await, ReplyTaken::Recorded);
    assert_eq!((is("bob").await, is("eve").await), (MeetingResponse::Pending, no));
    // Nobody says who sent it: it is the only one who was invited.
    let with_organizer = all(&["ada@example.org", "kim@example.org", "bob@example.org"], yes);
    assert_eq!(take(reply(with_organizer, None)).await, ReplyTaken::Recorded);
    assert_eq!((is("ada").await, is("bob").await), (yes, yes));
    for (attendees, sender) in [
        (all(&both, yes), None),
        (all(&both, yes), Some("mallory@example.org")),
        (all(&["kim@example.org"], yes), Some("kim@example.org")),
    ] {
        assert!(matches!(take(reply(attendees, sender)).await, ReplyTaken::Ignored(_)));
    }
    assert_eq!(is("eve").await, no);
}

pub(super) async fn an_assistant_answers_for_somebody_of_their_organization_alone(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    let take = async |email: &str, sent_by: &str, sender: &str| {
        let one = ReplyAttendee { sent_by: Some(address(sent_by)), ..attendee(email, MeetingResponse::Accepted) };
        let reply = reply(board.id, noon(), email, MeetingResponse::Accepted);
        let reply = CalendarReply { attendees: vec![one], sender: Some(address(sender)), ..reply };
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        board.world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    let eve = "eve@example.org";
    for (sent_by, sender) in [
        ("office@example.org", "mallory@example.org"),
        ("mallory@example.com", "mallory@example.com"),
        ("mallory@example.org.example.com", "mallory@example.org.example.com"),
        (eve, "office@example.org"),
    ] {
        assert_eq!(take(eve, sent_by, sender).await, ReplyTaken::Ignored("somebody else sent it"), "{sender}");
    }
    assert_eq!(take(eve, "office@example.org", "Office@Example.org").await, ReplyTaken::Recorded);
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Accepted);
}

pub(super) async fn who_proposes_another_time_may_come_and_the_organizer_is_told(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    let world = &board.world;
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    let other = at("2026-11-23T13:00:00Z");
    let counter = |starts_at: Option<ProposedStart>| CalendarReply {
        comment: Some("later?".to_owned()),
        counter: Some(Counter { starts_at }),
        at: None,
        ..reply(board.id, noon(), "eve@example.org", MeetingResponse::Declined)
    };
    let eve = async || {
        let details = board.details().await;
        let eve = person(&details, "eve");
        (eve.response, eve.proposed_start, eve.comment.as_ref().map(ToString::to_string))
    };
    let asks = |told: Vec<String>| told.len() == 1 && told[0].starts_with("ada: ") && told[0].ends_with("another time");
    let later = Some("later?".to_owned());
    let exact = counter(Some(ProposedStart::At(other)));
    for told in [true, false] {
        assert_eq!(take(exact.clone()).await, ReplyTaken::Recorded);
        assert_eq!(eve().await, (MeetingResponse::Tentative, Some(other), later.clone()));
        assert_eq!(asks(world.told().await), told);
    }
    // By the clock of the meeting's own zone; or without saying when.
    let local = "2026-11-23T16:00:00".parse().expect("a local time");
    let zone = board.details().await.meeting.time_zone;
    assert_eq!(take(counter(Some(ProposedStart::Local(local)))).await, ReplyTaken::Recorded);
    assert_eq!(eve().await.1, Some(zone.instant(local)));
    assert!(asks(world.told().await));
    assert_eq!(take(counter(None)).await, ReplyTaken::Recorded);
    assert_eq!(eve().await, (MeetingResponse::Tentative, None, later.clone()));
    assert!(asks(world.told().await));
    // A later answer takes it back, before anybody reads of it.
    assert_eq!(take(exact.clone()).await, ReplyTaken::Recorded);
    let plain = CalendarReply { counter: None, ..answering(&exact, MeetingResponse::Tentative) };
    assert_eq!(take(plain).await, ReplyTaken::Recorded);
    assert_eq!(eve().await, (MeetingResponse::Tentative, None, later));
    assert_eq!(world.told().await, [""; 0]);
    // So does another time of the meeting.
    assert_eq!(take(exact.clone()).await, ReplyTaken::Recorded);
    board.change(move_to("2026-11-23T11:00:00Z")).await;
    assert_eq!(eve().await.1, None);
    assert_eq!(world.told().await, [""; 0]);
    // To the meeting as it was before it is none.
    assert!(matches!(take(exact).await, ReplyTaken::Ignored(_)));
}

pub(super) async fn an_answer_without_a_time_was_given_when_it_came(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    let take = async |response| {
        let reply = CalendarReply { at: None, ..reply(board.id, noon(), "eve@example.org", response) };
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        board.world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    board.world.clock.advance(Duration::from_secs(60));
    assert_eq!(take(MeetingResponse::Accepted).await, ReplyTaken::Recorded);
    board.world.clock.advance(Duration::from_secs(60));
    assert_eq!(take(MeetingResponse::Declined).await, ReplyTaken::Recorded);
    let details = board.details().await;
    let eve = person(&details, "eve");
    assert_eq!((eve.response, eve.responded_at), (MeetingResponse::Declined, Some(noon() + Duration::from_mins(2))));
}

pub(super) async fn edits_that_undid_each_other_leave_answers_valid(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    board.change(move_to("2026-11-23T10:00:00Z")).await;
    assert_eq!(board.details().await.meeting.sequence, 2);
    let answer = |at, response| reply(board.id, at, "eve@example.org", response);
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        board.world.app.participants().ingest_reply(b"a message", None).await.expect("read")
    };
    board.world.clock.advance(Duration::from_secs(300));
    let given = |minutes| noon() + Duration::from_mins(minutes);
    assert_eq!(take(answer(given(2), MeetingResponse::Accepted)).await, ReplyTaken::Recorded);
    // Both came now; when they were given decides.
    assert_eq!(take(answer(given(3), MeetingResponse::Declined)).await, ReplyTaken::Recorded);
    assert!(matches!(take(answer(given(1), MeetingResponse::Accepted)).await, ReplyTaken::Ignored(_)));
    let details = board.details().await;
    let eve = person(&details, "eve");
    assert_eq!((eve.response, eve.responded_at), (MeetingResponse::Declined, Some(given(3))));
}

pub(super) async fn invitations_carry_the_meeting_for_calendars_and_reminders_do_not(open: Arc<dyn OpenStore>) {
    let (board, _) = with_calendar(&*open).await;
    let world = &board.world;
    board.change(move_to("2026-11-23T11:00:00Z")).await;
    world.clock.advance(Duration::from_secs(60));
    world.deliver().await;
    let changed = world.mailer.take();
    // The reader alone is named.
    let request = Some(CalendarPart { method: CalendarMethod::Request, text: "1 1".to_owned() });
    assert!(changed.len() == 2 && changed.iter().all(|mail| mail.calendar == request), "{changed:?}");
    world.clock.set(at("2026-11-23T10:45:00Z"));
    world.deliver().await;
    assert!(world.mailer.take().iter().all(|mail| mail.calendar.is_none()));
    world.app.meetings().cancel(board.ada, board.id, Precondition::Any).await.expect("cancelled");
    world.deliver().await;
    let cancel = Some(CalendarPart { method: CalendarMethod::Cancel, text: "2 1".to_owned() });
    assert!(world.mailer.take().iter().all(|mail| mail.calendar == cancel));
    let published = world.app.meetings().calendar(board.bob, board.id).await.expect("a calendar object");
    assert_eq!(published, CalendarPart { method: CalendarMethod::Publish, text: "2 3".to_owned() });
}

pub(super) async fn a_guest_answers_by_link_until_they_are_taken_off(open: Arc<dyn OpenStore>) {
    let (board, _) = with_calendar(&*open).await;
    let (world, details) = (&board.world, board.details().await);
    let eve = person(&details, "eve").id;
    let expires_at = at("2026-11-24T10:00:00Z");
    let link = Link { purpose: LinkPurpose::Respond, id: eve.as_uuid(), expires_at, version: Some(1) };
    let token = PlainLinks.url(&link);
    assert_eq!(world.app.links().invitation(&token).await.expect("an invitation").invitation.participant.id, eve);
    world.app.links().respond(&token, MeetingResponse::Declined, None, None).await.expect("an answer");
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon"]);
    let of = |link: Link| PlainLinks.url(&link);
    let wrong = [
        "nonsense".to_owned(),
        of(Link { purpose: LinkPurpose::VerifyEmail, ..link }),
        of(Link { id: Uuid::nil(), ..link }),
        of(Link { expires_at: at("2026-11-23T09:45:00Z"), ..link }),
    ];
    for token in wrong {
        assert!(matches!(world.app.links().invitation(&token).await, Err(Error::NotFound(_))), "{token}");
    }
    world.app.participants().remove(board.ada, board.id, eve, Precondition::Any).await.expect("removed");
    let answer = world.app.links().respond(&token, MeetingResponse::Accepted, None, None).await;
    assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
    assert_eq!(world.told_at("2026-11-23T11:30:00Z").await, ["eve: Cancelled"]);
    assert_eq!(world.told_at("2026-11-23T12:00:00Z").await, NOBODY);
}
