//! Who has opted out gets nothing but what is for security, whatever door it comes through.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow_core::notice::{CustomKind, CustomNotice, NoticePolicy, NoticeType};
use taskflow_core::{
    Actor, Changes, ChannelKind, EmailAddress, Error, NewMeeting, NoticeKind, Precondition, PreferencesChange,
    Priority, ProfileChange, Quota, Recipient, StartsAt, UnsubscribeWrite, UserId,
};

use super::app::{World, due_at_two};
use super::reminders::Board;
use crate::sample::{at, invitee, noon};
use crate::{OpenStore, PushChannel};

/// A notice of a host, which declares that it is not for security.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Offer {}

/// A notice of a host for security.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Breach {}

impl NoticeType for Offer {
    const KIND: &'static str = "opt_out_offer";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Task);
}

impl NoticeType for Breach {
    const KIND: &'static str = "opt_out_breach";
    const POLICY: NoticePolicy = NoticePolicy::security(Priority::Security);
}

impl CustomNotice for Offer {
    fn subject(&self) -> String {
        "Offer".to_owned()
    }

    fn text(&self) -> String {
        "Half price.".to_owned()
    }
}

impl CustomNotice for Breach {
    fn subject(&self) -> String {
        "Breach".to_owned()
    }

    fn text(&self) -> String {
        "Change your password.".to_owned()
    }
}

fn world(open: &dyn OpenStore) -> (World, PushChannel) {
    let push = PushChannel::new();
    let building = |builder: taskflow_core::AppBuilder| builder.notice::<Offer>().notice::<Breach>();
    (World::building(open, |builder| building(builder).channel(push.clone())), push)
}

fn eve() -> EmailAddress {
    invitee("eve").email
}

/// Eve ends mail of these kinds to her address, in another case of its letters.
async fn end(world: &World, kinds: impl IntoIterator<Item = NoticeKind>) {
    let email: EmailAddress = "EVE@Example.org".parse().expect("an address");
    let ended = kinds.into_iter().map(|kind| UnsubscribeWrite::Add { email: email.clone(), kind, at: noon() });
    world.storage.commit(&ended.fold(Changes::new(), Changes::write)).await.expect("ended");
}

pub(super) async fn a_notice_of_a_host_reaches_no_address_that_opted_out_on_any_channel(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let kinds = [CustomKind::register::<Offer>().into(), CustomKind::register::<Breach>().into()];
    end(&world, kinds).await;
    let tell = async |recipient: Recipient, key: &str| {
        for channel in [ChannelKind::MAIL, PushChannel::KIND] {
            world.app.notify_on(channel, recipient.clone(), &Offer {}, noon(), key).await.expect("planned");
            world.app.notify_on(channel, recipient.clone(), &Breach {}, noon(), key).await.expect("planned");
        }
    };
    tell(Recipient::Address(eve()), "address").await;
    assert_eq!(world.told().await, ["eve: Breach"]);
    assert_eq!(push.take().into_iter().map(|push| push.text).collect::<Vec<_>>(), ["Breach"]);

    // An account with that address, which nobody has verified, is no way around it.
    let id = world.somebody("eve").await;
    tell(Recipient::User(id), "account").await;
    assert_eq!(world.told().await, ["eve: Breach"]);
    assert_eq!(push.take().into_iter().map(|push| push.text).collect::<Vec<_>>(), ["Breach"]);
    // Others get both.
    tell(Recipient::Address(invitee("bob").email), "bob").await;
    assert_eq!(world.told().await, ["bob: Breach", "bob: Offer"]);
}

pub(super) async fn what_a_guest_ended_stays_ended_for_an_unverified_account(open: Arc<dyn OpenStore>) {
    let (world, _) = world(&*open);
    end(&world, [NoticeKind::TaskDue, NoticeKind::MeetingReminder]).await;
    let id = world.somebody("eve").await;
    world.app.tasks().create(Actor::User(id), due_at_two()).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, [""; 0]);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.cancelled == 1, "{ledger:?}");
}

pub(super) async fn what_an_account_switched_off_is_off_for_its_address_alone(open: Arc<dyn OpenStore>) {
    let (world, _) = world(&*open);
    let id = world.verified("eve").await;
    let off = PreferencesChange::without(NoticeKind::MeetingReminder);
    world.app.accounts().change_preferences(Actor::User(id), &off, Precondition::Any).await.expect("off");
    // She moves to another address; the old one is invited as a guest's.
    let change =
        ProfileChange { email: Some("new@example.org".parse().expect("an address")), ..ProfileChange::default() };
    world.app.accounts().update_profile(Actor::User(id), id, change, Precondition::Any).await.expect("moved");
    let ada = Actor::User(world.somebody("ada").await);
    let new = NewMeeting::titled("Sync".parse().expect("a title"), StartsAt::Instant(noon() + Duration::from_hours(2)));
    let new = NewMeeting { invitees: vec![invitee("eve")], ..new };
    world.app.meetings().create(ada, new).await.expect("a meeting");
    assert_eq!(world.told().await, ["eve: Invitation"]);
    assert_eq!(world.told_at("2026-11-22T13:46:00Z").await, ["ada: Soon"]);
}

pub(super) async fn an_account_gets_nothing_but_security_before_it_is_verified(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.notice::<Breach>().require_verified_email(true));
    let id = world.somebody("ada").await;
    let ada = Actor::User(id);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, [""; 0], "its own reminder");
    world.app.notify(Recipient::User(id), &Breach {}, noon(), "1").await.expect("planned");
    assert_eq!(world.told().await, ["ada: Breach"]);
    world.app.accounts().mark_email_verified(Actor::System, id).await.expect("verified");
    let later = taskflow_core::NewTask { due_at: Some(at("2026-11-22T16:00:00Z")), ..due_at_two() };
    world.app.tasks().create(ada, later).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T15:45:00Z").await.len(), 1);
    // Nor does it get any more at another address.
    let change =
        ProfileChange { email: Some("new@example.org".parse().expect("an address")), ..ProfileChange::default() };
    world.app.accounts().update_profile(ada, id, change, Precondition::Any).await.expect("moved");
    let last = taskflow_core::NewTask { due_at: Some(at("2026-11-22T18:00:00Z")), ..due_at_two() };
    world.app.tasks().create(ada, last).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T17:45:00Z").await, [""; 0]);
}

async fn organizer_of(world: &World, id: UserId) -> (String, Option<String>) {
    let new = NewMeeting::titled("Sync".parse().expect("a title"), StartsAt::Instant(at("2026-11-23T12:00:00Z")));
    let new = NewMeeting { invitees: vec![invitee("bob")], ..new };
    let details = world.app.meetings().create(Actor::User(id), new).await.expect("a meeting");
    world.deliver().await;
    let mail = world.mailer.take().pop().expect("an invitation");
    let reply_to = mail.headers.reply_to.map(|mailbox| mailbox.address.to_string());
    (details.meeting.organizer.address.to_string(), reply_to)
}

pub(super) async fn an_invitation_names_the_address_of_its_organizer_once_it_is_verified(open: Arc<dyn OpenStore>) {
    let service: EmailAddress = "taskflow@example.com".parse().expect("an address");
    let world = World::building(&*open, |builder| builder.service_address(service.clone()));
    let id = world.somebody("ada").await;
    assert_eq!(organizer_of(&world, id).await, (service.to_string(), Some(service.to_string())));
    world.app.accounts().mark_email_verified(Actor::System, id).await.expect("verified");
    let own = "ada@example.org".to_owned();
    assert_eq!(organizer_of(&world, id).await, (own.clone(), Some(own)));
}

pub(super) async fn reminders_by_hand_cool_down_for_each_person(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.reminder_cooldown(Duration::from_mins(10)));
    let Board { world, ada, id, .. } = Board::calling(world, super::reminders::board(&["bob", "eve"])).await;
    let remind = || world.app.meetings().remind_now(ada, id, None, None);
    assert_eq!(remind().await.expect("reminded").planned, 3);
    let Err(Error::OverQuota(over)) = remind().await else { panic!("must be refused") };
    assert_eq!((over.quota, over.until), (Quota::Reminders, Some(noon() + Duration::from_mins(10))));
    assert!(over.to_string().contains("more is possible from 2026-11-22T12:10:00"), "{over}");
    assert_eq!(world.told().await.len(), 3);
    // Somebody new is reminded; the others are not.
    world.app.participants().add(ada, id, vec![invitee("fay")], Precondition::Any).await.expect("invited");
    assert_eq!(remind().await.expect("reminded").planned, 1);
    let told = world.told().await;
    assert_eq!(told.iter().filter(|line| line.ends_with(": Soon")).count(), 1, "{told:?}");
    world.clock.set(noon() + Duration::from_mins(10));
    assert_eq!(remind().await.expect("reminded").planned, 4);
    // Of many at once one leaves.
    world.clock.set(noon() + Duration::from_mins(25));
    world.told().await;
    let _all = futures_util::future::join_all((0..8).map(|_| remind())).await;
    let told = world.told().await;
    assert_eq!(told.len(), 4, "{told:?}");
}
