//! Addresses that get no mail any more: kept by the store, learned from relays and reports.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskflow_core::ports::{Asked, Bounces, LinkPurpose, Links, MailError, Reply, UnreadableBounce};
use taskflow_core::{
    Actor, App, BounceKind, BounceReport, Changes, DeliveryId, DeliveryState, EmailAddress, Entity, Error,
    Precondition, ProfileChange, Recipient, ReturnedMail, Scope, Suppression, SuppressionCause, SuppressionWrite,
    Timestamp,
};
use uuid::Uuid;

use super::app::{World, due_at_two};
use super::reminders::{Board, NOBODY, board, move_to, person};
use crate::sample::{new_user, noon};
use crate::{OpenStore, PlainLinks};

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

fn suppression(email: &str, cause: SuppressionCause) -> Suppression {
    Suppression::new(address(email), cause, format!("{cause}: \"5.1.1\"\nno such user"), noon())
}

fn suppress(all: &[Suppression]) -> Changes {
    all.iter().fold(Changes::new(), |changes, one| changes.write(SuppressionWrite::Add(one.clone())))
}

fn refused(text: &str) -> MailError {
    MailError::Permanent(Reply::new(Asked::Recipient, 550, text))
}

pub(super) async fn suppressed_addresses_are_found_in_any_case(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.suppressed(&[]).await.expect("a read"), HashMap::new());
    assert_eq!(store.suppressed(&[address("ada@example.org")]).await.expect("a read"), HashMap::new());
    let all = SuppressionCause::ALL.map(|cause| suppression(&format!("{cause}@Example.org"), cause));
    store.commit(&suppress(&all)).await.expect("suppressed");
    let asked = ["REFUSED@example.org", "refused@EXAMPLE.org", "admin@example.org", "ada@example.org"].map(address);
    let found = store.suppressed(&asked).await.expect("a read");
    let expected = [&all[0], &all[3]].map(|one| (one.email.key(), one.clone()));
    assert_eq!(found, expected.into());
}

pub(super) async fn suppressions_are_listed_by_key_page_by_page(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let names = ["b_c@example.org", "A@example.org", "a-b@example.org", "a+b@example.org", "C@example.org"];
    let all = names.map(|name| suppression(name, SuppressionCause::Admin));
    store.commit(&suppress(&all)).await.expect("suppressed");
    let mut expected = all.to_vec();
    expected.sort_by_key(|one| one.email.key());
    assert_eq!(store.suppressions_after(None, 9).await.expect("a page"), expected);
    assert_eq!(store.suppressions_after(None, 2).await.expect("a page"), expected[..2]);
    let after = expected[1].email.key();
    assert_eq!(store.suppressions_after(Some(&after), 2).await.expect("a page"), expected[2..4]);
    assert_eq!(store.suppressions_after(Some("a@example.org"), 1).await.expect("a page"), expected[3..4]);
    assert_eq!(store.suppressions_after(Some("a@example.org\0x"), 1).await.expect("a page"), expected[3..4]);
    assert_eq!(store.suppressions_after(Some("\u{10ffff}"), 9).await.expect("a page"), []);
}

pub(super) async fn what_is_known_of_a_suppressed_address_stays(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let first = suppression("ada@example.org", SuppressionCause::Refused);
    let later = Suppression { at: Timestamp::MAX, ..suppression("ADA@example.org", SuppressionCause::Bounce) };
    store.commit(&suppress(&[first.clone(), later.clone()])).await.expect("twice at once");
    store.commit(&suppress(&[later])).await.expect("and again");
    assert_eq!(store.suppressions_after(None, 9).await.expect("a page"), [first]);
}

pub(super) async fn an_address_gets_mail_again_in_any_case_and_others_stay(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let kept = suppression("bob@example.org", SuppressionCause::Complaint);
    store
        .commit(&suppress(&[suppression("ada@example.org", SuppressionCause::Admin), kept.clone()]))
        .await
        .expect("two");
    let lift = ["ADA@Example.org", "nobody@example.org"].map(address);
    let lift = lift.into_iter().fold(Changes::new(), |changes, email| changes.write(SuppressionWrite::Remove(email)));
    for _ in 0..2 {
        store.commit(&lift).await.expect("lifted");
        assert_eq!(store.suppressions_after(None, 9).await.expect("a page"), std::slice::from_ref(&kept));
    }
}

pub(super) async fn mails_that_leave_all_the_same_are_counted(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (ada, bob) = (
        suppression("ada@example.org", SuppressionCause::Bounce),
        suppression("bob@example.org", SuppressionCause::Bounce),
    );
    store.commit(&suppress(&[ada.clone(), bob.clone()])).await.expect("two");
    for email in ["ADA@example.org", "ada@example.org", "nobody@example.org"] {
        store.commit(&Changes::new().write(SuppressionWrite::Override(address(email)))).await.expect("counted");
    }
    let counted = Suppression { overrides: 2, ..ada };
    assert_eq!(store.suppressions_after(None, 9).await.expect("a page"), [counted.clone(), bob]);
    let found = store.suppressed(&[address("ada@example.org")]).await.expect("a read");
    assert_eq!(found, [(counted.email.key(), counted)].into());
}

pub(super) async fn what_somebody_asks_for_leaves_although_they_complained(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.links(Arc::new(PlainLinks)));
    let id = world.somebody("ada").await;
    let (ada, email) = (Actor::User(id), address("ada@example.org"));
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.app.suppressions().own(ada).await.expect("a read"), None);
    let report = |kind| {
        let detail = "a report".to_owned();
        vec![BounceReport { email: Some(email.clone()), mail: None, kind, detail }]
    };
    let version = async || world.app.accounts().get(ada, id).await.expect("the account").version;
    let before = version().await;
    world.app.suppressions().take_bounces(report(BounceKind::Complaint)).await.expect("taken");
    let found = world.app.suppressions().own(ada).await.expect("a read").expect("a suppression");
    assert_eq!((found.cause, found.at), (SuppressionCause::Complaint, noon()));
    // Whoever knows the account by its version hears of it.
    assert!(version().await > before);
    for _ in 0..5 {
        world.app.accounts().forgot_password(&email).await.expect("planned");
        assert!(world.app.accounts().request_verification(ada).await.expect("planned"));
        assert_eq!(world.told().await.len(), 2);
    }
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    // An administrator's word stands.
    world.app.suppressions().remove(Actor::System, &email).await.expect("lifted");
    assert_eq!(world.app.suppressions().own(ada).await.expect("a read"), None);
    world.app.suppressions().add(Actor::System, email.clone(), "asked by phone".to_owned()).await.expect("suppressed");
    world.app.accounts().forgot_password(&email).await.expect("planned");
    assert_eq!(world.told().await, NOBODY);
}

pub(super) async fn after_a_bounce_a_few_links_leave_and_using_one_lifts_it(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.links(Arc::new(PlainLinks)));
    let ada = Actor::User(world.somebody("ada").await);
    let email = address("ada@example.org");
    let bounce = || {
        let detail = "550 5.1.1 no such user".to_owned();
        world.app.suppressions().take_bounces(vec![BounceReport {
            email: Some(email.clone()),
            mail: None,
            kind: BounceKind::Hard,
            detail,
        }])
    };
    bounce().await.expect("taken");
    for left in [1, 1, 1, 0, 0] {
        world.app.accounts().forgot_password(&email).await.expect("planned");
        assert_eq!(world.told().await.len(), left);
    }
    assert_eq!(Suppression::MOST_OVERRIDES, 3);
    world.app.suppressions().remove(Actor::System, &email).await.expect("lifted");
    bounce().await.expect("taken");
    assert!(world.app.accounts().request_verification(ada).await.expect("planned"));
    world.deliver().await;
    let mail = world.mailer.take().pop().expect("a link");
    let link =
        mail.content.text.split_whitespace().find(|word| PlainLinks.open(LinkPurpose::VerifyEmail, word).is_some());
    world.app.accounts().verify_email(link.expect("a link")).await.expect("verified");
    assert_eq!(world.app.suppressions().own(ada).await.expect("a read"), None);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, ["ada: Due soon"]);
}

pub(super) async fn the_organizer_is_told_once_whom_an_invitation_does_not_reach(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let problem = async |id, name: &str| {
        let details = world.app.meetings().get(ada, id).await.expect("a meeting");
        person(&details, name).delivery_problem.as_ref().map(ToString::to_string)
    };
    // The relay refuses the mailbox.
    world.mailer.fail_next(refused("5.1.1 no such user"));
    let first = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["ada: Not delivered"]);
    assert_eq!(problem(first, "eve").await.as_deref(), Some("550 5.1.1 no such user"));
    // The next meeting is not even tried; she is told of that one as well, and of each once.
    let other = world.app.meetings().create(ada, board(&["eve"])).await.expect("another").meeting.id;
    assert_eq!(world.told().await, ["ada: Not delivered"]);
    assert!(problem(other, "eve").await.is_some());
    world.app.meetings().update(ada, first, move_to("2026-11-24T10:00:00Z"), Precondition::Any).await.expect("moved");
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.told().await, NOBODY);
    // Mail to her is sent again, which the screens of the organizer learn at once.
    let owner = ada.user_id().expect("a person");
    let seen = world.storage.feed(Scope::own(owner), 0, 100).await.expect("a feed").len();
    world.app.suppressions().remove(Actor::System, &address("eve@example.org")).await.expect("lifted");
    assert_eq!((problem(first, "eve").await, problem(other, "eve").await), (None, None));
    let feed = world.storage.feed(Scope::own(owner), 0, 100).await.expect("a feed");
    let changed: HashSet<_> = feed[seen..].iter().map(|entry| entry.event.entity).collect();
    assert_eq!(changed, HashSet::from([Entity::Meeting(first), Entity::Meeting(other)]));
}

pub(super) async fn a_report_about_an_invitation_is_told_until_a_later_mail_arrives(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    let ledger = world.storage.deliveries_after(None, 99).await.expect("a ledger");
    let eve = person(&board.details().await, "eve").id;
    let to_eve =
        |one: &&taskflow_core::Delivery| one.notice.as_ref().is_ok_and(|notice| notice.participant() == Some(eve));
    let invitation = ledger.iter().filter(to_eve).find(|one| one.state == DeliveryState::Delivered).expect("one");
    let report = |kind, detail: &str| BounceReport {
        email: None,
        mail: Some(ReturnedMail { delivery: invitation.id, to: None }),
        kind,
        detail: detail.to_owned(),
    };
    let problem = async || person(&board.details().await, "eve").delivery_problem.as_ref().map(ToString::to_string);
    world
        .app
        .suppressions()
        .take_bounces(vec![report(BounceKind::Delayed, "4.4.1 still trying")])
        .await
        .expect("taken");
    assert_eq!((problem().await, world.told().await), (None, Vec::new()));
    // A full mailbox ends nothing, but this invitation did not arrive.
    let full = report(BounceKind::Soft, "552 5.2.2 mailbox full");
    for told in [vec!["ada: Not delivered"], vec![]] {
        assert_eq!(world.app.suppressions().take_bounces(vec![full.clone()]).await.expect("taken"), 0);
        assert_eq!(
            (problem().await.as_deref(), world.told().await),
            (Some("552 5.2.2 mailbox full"), told.into_iter().map(str::to_owned).collect())
        );
    }
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.told().await, ["bob: Changed", "eve: Changed"]);
    assert_eq!(problem().await, None);
}

pub(super) async fn a_mailbox_that_was_refused_gets_no_more_mail(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    let other = taskflow_core::NewTask { due_at: Some(noon() + std::time::Duration::from_hours(5)), ..due_at_two() };
    world.app.tasks().create(ada, other).await.expect("another");
    world.mailer.fail_next(refused("5.1.1 no such user"));
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    let found = world.app.suppressions().list_after(Actor::System, None, 9).await.expect("a page");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].email.as_str(), found[0].cause), ("ada@example.org", SuppressionCause::Refused));
    assert_eq!(found[0].detail, "550 5.1.1 no such user");
    assert_eq!(world.told_at("2026-11-22T18:00:00Z").await, NOBODY);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.discarded, ledger.cancelled, ledger.balances()), (1, 1, true));
    let all = world.storage.deliveries_after(None, 9).await.expect("a ledger");
    let cancelled = all.iter().find(|one| one.state == DeliveryState::Cancelled).expect("the second");
    assert_eq!(cancelled.reason, "mail to the address comes back");

    world.app.suppressions().remove(Actor::System, &found[0].email).await.expect("lifted");
    world
        .app
        .tasks()
        .create(
            ada,
            taskflow_core::NewTask { due_at: Some(noon() + std::time::Duration::from_hours(8)), ..due_at_two() },
        )
        .await
        .expect("a third");
    assert_eq!(world.told_at("2026-11-22T20:00:00Z").await, ["ada: Due soon"]);
}

pub(super) async fn a_refusal_that_is_not_about_the_mailbox_suppresses_nobody(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    for text in ["5.7.1 policy", "go away"] {
        world.app.accounts().register(new_user(&format!("user-{}", text.len())), None).await.expect("new");
        world.mailer.fail_next(refused(text));
        world.deliver().await;
    }
    // What is said to MAIL is about us, and words about a mail are not about its reader.
    for (asked, text) in [
        (Asked::Sender, "5.1.1 no such user"),
        (Asked::Sender, "the sender does not exist"),
        (Asked::Content, "an attachment does not exist"),
    ] {
        world.app.accounts().register(new_user(&format!("reader-{asked:?}-{}", text.len())), None).await.expect("new");
        world.mailer.fail_next(MailError::Permanent(Reply::new(asked, 550, text)));
        world.deliver().await;
    }
    // Nor does it cost anybody a mail.
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.discarded, ledger.due), (0, 5));
    assert_eq!(world.app.suppressions().list_after(Actor::System, None, 9).await.expect("a page"), []);
}

pub(super) async fn what_comes_back_for_good_suppresses_its_address(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let report = |email: &str, kind| BounceReport {
        email: Some(address(email)),
        mail: None,
        kind,
        detail: "a report".to_owned(),
    };
    let reports = vec![
        report("gone@example.org", BounceKind::Hard),
        report("GONE@example.org", BounceKind::Complaint),
        report("full@example.org", BounceKind::Soft),
        report("slow@example.org", BounceKind::Delayed),
        report("here@example.org", BounceKind::Delivered),
        report("tired@example.org", BounceKind::Complaint),
    ];
    assert_eq!(world.app.suppressions().take_bounces(reports).await.expect("taken"), 2);
    assert_eq!(world.app.suppressions().take_bounces(Vec::new()).await.expect("nothing"), 0);
    let found = world.app.suppressions().list_after(Actor::System, None, 9).await.expect("a page");
    let found: Vec<_> = found.iter().map(|one| (one.email.as_str(), one.cause, one.at)).collect();
    let bounce = ("gone@example.org", SuppressionCause::Bounce, noon());
    assert_eq!(found, [bounce, ("tired@example.org", SuppressionCause::Complaint, noon())]);
}

/// Reads from every message what it was told to.
#[derive(Default)]
struct FakeBounces(Mutex<Vec<BounceReport>>);

impl Bounces for FakeBounces {
    fn read(&self, _message: &[u8]) -> Result<Vec<BounceReport>, UnreadableBounce> {
        Ok(self.0.lock().expect("nobody panicked").clone())
    }
}

pub(super) async fn a_report_is_about_whom_the_mail_was_sent_to_and_never_about_a_stranger(open: Arc<dyn OpenStore>) {
    let bounces = Arc::new(FakeBounces::default());
    let world = World::building(&*open, |builder| builder.bounces(bounces.clone()));
    let take = async |reports: &[BounceReport]| {
        *bounces.0.lock().expect("nobody panicked") = reports.to_vec();
        world.app.suppressions().ingest_bounce(b"a message").await.expect("taken")
    };
    let listed = async || {
        let found = world.app.suppressions().list_after(Actor::System, None, 9).await.expect("a page");
        for one in &found {
            world.app.suppressions().remove(Actor::System, &one.email).await.expect("lifted");
        }
        found.into_iter().map(|one| one.email.to_string()).collect::<Vec<_>>()
    };
    world.app.accounts().register(new_user("ada"), None).await.expect("new");
    let id = world.storage.deliveries_after(None, 9).await.expect("a ledger")[0].id;
    let (ada, stranger) = ("ada@example.org", "private@example.com");
    let report = |email: Option<&str>, to: Option<&str>, kind| BounceReport {
        email: email.map(address),
        mail: Some(ReturnedMail { delivery: id, to: to.map(address) }),
        kind,
        detail: "a report".to_owned(),
    };
    let bare = |email: &str| BounceReport { mail: None, ..report(Some(email), None, BounceKind::Hard) };
    // Nobody has written to her yet.
    assert_eq!(take(&[bare(ada)]).await, 0);
    world.deliver().await;
    let hard = |email, to| report(email, to, BounceKind::Hard);
    for reports in [
        vec![hard(Some(stranger), Some(ada))],
        vec![hard(Some(stranger), None)],
        vec![hard(None, None)],
        vec![report(None, None, BounceKind::Complaint)],
        vec![hard(Some("ADA@example.org"), None), report(Some(stranger), None, BounceKind::Delivered)],
        vec![hard(Some(stranger), None), hard(Some("other@example.com"), None)],
        vec![bare(ada)],
        // Feedback loops hide whom a mail was sent to, lists and forwarders name themselves.
        vec![report(Some(ada), Some("redacted@redacted.invalid"), BounceKind::Complaint)],
        vec![report(None, Some("redacted@redacted.invalid"), BounceKind::Complaint)],
        vec![report(Some("hidden@redacted.invalid"), Some("list@example.com"), BounceKind::Complaint)],
        vec![hard(Some(stranger), Some("list@example.com"))],
        // A mail that is not ours says nothing more than none.
        vec![BounceReport {
            mail: Some(ReturnedMail { delivery: DeliveryId::from_uuid(Uuid::nil()), to: None }),
            ..bare(ada)
        }],
    ] {
        assert_eq!((take(&reports).await, listed().await), (1, vec![ada.to_owned()]), "{reports:?}");
    }
    for reports in [
        vec![bare(stranger)],
        vec![report(Some(ada), None, BounceKind::Soft)],
        vec![report(Some(ada), None, BounceKind::Delayed), hard(Some(stranger), None)],
        // One of several that her address leads to.
        vec![hard(Some(stranger), None), report(Some("other@example.com"), None, BounceKind::Delivered)],
    ] {
        assert_eq!((take(&reports).await, listed().await), (0, Vec::new()), "{reports:?}");
    }
    world.clock.advance(App::RECENTLY + Duration::from_secs(1));
    assert_eq!((take(&[bare(ada)]).await, take(&[hard(Some(stranger), None)]).await), (0, 1));
    listed().await;
    // The mail went to the address she had then.
    let user = match world.storage.delivery(id).await.expect("a ledger").expect("kept").0.recipient {
        Recipient::User(user) => user,
        Recipient::Address(_) => unreachable!("she has an account"),
    };
    let change = ProfileChange { email: Some(address("later@example.org")), ..ProfileChange::default() };
    world.app.accounts().update_profile(Actor::User(user), user, change, Precondition::Any).await.expect("changed");
    for to in [Some(ada), Some("redacted@redacted.invalid"), None] {
        assert_eq!((take(&[hard(Some(stranger), to)]).await, listed().await), (0, Vec::new()), "{to:?}");
    }
    assert_eq!(take(&[hard(Some("later@example.org"), Some("redacted@redacted.invalid"))]).await, 1);
}

pub(super) async fn a_report_about_a_link_is_about_the_address_it_was_made_for(open: Arc<dyn OpenStore>) {
    let bounces = Arc::new(FakeBounces::default());
    let world = World::building(&*open, |builder| builder.bounces(bounces.clone()).links(Arc::new(PlainLinks)));
    let ada = world.app.accounts().register(new_user("ada"), None).await.expect("new");
    world.deliver().await;
    let id = world.storage.deliveries_after(None, 9).await.expect("a ledger")[0].id;
    // Whoever uses the link has changed the account since.
    world.clock.advance(Duration::from_mins(1));
    world.app.accounts().mark_email_verified(Actor::System, ada.id).await.expect("verified");
    let hidden = BounceReport {
        email: Some(address("redacted@redacted.invalid")),
        mail: Some(ReturnedMail { delivery: id, to: Some(address("redacted@redacted.invalid")) }),
        kind: BounceKind::Complaint,
        detail: "a report".to_owned(),
    };
    *bounces.0.lock().expect("nobody panicked") = vec![hidden];
    assert_eq!(world.app.suppressions().ingest_bounce(b"a message").await.expect("taken"), 1);
    let found = world.app.suppressions().list_after(Actor::System, None, 9).await.expect("a page");
    assert_eq!(found.iter().map(|one| one.email.as_str()).collect::<Vec<_>>(), ["ada@example.org"]);
}

pub(super) async fn only_who_runs_the_service_sees_and_changes_suppressions(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let (app, eve) = (&world.app, address("eve@example.org"));
    for refused in [
        app.suppressions().list_after(ada, None, 9).await.map(drop),
        app.suppressions().add(ada, eve.clone(), String::new()).await,
        app.suppressions().remove(ada, &eve).await,
        app.suppressions().remove(Actor::System, &eve).await,
    ] {
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    app.suppressions().add(Actor::System, eve.clone(), "asked for it".to_owned()).await.expect("suppressed");
    let found = app.suppressions().list_after(Actor::System, None, 9).await.expect("a page");
    assert_eq!((found[0].cause, found[0].detail.as_str()), (SuppressionCause::Admin, "asked for it"));
    app.suppressions().remove(Actor::System, &eve).await.expect("lifted");
}
