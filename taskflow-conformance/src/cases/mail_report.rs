//! Reports for administrators about mail to an address, and about jobs that follow local times.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Asked, MailError, Reply};
use taskflow_core::{
    Actor, Changes, DeliveryState, EmailAddress, Error, JobName, MailReport, NewUser, NoticeKind, PasswordHash,
    Precondition, ProfileChange, SuppressionCause, UnsubscribeWrite,
};

use super::app::{World, due_at_two};
use crate::OpenStore;
use crate::sample::{at, new_user};

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

async fn report(world: &World, email: &str) -> MailReport {
    world.app.mail().report(Actor::System, &address(email), 5).await.expect("a report")
}

fn codes(report: &MailReport) -> Vec<&'static str> {
    report.findings().iter().map(|finding| finding.code.as_str()).collect()
}

pub(super) async fn a_mail_report_names_the_account_the_suppression_and_the_latest_mail(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.verified("ada").await;
    world.app.tasks().create(Actor::User(ada), due_at_two()).await.expect("a task");
    world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Recipient, 550, "5.1.1 no such user")));
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, Vec::<String>::new());
    let found = report(&world, "ADA@Example.org").await;
    assert_eq!(found.account.as_ref().map(|user| user.id), Some(ada));
    let suppression = found.suppression.as_ref().expect("suppressed");
    assert_eq!((suppression.cause, suppression.at), (SuppressionCause::Refused, at("2026-11-22T13:45:00Z")));
    assert_eq!(codes(&found), ["account", "suppressed", "no_server", "discarded", "accepted"]);
    assert_eq!(found.counts.get(&DeliveryState::Delivered), Some(&1));
    assert!(found.explain(&found.recent[0].delivery).contains("550 5.1.1 no such user"), "newest first");
}

pub(super) async fn a_mail_report_tells_guests_from_strangers(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let refused = world.app.mail().report(Actor::User(ada), &address("ada@example.org"), 5).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    for known in ["adam@example.org", "ada@example.orga"] {
        world
            .app
            .suppressions()
            .add(Actor::System, address(known), "asked for it".to_owned())
            .await
            .expect("suppressed");
    }
    let stranger = report(&world, "ada@example.or").await;
    assert!(stranger.is_unknown() && codes(&stranger) == ["unknown"], "{stranger:?}");
    let guest = report(&world, "ADAM@example.org").await;
    assert_eq!(codes(&guest), ["guest", "suppressed", "no_server", "no_mail"]);
    assert_eq!(guest.suppression.expect("suppressed").detail, "asked for it");
    assert_eq!(report(&world, "ada@example.org").await.suppression, None);
}

pub(super) async fn a_mail_report_goes_by_when_mail_left(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.verified("ada").await;
    world.app.tasks().create(Actor::User(ada), due_at_two()).await.expect("a task");
    world.clock.advance(Duration::from_mins(1));
    let change = ProfileChange { password: Some(PasswordHash::new("x")), ..ProfileChange::default() };
    world.app.accounts().update_profile(Actor::User(ada), ada, change, Precondition::Any).await.expect("a change");
    world.told().await;
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, ["ada: Due soon"]);
    let found = report(&world, "ada@example.org").await;
    assert_eq!(found.recent[0].delivery.kind, NoticeKind::PasswordChanged, "planned last");
    assert_eq!(found.last_delivered.map(|delivery| delivery.kind), Some(NoticeKind::TaskDue), "sent last");
}

pub(super) async fn a_mail_report_names_what_a_guest_has_unsubscribed_from(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (email, kind, at) = (address("eve@example.org"), NoticeKind::MeetingReminder, world.clock_now());
    world.storage.commit(&Changes::new().write(UnsubscribeWrite::Add { email, kind, at })).await.expect("ended");
    assert_eq!(codes(&report(&world, "EVE@example.org").await), ["guest", "unsubscribed", "no_server", "no_mail"]);
}

pub(super) async fn a_job_by_local_clocks_is_due_next_when_the_first_clock_shows_it(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let next = async |job| world.app.jobs().next_due(job).await.expect("a time");
    assert_eq!(next(JobName::DAILY_SUMMARIES).await, None, "nobody has an account");
    assert_eq!(next(JobName::STATISTICS).await, Some(at("2026-11-22T13:00:00Z")));
    world.somebody("ada").await;
    // Berlin is one hour ahead of UTC in November, Auckland thirteen.
    assert_eq!(next(JobName::TASK_REMINDERS).await, Some(at("2026-11-22T19:00:00Z")));
    assert_eq!(next(JobName::DAILY_SUMMARIES).await, Some(at("2026-11-23T08:00:00Z")));
    let zone = Some("Pacific/Auckland".parse().expect("a zone"));
    world.app.accounts().register(NewUser { time_zone: zone, ..new_user("bob") }, None).await.expect("an account");
    assert_eq!(next(JobName::DAILY_SUMMARIES).await, Some(at("2026-11-22T20:00:00Z")));
}
