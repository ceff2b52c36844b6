//! Notices about a meeting: invitations, changes since the last notification, and cancellations.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use taskflow_core::ports::{Accepted, MailError, Mailer, RenderError, Renderer};
use taskflow_core::{
    Actor, App, Content, Error, Invitee, Mail, MeetingChange, MeetingQuery, MeetingResponse, NewMeeting, Precondition,
    RenderInput, StartsAt,
};

use super::app::World;
use super::reminders::{Board, NOBODY, board, move_to, person};
use crate::OpenStore;
use crate::sample::{at, invitee, new_user, noon};

pub(super) fn called(title: &str) -> MeetingChange {
    MeetingChange { title: Some(title.parse().expect("a title")), ..MeetingChange::default() }
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) async fn a_burst_of_edits_becomes_one_mail_with_the_net_change(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    for title in ["One", "Two", "Three"] {
        board.change(called(title)).await;
        assert_eq!(world.told().await, NOBODY);
        world.clock.advance(SECOND * 59);
    }
    assert_eq!(world.told().await, NOBODY);
    world.clock.advance(SECOND);
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.content.subject == "Changed: Three"), "{mails:?}");
    world.clock.advance(SECOND * 600);
    assert_eq!(world.told().await, NOBODY);
    assert!(board.ledger().await.balances());
}

pub(super) async fn nobody_waits_longer_than_five_minutes_for_quiet(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    for n in 0..6 {
        board.change(called(&format!("Number {n}"))).await;
        world.clock.set(noon() + SECOND * 50 * (n + 1));
        assert_eq!(world.told().await, if n == 5 { vec!["bob: Changed", "eve: Changed"] } else { vec![] }, "{n}");
    }
    // The next one begins another wait.
    board.change(called("Number 7")).await;
    world.clock.advance(SECOND * 59);
    assert_eq!(world.told().await, NOBODY);
    world.clock.advance(SECOND);
    assert_eq!(world.told().await, ["bob: Changed", "eve: Changed"]);
}

pub(super) async fn changed_and_changed_back_tells_nothing(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    board.change(move_to("2026-11-23T10:00:00Z")).await;
    board.world.clock.advance(SECOND * 600);
    assert_eq!(board.world.told().await, NOBODY);
    let ledger = board.ledger().await;
    assert!(ledger.expired >= 2, "{ledger:?}");
    assert_eq!(board.details().await.meeting.sequence, 2);
}

pub(super) async fn after_downtime_several_changes_are_one_mail(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    // Nothing is sent while two waits pass.
    for title in ["One", "Two"] {
        board.change(called(title)).await;
        world.clock.advance(SECOND * 600);
    }
    assert_eq!(world.told().await, ["bob: Changed", "eve: Changed"]);
    world.clock.advance(SECOND * 600);
    assert_eq!(world.told().await, NOBODY);
}

pub(super) async fn invited_and_changed_before_the_invitation_left_is_one_invitation(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    world.app.meetings().update(ada, id, called("Another"), Precondition::Any).await.expect("changed");
    world.clock.advance(SECOND * 600);
    world.deliver().await;
    world.clock.advance(SECOND * 600);
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.iter().map(|mail| mail.content.subject.as_str()).collect::<Vec<_>>(), ["Invitation: Another"]);
}

pub(super) async fn cancelled_before_the_invitation_left_tells_nobody_anything(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, NOBODY);
    // On again, off again and on again: one invitation.
    world.app.meetings().restore(ada, id).await.expect("restored");
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    world.app.meetings().restore(ada, id).await.expect("restored");
    assert_eq!(world.told().await, ["eve: Invitation"]);
    world.clock.advance(SECOND * 600);
    assert_eq!(world.told().await, NOBODY);
    assert!(world.app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn off_and_on_again_before_anybody_was_told_is_no_news(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, id, .. } = &board;
    for _ in 0..2 {
        world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
        world.app.meetings().restore(*ada, *id).await.expect("restored");
    }
    assert_eq!(world.told().await, NOBODY);
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    world.app.meetings().restore(*ada, *id).await.expect("restored");
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, ["bob: Cancelled", "eve: Cancelled"]);
    world.clock.advance(SECOND * 600);
    assert_eq!(world.told().await, NOBODY);
}

/// Takes every mail; while it takes the first one something else happens.
#[derive(Default)]
pub(super) struct Meanwhile {
    happens: Mutex<Option<BoxFuture<'static, ()>>>,
    taken: Mutex<Vec<String>>,
}

impl Meanwhile {
    /// Runs `happens` while the first mail is being sent.
    pub(super) fn meanwhile(&self, happens: impl Future<Output = ()> + Send + 'static) {
        *self.happens.lock().expect("nobody panicked") = Some(Box::pin(happens));
    }

    /// The subjects of what was taken.
    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("nobody panicked").clone()
    }
}

#[async_trait]
impl Mailer for Meanwhile {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        let happens = self.happens.lock().expect("nobody panicked").take();
        if let Some(happens) = happens {
            happens.await;
        }
        self.taken.lock().expect("nobody panicked").push(mail.content.subject.clone());
        Ok(Accepted { reply: "250 ok".to_owned() })
    }
}

pub(super) async fn an_edit_while_the_mail_is_on_its_way_is_told_by_the_next(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["eve: Invitation"]);
    world.app.meetings().update(ada, id, called("One"), Precondition::Any).await.expect("changed");
    world.clock.advance(SECOND * 60);
    let mailer = Arc::new(Meanwhile::default());
    let sending = App::builder(open.storage()).clock(world.clock.clone()).mailer(mailer.clone()).build();
    let World { app, clock, .. } = world;
    let app = Arc::new(app);
    let editing = app.clone();
    mailer.meanwhile(async move {
        editing.meetings().update(ada, id, called("Two"), Precondition::Any).await.expect("changed");
    });
    for _ in 0..3 {
        sending.outbox().deliver_due().await.expect("a step");
        clock.advance(SECOND * 60);
    }
    assert_eq!(mailer.taken(), ["Changed: One", "Changed: Two"]);
    assert!(app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn a_cancellation_while_the_invitation_is_on_its_way_is_told(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    let mailer = Arc::new(Meanwhile::default());
    let sending = App::builder(open.storage()).clock(world.clock.clone()).mailer(mailer.clone()).build();
    let (other, clock) = (World::new(&*open), world.clock.clone());
    mailer.meanwhile(async move {
        world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
        // Another sender meets the cancellation before the invitation is settled.
        assert_eq!(other.told().await, NOBODY);
    });
    for _ in 0..3 {
        sending.outbox().deliver_due().await.expect("a step");
        clock.advance(SECOND * 10);
    }
    assert_eq!(mailer.taken(), ["Invitation: Board", "Cancelled: Board"]);
}

pub(super) async fn who_is_taken_off_is_told_alone_and_may_be_invited_again(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, id } = &board;
    board.respond(*bob, MeetingResponse::Accepted).await;
    let bobs = person(&board.details().await, "bob").id;
    world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
    assert_eq!(world.told().await, ["bob: Cancelled"]);
    assert!(matches!(world.app.meetings().get(*bob, *id).await, Err(Error::NotFound("meeting"))));
    assert_eq!(world.app.meetings().list(*bob, &MeetingQuery::default()).await.expect("a page").total, 0);
    world
        .app
        .participants()
        .add(*ada, *id, vec![invitee("BOB"), invitee("eve")], Precondition::Any)
        .await
        .expect("invited");
    assert_eq!(world.told().await, ["bob: Invitation"]);
    let again = person(&board.details().await, "bob").clone();
    assert_eq!((again.id, again.response), (bobs, MeetingResponse::Pending));
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
}

pub(super) async fn the_organizer_is_told_who_left(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, id } = &board;
    let details = board.details().await;
    let organizer = person(&details, "ada").id;
    assert!(matches!(
        world.app.participants().remove(*ada, *id, organizer, Precondition::Any).await,
        Err(Error::Invalid(_))
    ));
    world.app.participants().remove(*bob, *id, person(&details, "bob").id, Precondition::Any).await.expect("left");
    assert_eq!(world.told().await, ["ada: bob@example.org can't make it"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    let kept = board.world.storage.participants(&[*id]).await.expect("a read");
    let bob = kept.iter().find(|one| one.email == invitee("bob").email).expect("kept");
    assert_eq!((bob.is_in(), bob.response), (false, MeetingResponse::Declined));
}

pub(super) async fn who_left_and_is_invited_again_hears_of_it(open: Arc<dyn OpenStore>) {
    let Board { world, ada, bob, id, .. } = &Board::new(&*open).await;
    let details = world.app.meetings().get(*ada, *id).await.expect("a meeting");
    world.app.participants().remove(*bob, *id, person(&details, "bob").id, Precondition::Any).await.expect("left");
    assert_eq!(world.told().await, ["ada: bob@example.org can't make it"]);
    world.clock.advance(SECOND);
    world.app.participants().add(*ada, *id, vec![invitee("bob")], Precondition::Any).await.expect("invited");
    assert_eq!(world.told().await, ["bob: Invitation"]);
}

pub(super) async fn a_guest_who_verifies_their_address_finds_their_meetings(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let (world, id) = (&board.world, board.id);
    let eve = Actor::User(world.somebody("eve").await);
    // An address that was not shown to be theirs gives nothing away.
    assert!(matches!(world.app.meetings().get(eve, id).await, Err(Error::NotFound("meeting"))));
    let eve = eve.user_id().expect("a person");
    world.app.accounts().mark_email_verified(Actor::System, eve).await.expect("verified");
    let eve = Actor::User(eve);
    assert_eq!(world.app.meetings().list(eve, &MeetingQuery::default()).await.expect("a page").total, 1);
    board.respond(eve, MeetingResponse::Tentative).await;
    world.app.meetings().set_own_reminders(eve, id, super::reminders::own(&[5])).await.expect("set");
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:55:00Z").await, ["eve: Soon"]);
}

/// Says in which language and zone the reader is written to.
struct Addressed;

impl Renderer for Addressed {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        let subject = format!("{}, {}, {}", input.content.kind(), input.locale, input.zone);
        Ok(Content { subject, text: String::new(), html: None })
    }
}

pub(super) async fn a_guest_is_written_to_in_their_own_language_or_the_organizers(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.renderer(Arc::new(Addressed)));
    // Her account is German, in Berlin.
    let ada = Actor::User(world.verified("ada").await);
    let language = |tag: &str| Some(tag.parse().expect("a locale"));
    let zone = |name: &str| Some(name.parse().expect("a zone"));
    let invitees = vec![
        invitee("amy"),
        Invitee { locale: language("en-US"), ..invitee("ben") },
        Invitee { time_zone: zone("Asia/Tokyo"), ..invitee("cho") },
        Invitee { locale: language("fr"), time_zone: zone("America/New_York"), ..invitee("dan") },
    ];
    let id =
        world.app.meetings().create(ada, NewMeeting { invitees, ..board(&[]) }).await.expect("a meeting").meeting.id;
    let written = |kind: &str| {
        ["de, Europe/Berlin", "en-US, Europe/Berlin", "de, Asia/Tokyo", "fr, America/New_York"]
            .into_iter()
            .zip(["amy", "ben", "cho", "dan"])
            .map(|(reads, who)| format!("{who}: {kind}, {reads}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(world.told().await, written("meeting_invite"));
    let reminders = world.told_at("2026-11-23T09:45:00Z").await;
    assert_eq!(reminders[1..], written("meeting_reminder"));
    // A meeting in another zone than the organizer's is read in that one.
    let starts_at = at("2026-11-24T10:00:00Z");
    let kyiv = NewMeeting { time_zone: zone("Europe/Kyiv"), ..board(&["amy"]) };
    world
        .app
        .meetings()
        .create(ada, NewMeeting { starts_at: StartsAt::Instant(starts_at), ..kyiv })
        .await
        .expect("another");
    assert_eq!(world.told().await, ["amy: meeting_invite, de, Europe/Kyiv"]);
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, written("meeting_cancel"));
}

pub(super) async fn a_deleted_account_cancels_its_meetings_and_leaves_the_others(open: Arc<dyn OpenStore>) {
    let first = Board::new(&*open).await;
    let Board { world, ada, bob, .. } = &first;
    let theirs = world.app.meetings().create(*bob, board(&["ada", "kim"])).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["ada: Invitation", "kim: Invitation"]);
    world.app.accounts().delete(*bob, bob.user_id().expect("a person")).await.expect("deleted");
    assert_eq!(world.told().await, ["ada: Cancelled", "ada: bob@example.org can't make it", "kim: Cancelled"]);
    let meeting = world.app.meetings().get(*ada, theirs).await.expect("still there").meeting;
    assert!(meeting.created_by.is_none() && meeting.cancelled_at.is_some());
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    world.app.accounts().register(new_user("bob"), None).await.expect("the name is free again");
    assert_eq!(first.ledger().await.due, 1);
}

pub(super) async fn a_meeting_is_called_once_however_often_it_is_asked_for(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let encode = |details: &taskflow_core::MeetingDetails| details.meeting.id.to_string();
    let ask = || taskflow_core::Idempotency {
        key: "k".parse().expect("a key"),
        fingerprint: "f".to_owned(),
        encode: &encode,
    };
    let asked = (0..4).map(|_| world.app.meetings().create_once(ada, board(&["eve"]), ask()));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.app.meetings().list(ada, &MeetingQuery::default()).await.expect("a page").total, 1);
    assert_eq!(world.told().await, ["eve: Invitation"]);
}

pub(super) async fn answers_and_moves_at_once_lose_no_reminder(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(Actor::User(world.verified(&format!("person-{n}")).await));
    }
    let names: Vec<_> = (0..6).map(|n| format!("person-{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let id = world.app.meetings().create(ada, board(&names)).await.expect("a meeting").meeting.id;
    world.deliver().await;
    let _invitations = world.mailer.take();
    let answers = people.iter().map(|who| async {
        loop {
            match world.app.participants().respond(*who, id, MeetingResponse::Accepted, None, None).await {
                Err(Error::Stale) => {}
                result => return result.map(drop),
            }
        }
    });
    let moves = async {
        for day in 24..29 {
            let change = move_to(&format!("2026-11-{day}T10:00:00Z"));
            while let Err(error) = world.app.meetings().update(ada, id, change.clone(), Precondition::Any).await {
                assert!(matches!(error, Error::Stale), "{error:?}");
            }
        }
    };
    let (answers, ()) = futures_util::future::join(futures_util::future::join_all(answers), moves).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    world.clock.set(at("2026-11-23T12:00:00Z"));
    world.deliver().await;
    let _changes = world.mailer.take();
    assert_eq!(world.told_at("2026-11-27T09:45:00Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-28T09:45:00Z").await.len(), 7);
}
