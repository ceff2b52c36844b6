//! News that overtakes other news, or may have arrived without anybody knowing.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{ClaimRequest, MailError, Reply};
use taskflow_core::{
    Actor, App, ChannelKind, NoticeKind, Precondition, ProfileChange, Suppression, SuppressionCause, SuppressionWrite,
};

use super::app::World;
use super::invitations::{Meanwhile, SECOND, called};
use super::reminders::{Board, NOBODY, board, move_to};
use crate::OpenStore;
use crate::sample::lease;

pub(super) async fn on_again_while_the_cancellation_is_on_its_way_is_an_invitation(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["eve: Invitation"]);
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    let mailer = Arc::new(Meanwhile::default());
    let sending = App::builder(open.storage()).clock(world.clock.clone()).mailer(mailer.clone()).build();
    let (other, clock) = (World::new(&*open), world.clock.clone());
    mailer.meanwhile(async move {
        world.app.meetings().restore(ada, id).await.expect("on again");
        // Another sender meets the invitation before the cancellation is settled.
        assert_eq!(other.told().await, NOBODY);
    });
    for _ in 0..3 {
        sending.outbox().deliver_due().await.expect("a step");
        clock.advance(SECOND * 10);
    }
    assert_eq!(mailer.taken(), ["Cancelled: Board", "Invitation: Board"]);
}

pub(super) async fn an_invitation_without_an_answer_of_the_relay_is_followed_by_its_cancellation(
    open: Arc<dyn OpenStore>,
) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    world.mailer.fail_next(MailError::Transient(Reply::none("no answer")));
    assert_eq!(world.told().await, NOBODY);
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, ["eve: Cancelled"]);
    world.clock.advance(SECOND * 600);
    assert_eq!(world.told().await, NOBODY);
}

pub(super) async fn an_invitation_whose_sender_died_is_followed_by_its_cancellation(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 10,
        now: taskflow_core::ports::Clock::now(&*world.clock),
        lease: lease(1),
        lease_for: Duration::from_secs(60),
    };
    assert_eq!(world.storage.claim(&request).await.expect("a claim").len(), 1);
    open.lapse_leases().await;
    world.clock.advance(SECOND * 61);
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    let mut told = world.told().await;
    world.clock.advance(SECOND * 10);
    told.extend(world.told().await);
    assert_eq!(told, ["eve: Cancelled"]);
}

pub(super) async fn a_cancellation_names_the_meeting_as_it_was_known(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    board.change(called("Another")).await;
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    world.app.meetings().cancel(board.ada, board.id, Precondition::Any).await.expect("cancelled");
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.content.subject == "Cancelled: Board"), "{mails:?}");
    assert!(mails.iter().all(|mail| mail.content.text.contains("2026-11-23")), "{mails:?}");
}

pub(super) async fn another_address_gets_mail_of_meetings_once_it_is_verified(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    let bob = board.bob.user_id().expect("a person");
    let moved = ProfileChange { email: "robert@example.org".parse().ok(), ..ProfileChange::default() };
    world.app.accounts().update_profile(board.bob, bob, moved, Precondition::Any).await.expect("moved");
    board.change(called("One")).await;
    world.clock.advance(SECOND * 60);
    assert_eq!(world.told().await, ["bob: Changed", "eve: Changed"]);
    // What comes back from the address that counts keeps mail from it, whatever the account says.
    let gone = Suppression::new(
        "bob@example.org".parse().expect("an address"),
        SuppressionCause::Bounce,
        "no such user".to_owned(),
        taskflow_core::ports::Clock::now(&*world.clock),
    );
    world.storage.commit(&taskflow_core::Changes::new().write(SuppressionWrite::Add(gone))).await.expect("suppressed");
    board.change(called("Two")).await;
    world.clock.advance(SECOND * 60);
    assert_eq!(world.told().await, ["ada: Not delivered", "eve: Changed"]);
    world.app.accounts().mark_email_verified(Actor::System, bob).await.expect("verified");
    board.change(called("Three")).await;
    world.clock.advance(SECOND * 60);
    assert_eq!(world.told().await, ["eve: Changed", "robert: Changed"]);
}
