//! Answers by link and by calendar.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::app::World;
use super::reminders::{Board, NOBODY, board, move_to, person};
use crate::error::Error;
use crate::ports::{Calendar, CalendarEntry, CalendarReply, Link, LinkPurpose, Links, UnreadableReply};
use crate::testing::sample::{at, invitee, noon};
use crate::testing::{OpenStore, PlainLinks};
use crate::{CalendarMethod, CalendarPart, Expect, MeetingResponse, ReplyTaken};

/// Reads from every message what it was told to.
#[derive(Default)]
struct FakeCalendar(Mutex<Option<CalendarReply>>);

impl Calendar for FakeCalendar {
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart {
        CalendarPart { method: entry.method, text: format!("{} {}", entry.meeting.sequence, entry.attendees.len()) }
    }

    fn read_reply(&self, _message: &[u8]) -> Result<CalendarReply, UnreadableReply> {
        let reply = self.0.lock().expect("nobody panicked").clone();
        reply.ok_or_else(|| UnreadableReply("holds no calendar object".to_owned()))
    }
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
        meeting: id,
        sequence: 0,
        at: noon(),
        attendee: "EVE@example.org".parse().expect("an address"),
        sender: Some("Eve@Example.org".parse().expect("an address")),
        response: MeetingResponse::Declined,
        comment: Some("ill".to_owned()),
    };
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        world.app.take_reply(b"a message").await.expect("read")
    };
    let ignored = |taken| matches!(taken, ReplyTaken::Ignored(_));
    let bob = invitee("bob").email;
    let unknown = crate::MeetingId::from_uuid(Uuid::nil());
    assert!(ignored(take(CalendarReply { meeting: unknown, ..answer.clone() }).await));
    assert!(ignored(take(CalendarReply { sender: Some(bob), ..answer.clone() }).await));
    assert!(ignored(take(CalendarReply { attendee: invitee("kim").email, ..answer.clone() }).await));
    assert!(ignored(take(CalendarReply { response: MeetingResponse::Pending, ..answer.clone() }).await));
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Pending);

    assert_eq!(take(answer.clone()).await, ReplyTaken::Recorded);
    let details = board.details().await;
    let eve = person(&details, "eve");
    assert_eq!(
        (eve.response, eve.comment.as_ref().map(crate::Comment::as_str)),
        (MeetingResponse::Declined, Some("ill"))
    );
    assert_eq!(take(answer.clone()).await, ReplyTaken::Recorded);

    // An older answer comes late, and so does one to the meeting as it was before it moved.
    let accepted = CalendarReply { response: MeetingResponse::Accepted, sender: None, ..answer.clone() };
    let before = noon() - Duration::from_secs(60);
    assert!(ignored(take(CalendarReply { at: before, ..accepted.clone() }).await));
    board.change(move_to("2026-11-23T11:00:00Z")).await;
    let later = CalendarReply { at: noon() + Duration::from_secs(60), ..accepted };
    assert!(ignored(take(later.clone()).await));
    assert_eq!(take(CalendarReply { sequence: 1, ..later.clone() }).await, ReplyTaken::Recorded);
    assert_eq!(person(&board.details().await, "eve").response, MeetingResponse::Accepted);

    world.app.cancel_meeting(board.ada, id, Expect::Any).await.expect("cancelled");
    let declined = CalendarReply { response: MeetingResponse::Declined, sequence: 9, ..later };
    assert!(ignored(take(declined).await));
    *calendar.0.lock().expect("nobody panicked") = None;
    assert!(matches!(world.app.take_reply(b"").await, Err(Error::Invalid(_))));
}

pub(super) async fn edits_that_undid_each_other_leave_answers_valid(open: Arc<dyn OpenStore>) {
    let (board, calendar) = with_calendar(&*open).await;
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    board.change(move_to("2026-11-23T10:00:00Z")).await;
    assert_eq!(board.details().await.meeting.sequence, 2);
    let answer = |at, response| CalendarReply {
        meeting: board.id,
        sequence: 0,
        at,
        attendee: invitee("eve").email,
        sender: None,
        response,
        comment: None,
    };
    let take = async |reply: CalendarReply| {
        *calendar.0.lock().expect("nobody panicked") = Some(reply);
        board.world.app.take_reply(b"a message").await.expect("read")
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
    world.app.cancel_meeting(board.ada, board.id, Expect::Any).await.expect("cancelled");
    world.deliver().await;
    let cancel = Some(CalendarPart { method: CalendarMethod::Cancel, text: "2 1".to_owned() });
    assert!(world.mailer.take().iter().all(|mail| mail.calendar == cancel));
    let published = world.app.meeting_calendar(board.bob, board.id).await.expect("a calendar object");
    assert_eq!(published, CalendarPart { method: CalendarMethod::Publish, text: "2 3".to_owned() });
}

pub(super) async fn a_guest_answers_by_link_until_they_are_taken_off(open: Arc<dyn OpenStore>) {
    let (board, _) = with_calendar(&*open).await;
    let (world, details) = (&board.world, board.details().await);
    let eve = person(&details, "eve").id;
    let link = Link { purpose: LinkPurpose::Respond, id: eve.as_uuid(), expires_at: at("2026-11-24T10:00:00Z") };
    let token = PlainLinks.url(&link);
    assert_eq!(world.app.invitation(&token).await.expect("an invitation").participant.id, eve);
    world.app.respond_by_link(&token, MeetingResponse::Declined, None).await.expect("an answer");
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon"]);
    let of = |link: Link| PlainLinks.url(&link);
    let wrong = [
        "nonsense".to_owned(),
        of(Link { purpose: LinkPurpose::VerifyEmail, ..link }),
        of(Link { id: Uuid::nil(), ..link }),
        of(Link { expires_at: at("2026-11-23T09:45:00Z"), ..link }),
    ];
    for token in wrong {
        assert!(matches!(world.app.invitation(&token).await, Err(Error::NotFound(_))), "{token}");
    }
    world.app.remove_participant(board.ada, board.id, eve, Expect::Any).await.expect("removed");
    let answer = world.app.respond_by_link(&token, MeetingResponse::Accepted, None).await;
    assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
    assert_eq!(world.told_at("2026-11-23T11:30:00Z").await, ["eve: Cancelled"]);
    assert_eq!(world.told_at("2026-11-23T12:00:00Z").await, NOBODY);
}
