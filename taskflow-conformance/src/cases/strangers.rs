//! How many people an account reaches who have never accepted an invitation of it.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use taskflow_core::{
    Actor, EmailAddress, Error, Invitee, MeetingResponse, NewMeeting, OverQuota, Participant, Precondition, Quota,
    Quotas, StartsAt, UserId,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{called, guest, invitee, meeting, tomorrow, user_id, users};

fn world(open: &dyn OpenStore) -> World {
    let quotas = Quotas { strangers: 4, strangers_unverified: 2, ..Quotas::default() };
    World::building(open, |builder| builder.quotas(quotas))
}

fn new_meeting(invitees: Vec<Invitee>) -> NewMeeting {
    let new = NewMeeting::titled("Sync".parse().expect("a title"), StartsAt::Instant(tomorrow()));
    NewMeeting { invitees, ..new }
}

fn over<T: std::fmt::Debug>(result: Result<T, Error>) -> OverQuota {
    match result {
        Err(Error::OverQuota(over)) => over,
        other => panic!("must be over a quota: {other:?}"),
    }
}

async fn invite(world: &World, organizer: UserId, names: &[&str]) -> Result<taskflow_core::MeetingId, Error> {
    let new = new_meeting(names.iter().map(|name| invitee(name)).collect());
    world.app.meetings().create(Actor::User(organizer), new).await.map(|details| details.meeting.id)
}

pub(super) async fn an_unverified_account_reaches_a_few_strangers_a_day_by_whatever_way(open: Arc<dyn OpenStore>) {
    let world = world(&*open);
    let ada = world.somebody("ada").await;
    let me = Actor::User(ada);
    let refused = over(invite(&world, ada, &["bob", "cyd", "dan"]).await);
    assert_eq!((refused.quota, refused.limit, refused.used), (Quota::StrangersUnverified, 2, 0));
    assert!(refused.to_string().contains("verify your address"), "{refused}");
    let first = invite(&world, ada, &["bob"]).await.expect("the first");
    let add = |name| world.app.participants().add(me, first, vec![invitee(name)], Precondition::Any);
    let cyd = add("cyd").await.expect("the second").participants.pop().expect("cyd").id;
    assert_eq!(over(add("dan").await).used, 2);
    assert_eq!(over(invite(&world, ada, &["dan"]).await).used, 2);
    // Neither a new invitation after a removal nor one of everybody is free.
    world.app.participants().remove(me, first, cyd, Precondition::Any).await.expect("removed");
    assert_eq!(over(add("cyd").await).quota, Quota::StrangersUnverified);
    world.app.meetings().cancel(me, first, Precondition::Any).await.expect("cancelled");
    assert_eq!(over(world.app.meetings().restore(me, first).await).quota, Quota::StrangersUnverified);
    // What needs no invitation goes on.
    invite(&world, ada, &[]).await.expect("a meeting by oneself");

    world.app.accounts().mark_email_verified(Actor::System, ada).await.expect("verified");
    invite(&world, ada, &["dan", "eve", "fay", "gus"]).await.expect("a verified account reaches more");
    let refused = over(invite(&world, ada, &["hal"]).await);
    assert_eq!((refused.quota, refused.limit, refused.used), (Quota::Strangers, 4, 4));
    world.clock.set(refused.until.expect("a time"));
    invite(&world, ada, &["hal"]).await.expect("the next day");
}

pub(super) async fn of_many_invitations_at_once_those_to_a_few_strangers_succeed(open: Arc<dyn OpenStore>) {
    let world = world(&*open);
    let ada = world.somebody("ada").await;
    let names: Vec<_> = (0..12).map(|n| format!("stranger-{n}")).collect();
    let tries = names.iter().map(|name| {
        let world = &world;
        async move { invite(world, ada, &[name.as_str()]).await }
    });
    let results = join_all(tries).await;
    let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (2, 10), "{refused:?}");
    assert!(refused.into_iter().all(|result| over(result).quota == Quota::StrangersUnverified));
    let invited = world.told().await;
    assert_eq!(invited.len(), 2, "{invited:?}");
}

pub(super) async fn whoever_has_accepted_is_no_stranger_with_or_without_an_account(open: Arc<dyn OpenStore>) {
    let world = world(&*open);
    let (ada, bob) = (world.somebody("ada").await, world.verified("bob").await);
    let first = invite(&world, ada, &["bob", "cyd"]).await.expect("the first two");
    assert_eq!(over(invite(&world, ada, &["bob"]).await).used, 2, "bob has not answered");
    let answer = |response| world.app.participants().respond(Actor::User(bob), first, response, None, None);
    answer(MeetingResponse::Declined).await.expect("an answer");
    assert_eq!(over(invite(&world, ada, &["bob"]).await).used, 2, "bob has declined");
    answer(MeetingResponse::Tentative).await.expect("an answer");
    for _ in 0..3 {
        invite(&world, ada, &["bob"]).await.expect("bob is no stranger");
    }
    // To others he still is.
    let eve = world.somebody("eve").await;
    invite(&world, eve, &["x", "y"]).await.expect("the first two");
    assert_eq!(over(invite(&world, eve, &["bob"]).await).used, 2);
}

pub(super) async fn acceptances_are_found_by_address_and_organizer(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let with = |n, response, reset_response| Participant { response, reset_response, ..guest(n, 1) };
    let people = [
        with(1, MeetingResponse::Accepted, None),
        with(2, MeetingResponse::Tentative, None),
        with(3, MeetingResponse::Declined, None),
        with(4, MeetingResponse::Pending, None),
        with(5, MeetingResponse::Pending, Some(MeetingResponse::Accepted)),
        with(6, MeetingResponse::Pending, Some(MeetingResponse::Declined)),
    ];
    store.commit(&called(meeting(1, 1), people)).await.expect("a meeting");
    let address = |n: u64| -> EmailAddress { format!("Guest-{n}@Example.org").parse().expect("an address") };
    let asked: Vec<_> = (1..9).map(address).collect();
    let known = store.accepted_before(user_id(1), &asked).await.expect("a read");
    let keys = |numbers: &[u64]| numbers.iter().map(|n| address(*n).key()).collect::<HashSet<_>>();
    assert_eq!(known, keys(&[1, 2, 5]));
    assert_eq!(store.accepted_before(user_id(1), &asked[1..2]).await.expect("a read"), keys(&[2]));
    assert_eq!(store.accepted_before(user_id(2), &asked).await.expect("a read"), HashSet::new());
    assert_eq!(store.accepted_before(user_id(1), &[]).await.expect("a read"), HashSet::new());
}
