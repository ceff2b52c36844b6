//! The service looks after itself: what is wrong is told once, and once when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{Asked, DiskSpace, MailError, Probe, Reply};
use taskflow_core::{
    Actor, DeliveryState, Error, JobName, Jobs, Limits, ProblemArea, RetrySchedule, Sending, Timestamp,
};

use super::app::{World, due_at_two};
use super::jobs::{only, tick};
use crate::OpenStore;
use crate::sample::{at, new_user};

/// A disk with so many percent left.
struct Disk(std::sync::atomic::AtomicU64);

#[async_trait]
impl Probe for Disk {
    async fn disk(&self) -> Option<DiskSpace> {
        Some(DiskSpace { free: self.0.load(std::sync::atomic::Ordering::SeqCst) << 20, total: 100 << 20 })
    }
}

async fn watching(open: &dyn OpenStore, disk: Arc<Disk>) -> World {
    let admin = Some("admin@example.org".parse().expect("an address"));
    let jobs = Jobs { admin, ..only(&[JobName::SERVER_MONITORING]) };
    let world = World::building(open, |builder| builder.jobs(jobs).probe(disk));
    tick(&world, minutes(0)).await;
    world
}

/// That many minutes after noon.
fn minutes(minutes: u64) -> Timestamp {
    at("2026-11-22T12:00:00Z") + Duration::from_mins(minutes)
}

/// Does the job alone, so that no mail leaves meanwhile: what it planned.
async fn look(world: &World, now: Timestamp) -> u64 {
    world.clock.set(now);
    let reports = world.app.jobs().run_due().await.expect("a step");
    reports.iter().map(|report| report.run.counts.get("planned")).sum()
}

pub(super) async fn mail_that_waits_is_told_once_and_once_when_it_is_gone(open: Arc<dyn OpenStore>) {
    let world = watching(&*open, Arc::new(Disk(50.into()))).await;
    world.clock.set(minutes(1));
    world.app.accounts().register(new_user("ada"), None).await.expect("an account");
    assert_eq!(look(&world, minutes(5)).await, 0, "four minutes are fine");
    assert_eq!(look(&world, minutes(10)).await, 1);
    assert_eq!(look(&world, minutes(15)).await, 0, "it is known");
    assert_eq!(look(&world, minutes(20)).await, 0);
    assert_eq!(world.told().await, ["ada: Welcome to TaskFlow", "admin: Something is wrong"]);
    assert_eq!(look(&world, minutes(25)).await, 1);
    assert_eq!(look(&world, minutes(30)).await, 0);
    assert_eq!(world.told().await, ["admin: Everything is running normally again"]);
    let alerts = world.storage.deliveries_with_key("server-", 100).await.expect("a list");
    assert_eq!(alerts.iter().map(|one| one.state).collect::<Vec<_>>(), [DeliveryState::Delivered; 2]);
}

pub(super) async fn what_goes_wrong_besides_is_told_and_a_dry_run_tells_nobody(open: Arc<dyn OpenStore>) {
    let disk = Arc::new(Disk(50.into()));
    let world = watching(&*open, disk.clone()).await;
    disk.0.store(9, std::sync::atomic::Ordering::SeqCst);
    world
        .app
        .jobs()
        .request_run(taskflow_core::Actor::System, JobName::SERVER_MONITORING, None, true)
        .await
        .expect("asked for");
    look(&world, minutes(1)).await;
    assert_eq!(world.app.deliveries().ledger().await.expect("a ledger").planned, 0);
    assert_eq!(look(&world, minutes(5)).await, 1, "a dry run does not make it known");
    assert_eq!(world.told().await, ["admin: Something is wrong"]);
    // Twenty mails in a row are refused; the disk is still full.
    for n in 0..20 {
        world.app.accounts().register(new_user(&format!("user-{n}")), None).await.expect("an account");
        world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Content, 554, "5.6.0 malformed")));
    }
    world.deliver().await;
    assert_eq!(look(&world, minutes(10)).await, 1);
    world.deliver().await;
    let text = world.mailer.take().remove(0).content.text;
    assert!(text.contains("9 of 100 MB") && text.contains("20 of the last 21 emails"), "{text}");
    disk.0.store(8, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(look(&world, minutes(15)).await, 0, "other numbers of the same thing are no news");
    disk.0.store(60, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(look(&world, minutes(20)).await, 1, "one thing is over and another is not");
}

pub(super) async fn after_an_outage_the_latest_news_is_told_alone(open: Arc<dyn OpenStore>) {
    let disk = Arc::new(Disk(50.into()));
    let world = watching(&*open, disk.clone()).await;
    let percent = |free| disk.0.store(free, std::sync::atomic::Ordering::SeqCst);
    // No mail leaves meanwhile.
    for (minute, free, planned) in [(5, 9, 1), (8, 9, 0), (10, 60, 1)] {
        percent(free);
        assert_eq!(look(&world, minutes(minute)).await, planned, "minute {minute}");
    }
    assert_eq!(world.told().await, ["admin: Everything is running normally again"]);
    percent(9);
    assert_eq!(look(&world, minutes(15)).await, 1);
    assert_eq!(world.told().await, ["admin: Something is wrong"]);
    percent(60);
    assert_eq!(look(&world, minutes(20)).await, 1);
    percent(9);
    assert_eq!(look(&world, minutes(25)).await, 1);
    assert_eq!(world.told().await, ["admin: Something is wrong"], "it was never right for whoever reads");
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered, ledger.cancelled), (5, 3, 2), "{ledger:?}");
}

pub(super) async fn mail_that_waits_for_its_next_try_goes_on_being_late(open: Arc<dyn OpenStore>) {
    let admin = Some("admin@example.org".parse().expect("an address"));
    let jobs = Jobs { admin, ..only(&[JobName::SERVER_MONITORING]) };
    let retry = RetrySchedule::new(vec![Duration::from_mins(30)], 9);
    let sending = Sending { retry, ..Sending::default() };
    let world = World::building(&*open, |builder| builder.jobs(jobs).sending(sending));
    tick(&world, minutes(0)).await;
    world.clock.set(minutes(1));
    world.app.accounts().register(new_user("ada"), None).await.expect("an account");
    world.mailer.fail_next(MailError::Transient(Reply::new(Asked::Recipient, 450, "later")));
    world.deliver().await;
    assert_eq!(world.app.outbox().backlog().await.expect("a read").oldest_due_at, Some(minutes(1)));
    for (minute, planned) in [(5, 0), (10, 1), (15, 0), (20, 0)] {
        assert_eq!(look(&world, minutes(minute)).await, planned, "minute {minute}");
    }
    assert_eq!(world.told().await, ["admin: Something is wrong"]);
    world.clock.set(minutes(38));
    assert_eq!(world.told().await, ["ada: Welcome to TaskFlow"]);
    assert_eq!(look(&world, minutes(40)).await, 1);
    assert_eq!(world.told().await, ["admin: Everything is running normally again"]);
}

/// A machine whose limits refused so many requests.
#[derive(Default)]
struct Refusing(std::sync::atomic::AtomicU64);

#[async_trait]
impl Probe for Refusing {
    async fn disk(&self) -> Option<DiskSpace> {
        None
    }

    fn refused_requests(&self) -> BTreeMap<String, u64> {
        [("sign-in".to_owned(), self.0.load(std::sync::atomic::Ordering::SeqCst))].into()
    }
}

pub(super) async fn late_reminders_given_up_mail_and_refused_requests_are_told(open: Arc<dyn OpenStore>) {
    let admin = Some("admin@example.org".parse().expect("an address"));
    let limits = Limits { expired_mails: 2, discarded_mails: 3, refused_requests: 5, ..Limits::default() };
    let jobs = Jobs { admin, limits, ..only(&[JobName::SERVER_MONITORING]) };
    let machine = Arc::new(Refusing::default());
    let world = World::building(&*open, |builder| builder.jobs(jobs).probe(machine.clone()));
    tick(&world, minutes(0)).await;
    let ada = Actor::User(world.somebody("ada").await);
    // Reminders for 13:45, which are of no use a day later.
    for _ in 0..3 {
        world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    }
    assert_eq!(look(&world, minutes(5)).await, 0);
    const NEXT_DAY: u64 = 26 * 60;
    world.clock.set(minutes(NEXT_DAY));
    world.deliver().await;
    assert_eq!(look(&world, minutes(NEXT_DAY)).await, 1);
    let told = async |text: &str| {
        world.deliver().await;
        let mails = world.mailer.take();
        assert_eq!(mails.len(), 1, "{text}");
        assert!(mails[0].content.text.contains(text), "{}", mails[0].content.text);
    };
    told("3 emails were not sent in time within the last hour").await;
    for n in 0..4 {
        world.app.accounts().register(new_user(&format!("user-{n}")), None).await.expect("an account");
        world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Content, 554, "5.6.0 malformed")));
    }
    world.deliver().await;
    assert_eq!(look(&world, minutes(NEXT_DAY + 5)).await, 1);
    told("4 emails could not be delivered within the last hour").await;
    machine.0.store(6, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(look(&world, minutes(NEXT_DAY + 10)).await, 1);
    told("Limits refused 6 requests within the last hour (sign-in: 6)").await;
    assert_eq!(look(&world, minutes(NEXT_DAY + 15)).await, 0, "it is known");

    let report = world.app.statistics().monitoring(Actor::System).await.expect("a report");
    let areas: Vec<_> = report.problems.iter().map(|(area, _)| *area).collect();
    assert_eq!(areas, [ProblemArea::Limits, ProblemArea::MailFailures, ProblemArea::MailQueue]);
    assert_eq!((report.mail.expired, report.mail.discarded, report.mail.delivered), (3, 4, 3));
    assert_eq!((report.refused_requests["sign-in"], report.oldest_due_at), (6, None));
    let refused = world.app.statistics().monitoring(ada).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");

    machine.0.store(0, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(look(&world, minutes(NEXT_DAY + 70)).await, 1);
    assert_eq!(world.told().await, ["admin: Everything is running normally again"]);
}
