//! Addresses live: people move to others, and mail, answers and what somebody ended follow them.

use std::sync::{Arc, Mutex};

use taskflow_core::ports::{
    Calendar, CalendarEntry, CalendarReply, Link, LinkPurpose, Links, RenderError, Renderer, ReplyAttendee,
    UnreadableReply,
};
use taskflow_core::{
    Actor, CalendarMethod, CalendarPart, Content, DeliveryState, EmailAddress, Invitee, MeetingResponse, NewMeeting,
    NewUser, NoticeKind, Precondition, PreferencesChange, ProfileChange, RenderInput, ReplyTaken, Suppression,
    SuppressionCause, SuppressionWrite, Timestamp, UnsubscribeWrite, UserId,
};

use super::app::World;
use super::invitations::{SECOND, called};
use super::reminders::{Board, board, own, person};
use crate::sample::{at, invitee, new_user, noon};
use crate::{OpenStore, PlainLinks};

/// Names the attendees and how they stand; reads from every message what it was told to.
#[derive(Default)]
struct NamesAttendees(Mutex<Option<CalendarReply>>);

impl Calendar for NamesAttendees {
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart {
        let of = |one: &taskflow_core::Participant| format!("{} {}", one.email, one.response);
        let attendees: Vec<_> = entry.attendees.iter().map(of).collect();
        let organizer = &entry.meeting.organizer.address;
        CalendarPart { method: entry.method, text: format!("{organizer}: {}", attendees.join(", ")) }
    }

    fn read_reply(&self, _: &[u8], _: Option<&str>) -> Result<Vec<CalendarReply>, UnreadableReply> {
        Ok(self.0.lock().expect("nobody panicked").iter().cloned().collect())
    }
}

async fn moves(world: &World, who: Actor, name: &str) {
    let id = who.user_id().expect("a person");
    let change = ProfileChange { email: Some(invitee(name).email), ..ProfileChange::default() };
    world.app.accounts().update_profile(who, id, change, Precondition::Any).await.expect("moved");
}

async fn shows(world: &World, who: Actor) {
    world.app.accounts().mark_email_verified(Actor::System, who.user_id().expect("a person")).await.expect("verified");
    world.deliver().await;
    let _mail = world.mailer.take();
}

pub(super) async fn updates_and_answers_name_the_address_where_somebody_is_now(open: Arc<dyn OpenStore>) {
    let calendar = Arc::new(NamesAttendees::default());
    let world = World::building(&*open, |builder| builder.calendar(calendar.clone()));
    let board = Board::calling(world, board(&["bob", "eve"])).await;
    let world = &board.world;
    let change = async |title: &str, to: &str| {
        board.change(called(title)).await;
        world.clock.advance(SECOND * 60);
        world.deliver().await;
        let mails = world.mailer.take();
        let mail = mails.iter().find(|mail| mail.to.address == invitee(to).email).expect("a mail");
        let reply_to = mail.headers.reply_to.as_ref().expect("an address for answers").address.to_string();
        (mail.calendar.as_ref().expect("a calendar part").text.clone(), reply_to)
    };
    let reply = async |attendee: &str, sender: &str, response| {
        world.clock.advance(SECOND);
        *calendar.0.lock().expect("nobody panicked") = Some(CalendarReply {
            meeting: board.id,
            sequence: 0,
            at: Some(world.clock_now()),
            attendees: vec![ReplyAttendee { email: invitee(attendee).email, sent_by: None, response }],
            sender: Some(invitee(sender).email),
            comment: None,
            counter: None,
        });
        world.app.participants().ingest_reply(b"a message", None).await.expect("read") == ReplyTaken::Recorded
    };
    // Another address counts once it is shown to be theirs.
    moves(world, board.bob, "robert").await;
    let text = |bob: &str| format!("ada@example.org: {bob}@example.org pending");
    assert_eq!(change("One", "bob").await, (text("bob"), "ada@example.org".to_owned()));
    assert!(!reply("robert", "robert", MeetingResponse::Accepted).await);
    shows(world, board.bob).await;
    assert_eq!(change("Two", "robert").await, (text("robert"), "ada@example.org".to_owned()));
    assert!(reply("robert", "robert", MeetingResponse::Accepted).await);
    assert!(reply("bob", "robert", MeetingResponse::Declined).await);
    assert!(reply("robert", "bob", MeetingResponse::Tentative).await);
    assert!(!reply("robert", "eve", MeetingResponse::Accepted).await);
    assert_eq!(person(&board.details().await, "bob").response, MeetingResponse::Tentative);
    let published = world.app.meetings().calendar(board.bob, board.id).await.expect("a calendar object");
    assert_eq!(published.method, CalendarMethod::Publish);
    assert!(published.text.contains("robert@example.org tentative"), "{}", published.text);
    // Answers follow the organizer, and ORGANIZER stays (RFC 5546 §3.2.2).
    moves(world, board.ada, "lovelace").await;
    assert_eq!(change("Three", "eve").await.1, "ada@example.org");
    shows(world, board.ada).await;
    let (text, reply_to) = change("Four", "eve").await;
    assert_eq!(
        (text.as_str(), reply_to.as_str()),
        ("ada@example.org: eve@example.org pending", "lovelace@example.org")
    );
}

pub(super) async fn a_former_address_stands_for_whoever_shows_that_it_is_theirs(open: Arc<dyn OpenStore>) {
    let calendar = Arc::new(NamesAttendees::default());
    let world = World::building(&*open, |builder| builder.calendar(calendar.clone()));
    let board = Board::calling(world, board(&["bob", "eve"])).await;
    let world = &board.world;
    moves(world, board.bob, "robert").await;
    shows(world, board.bob).await;
    board.respond(board.bob, MeetingResponse::Accepted).await;
    // Somebody else gets the address that he left.
    let carol = NewUser { email: invitee("bob").email, ..new_user("carol") };
    let carol = Actor::User(world.app.accounts().register(carol, None).await.expect("registered").id);
    shows(world, carol).await;
    world.clock.advance(SECOND);
    *calendar.0.lock().expect("nobody panicked") = Some(CalendarReply {
        meeting: board.id,
        sequence: 0,
        at: Some(world.clock_now()),
        attendees: vec![ReplyAttendee {
            email: invitee("bob").email,
            sent_by: None,
            response: MeetingResponse::Declined,
        }],
        sender: Some(invitee("bob").email),
        comment: None,
        counter: None,
    });
    assert_ne!(world.app.participants().ingest_reply(b"a message", None).await.expect("read"), ReplyTaken::Recorded);
    assert_eq!(person(&board.details().await, "bob").response, MeetingResponse::Accepted);
    // Invited by it, she comes beside him.
    let invitees = vec![invitee("bob")];
    world.app.participants().add(board.ada, board.id, invitees, Precondition::Any).await.expect("invited");
    assert_eq!(world.told().await, ["bob: Invitation"]);
    let details = world.app.meetings().get(carol, board.id).await.expect("she is in it");
    let bobs = details.participants.iter().find(|one| one.user_id == board.bob.user_id()).expect("he is, too");
    assert_eq!((bobs.email.as_str(), bobs.response), ("robert@example.org", MeetingResponse::Accepted));
}

pub(super) async fn what_a_guest_ended_is_ended_when_they_are_a_guest_again(open: Arc<dyn OpenStore>) {
    let board = with_links(&*open).await;
    let world = &board.world;
    let link = ending(&board).await;
    world.app.links().unsubscribe(&link).await.expect("ended");
    let eve = world.verified("eve").await;
    world.app.accounts().delete(Actor::User(eve), eve).await.expect("deleted");
    let ended = world.storage.unsubscribed(&[invitee("eve").email]).await.expect("a read");
    assert_eq!(ended.len(), 1);
}

/// Remembers the languages and zones that were written in.
#[derive(Default)]
struct Remembers(Mutex<Vec<String>>);

impl Renderer for Remembers {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        let line = format!("{} {}", input.locale, input.zone);
        self.0.lock().expect("nobody panicked").push(line);
        Ok(Content { subject: "x".to_owned(), text: String::new(), html: None })
    }
}

pub(super) async fn guests_read_what_they_were_given_and_else_what_the_organizer_reads(open: Arc<dyn OpenStore>) {
    let written = Arc::new(Remembers::default());
    let links = Arc::new(PlainLinks);
    let world = World::building(&*open, |builder| builder.renderer(written.clone()).links(links));
    let new = NewUser { locale: Some("fr".parse().expect("a locale")), ..new_user("ada") };
    let ada = Actor::User(world.app.accounts().register(new, None).await.expect("an account").id);
    let given = Invitee {
        locale: Some("ja".parse().expect("a locale")),
        time_zone: Some("Asia/Tokyo".parse().expect("a zone")),
        ..invitee("kim")
    };
    let new = NewMeeting {
        time_zone: Some("America/New_York".parse().expect("a zone")),
        invitees: vec![invitee("eve"), given],
        ..board(&[])
    };
    world.deliver().await;
    written.0.lock().expect("nobody panicked").clear();
    let details = world.app.meetings().create(ada, new).await.expect("a meeting");
    world.deliver().await;
    let mut lines = written.0.lock().expect("nobody panicked").clone();
    lines.sort_unstable();
    assert_eq!(lines, ["fr America/New_York", "ja Asia/Tokyo"]);
    for (name, locale, zone) in [("eve", "fr", "America/New_York"), ("kim", "ja", "Asia/Tokyo")] {
        let (purpose, id) = (LinkPurpose::Respond, person(&details, name).id.as_uuid());
        let link = PlainLinks.url(&Link { purpose, id, expires_at: at("2027-01-01T00:00:00Z"), version: None });
        let page = world.app.links().invitation(&link).await.expect("an invitation");
        assert_eq!((page.locale.as_str(), page.time_zone.name()), (locale, zone));
    }
}

/// The link that ends reminders of meetings for Eve, a guest.
async fn ending(board: &Board) -> String {
    let (purpose, id) =
        (LinkPurpose::Unsubscribe(NoticeKind::MeetingReminder), person(&board.details().await, "eve").id);
    PlainLinks.url(&Link { purpose, id: id.as_uuid(), expires_at: Timestamp::MAX, version: None })
}

async fn with_links(open: &dyn OpenStore) -> Board {
    let world = World::building(open, |builder| builder.links(Arc::new(PlainLinks)));
    Board::calling(world, board(&["bob", "eve"])).await
}

pub(super) async fn what_a_guest_ends_belongs_to_the_address_and_can_be_undone(open: Arc<dyn OpenStore>) {
    let board = with_links(&*open).await;
    let Board { world, ada, id, .. } = &board;
    let link = ending(&board).await;
    let other = NewMeeting { invitees: vec![invitee("EVE"), invitee("kim")], ..super::reminders::board(&[]) };
    world.app.meetings().create(*ada, other).await.expect("another meeting");
    assert_eq!(world.told().await, ["EVE: Invitation", "kim: Invitation"]);
    for _ in 0..2 {
        let ended = world.app.links().unsubscribe(&link).await.expect("ended");
        assert_eq!(
            (ended.kind, ended.email.as_str(), ended.is_on),
            (NoticeKind::MeetingReminder, "eve@example.org", false)
        );
    }
    // By hand as well; and who gets none is not counted.
    let reminded = world.app.meetings().remind_now(*ada, *id, None, None).await.expect("planned");
    assert_eq!((reminded.participants, reminded.planned), (3, 2));
    assert_eq!(world.told().await, ["ada: Soon", "bob: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "ada: Soon", "bob: Soon", "kim: Soon"]);
    let rows = world.app.meetings().ledger(*ada, *id).await.expect("a ledger").0;
    let reason = "the reader has switched it off";
    assert!(rows.iter().any(|row| row.state == DeliveryState::Cancelled && row.reason == reason), "{rows:?}");
    // Invitations and changes still come.
    board.change(super::reminders::move_to("2026-11-24T10:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T09:50:00Z").await, ["bob: Changed", "eve: Changed"]);
    assert!(world.app.links().resubscribe(&link).await.expect("again").is_on);
    assert!(world.app.links().subscription(&link).await.expect("known").is_on);
    assert_eq!(world.told_at("2026-11-24T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
}

pub(super) async fn what_a_guest_ended_stays_ended_when_the_address_becomes_an_accounts(open: Arc<dyn OpenStore>) {
    let board = with_links(&*open).await;
    let world = &board.world;
    let link = ending(&board).await;
    world.app.links().unsubscribe(&link).await.expect("ended");
    let eve: UserId = world.verified("eve").await;
    let user = world.app.accounts().get(Actor::System, eve).await.expect("an account");
    assert_eq!((Vec::from_iter(user.preferences.off), user.version), (vec![NoticeKind::MeetingReminder], 2));
    assert!(!world.app.links().subscription(&link).await.expect("known").is_on);
    // From now on it is theirs to change, and nothing of the guest's is left.
    let kinds = [(NoticeKind::MeetingReminder, true)].into();
    let change = PreferencesChange { kinds, ..PreferencesChange::default() };
    world.app.accounts().change_preferences(Actor::User(eve), &change, Precondition::Any).await.expect("changed");
    let ended = world.storage.unsubscribed(&[invitee("eve").email]).await.expect("a read");
    assert!(ended.is_empty(), "{ended:?}");
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
}

pub(super) async fn by_hand_only_those_are_reminded_whom_it_reaches(open: Arc<dyn OpenStore>) {
    let board = with_links(&*open).await;
    let Board { world, ada, bob, id } = &board;
    world.app.meetings().set_own_reminders(*bob, *id, own(&[])).await.expect("set");
    let planned = async || world.app.meetings().remind_now(*ada, *id, None, None).await.expect("planned").planned;
    assert_eq!(planned().await, 3);
    let off = PreferencesChange::without(NoticeKind::MeetingReminder);
    world.app.accounts().change_preferences(*bob, &off, Precondition::Any).await.expect("changed");
    assert_eq!(planned().await, 2);
    let gone = Suppression {
        email: invitee("eve").email,
        cause: SuppressionCause::Bounce,
        detail: "gone".to_owned(),
        at: noon(),
        overrides: 0,
    };
    world.storage.commit(&taskflow_core::Changes::new().write(SuppressionWrite::Add(gone))).await.expect("suppressed");
    assert_eq!(planned().await, 1);
}

pub(super) async fn what_was_ended_is_kept_by_address_and_kind(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let address = |text: &str| text.parse::<EmailAddress>().expect("an address");
    let end = |email: &str, kind| UnsubscribeWrite::Add { email: address(email), kind, at: noon() };
    let commit = async |writes: Vec<UnsubscribeWrite>| {
        let changes = writes.into_iter().fold(taskflow_core::Changes::new(), taskflow_core::Changes::write);
        store.commit(&changes).await.expect("a commit");
    };
    let (reminder, summary) = (NoticeKind::MeetingReminder, NoticeKind::DailySummary);
    commit(vec![end("Eve@Example.org", reminder), end("eve@example.org", summary), end("kim@example.org", reminder)])
        .await;
    commit(vec![end("EVE@example.org", reminder)]).await;
    let found = async |emails: &[&str]| {
        let addresses: Vec<_> = emails.iter().map(|email| address(email)).collect();
        let mut found = Vec::from_iter(store.unsubscribed(&addresses).await.expect("a read"));
        found.sort_unstable();
        found
    };
    let eve = |kind| ("eve@example.org".to_owned(), kind);
    let mut both = [eve(reminder), eve(summary)];
    both.sort_unstable();
    assert_eq!(found(&["eve@EXAMPLE.org", "eve@example.org", "bob@example.org"]).await, both);
    assert_eq!(found(&[]).await, []);
    commit(vec![UnsubscribeWrite::Remove { email: address("EVE@example.org"), kind: reminder }]).await;
    commit(vec![UnsubscribeWrite::Remove { email: address("nobody@example.org"), kind: reminder }]).await;
    assert_eq!(found(&["eve@example.org"]).await, [eve(summary)]);
}
