//! The processes that share a store, by the store's own clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join;
use taskflow_core::ports::{Clock, Nodes, Storage};
use taskflow_core::{
    Actor, App, ClockCheck, Error, Heartbeat, Membership, Node, NodeId, StoreError, Timestamp, TokenHash,
};

use super::app::World;
use crate::sample::{new_user, noon};
use crate::{ManualClock, OpenStore, RecordingMailer};

/// Longer than any case takes.
const LONG: Duration = Duration::from_hours(1);

fn id(name: &str) -> NodeId {
    name.parse().expect("a name")
}

fn said(name: &str, started_at: Timestamp) -> Heartbeat {
    Heartbeat {
        id: id(name),
        version: "1.2.3-beta.4".to_owned(),
        started_at,
        sends_mail: true,
        mail_rate: Some(0.1),
        clock_ahead: Some(-2_500_000),
    }
}

async fn beat(store: &dyn Nodes, said: &Heartbeat, lapse: Duration) -> Vec<Node> {
    store.beat(said, lapse).await.expect("a heartbeat")
}

/// Returns the id of each node and whether it is live.
fn who(nodes: &[Node]) -> Vec<(&str, bool)> {
    nodes.iter().map(|node| (node.said.id.as_str(), node.is_live)).collect()
}

pub(super) async fn nodes_that_beat_see_each_other_as_they_said_by_id(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.nodes().await.expect("a list"), []);
    let idle = Heartbeat { sends_mail: false, mail_rate: None, ..said("B-1", noon()) };
    assert_eq!(who(&beat(&*store, &said("a.2", noon()), LONG).await), [("a.2", true)]);
    let told = beat(&*store, &idle, LONG).await;
    let found = store.nodes().await.expect("a list");
    for nodes in [told, found] {
        let heard: Vec<_> = nodes.iter().map(|node| node.said.clone()).collect();
        assert_eq!(heard, [idle.clone(), said("a.2", noon())], "by the bytes of their names");
        assert!(nodes.iter().all(|node| node.is_live && node.silent_for < LONG));
    }
}

pub(super) async fn a_heartbeat_again_takes_the_place_of_the_one_before(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let first = said("a", noon());
    let later = Heartbeat { sends_mail: false, mail_rate: Some(1e9 / 3.0), version: "2".to_owned(), ..first.clone() };
    for beats in [&first, &first, &later] {
        let nodes = beat(&*store, beats, LONG).await;
        assert_eq!((nodes.len(), &nodes[0].said), (1, beats));
    }
}

pub(super) async fn a_node_that_lapsed_is_told_of_but_not_live_until_it_beats(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    beat(&*store, &said("a", noon()), Duration::ZERO).await;
    assert_eq!(who(&beat(&*store, &said("b", noon()), LONG).await), [("a", false), ("b", true)]);
    assert_eq!(who(&store.nodes().await.expect("a list")), [("a", false), ("b", true)]);
    assert_eq!(who(&beat(&*store, &said("a", noon()), LONG).await), [("a", true), ("b", true)]);
}

pub(super) async fn silence_is_measured_from_the_last_heartbeat(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    beat(&*store, &said("a", noon()), LONG).await;
    let mut before = Duration::ZERO;
    // The clock of the store may show milliseconds only.
    while before < Duration::from_millis(5) {
        let now = store.nodes().await.expect("a list")[0].silent_for;
        assert!(now >= before && now < LONG, "{now:?} after {before:?}");
        before = now;
    }
    let again = beat(&*store, &said("a", noon()), LONG).await[0].silent_for;
    assert!(again < LONG);
}

pub(super) async fn a_node_that_leaves_is_gone_at_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    for name in ["a", "b"] {
        beat(&*store, &said(name, noon()), LONG).await;
    }
    store.leave(&id("a"), noon()).await.expect("good-bye");
    store.leave(&id("c"), noon()).await.expect("nobody to say it");
    assert_eq!(who(&store.nodes().await.expect("a list")), [("b", true)]);
}

pub(super) async fn a_name_belongs_to_whoever_was_started_last_until_they_lapse(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (old, new) = (said("a", noon()), said("a", noon() + Duration::from_micros(1)));
    beat(&*store, &old, LONG).await;
    assert_eq!(beat(&*store, &new, LONG).await[0].said, new, "a restart");
    assert_eq!(beat(&*store, &old, LONG).await[0].said, new, "the one before changes nothing");
    store.leave(&old.id, old.started_at).await.expect("good-bye");
    assert_eq!(who(&store.nodes().await.expect("a list")), [("a", true)]);
    beat(&*store, &new, Duration::ZERO).await;
    assert_eq!(beat(&*store, &old, LONG).await[0].said, old, "nobody else goes by the name now");
}

pub(super) async fn nodes_silent_for_long_are_forgotten_and_live_ones_never(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    beat(&*store, &said("a", noon()), Duration::ZERO).await;
    beat(&*store, &said("b", noon()), LONG).await;
    assert_eq!(store.forget_nodes(LONG).await.expect("a number"), 0);
    assert_eq!(store.forget_nodes(Duration::ZERO).await.expect("a number"), 1);
    assert_eq!(who(&store.nodes().await.expect("a list")), [("b", true)]);
}

pub(super) async fn nodes_that_beat_at_once_hear_of_each_other(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    for round in 0..20 {
        let (one, two) = (said(&format!("a-{round}"), noon()), said(&format!("b-{round}"), noon()));
        let (told_one, told_two) = join(beat(&*store, &one, LONG), beat(&*store, &two, LONG)).await;
        assert!(two.is_among(&told_one) || one.is_among(&told_two), "round {round}");
    }
}

pub(super) async fn only_who_runs_the_service_sees_nodes_page_by_page(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let store = open.storage();
    for name in ["c", "a", "b"] {
        beat(&*store, &said(name, noon()), LONG).await;
    }
    let page = |after: Option<&'static str>, size| {
        let app = &world.app;
        async move { app.nodes().list_after(Actor::System, after.map(id).as_ref(), size).await.expect("a page") }
    };
    assert_eq!(who(&page(None, 9).await), [("a", true), ("b", true), ("c", true)]);
    assert_eq!(who(&page(None, 2).await), [("a", true), ("b", true)]);
    assert_eq!(who(&page(Some("a"), 1).await), [("b", true)]);
    assert_eq!(who(&page(Some("c"), 1).await), []);
    let ada = Actor::User(world.somebody("ada").await);
    assert!(matches!(world.app.nodes().list_after(ada, None, 9).await, Err(Error::NotFound(_))));
}

/// A member called `name` and the clock of its own machine.
fn member(storage: &Arc<dyn Storage>, name: &str, lapse: Duration) -> (Membership, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(noon()));
    let nodes: Arc<dyn Nodes> = storage.clone();
    let own: Arc<dyn Clock> = clock.clone();
    (Membership::new(nodes, own, said(name, noon()), lapse, 30.0), clock)
}

async fn rate(member: &mut Membership) -> f64 {
    member.beat().await.expect("a standing").mail_rate.expect("a rate")
}

pub(super) async fn members_share_the_rate_and_take_over_what_is_left(open: Arc<dyn OpenStore>) {
    let storage = open.storage();
    let (mut one, _) = member(&storage, "one", LONG);
    let (mut two, _) = member(&storage, "two", LONG);
    assert_eq!(rate(&mut one).await, 30.0);
    let joined = two.beat().await.expect("a standing");
    assert_eq!((joined.live, joined.mail_rate, joined.is_unsettled), (2, Some(0.0), true));
    assert_eq!(rate(&mut one).await, 15.0);
    assert_eq!(rate(&mut two).await, 0.0, "the other one's heartbeat still claims all of it");
    assert_eq!([rate(&mut one).await, rate(&mut two).await], [15.0, 15.0]);
    let agreed = two.beat().await.expect("a standing");
    assert!(!agreed.is_unsettled && !agreed.is_displaced && agreed.holds_for == LONG);
    one.leave().await.expect("good-bye");
    assert_eq!([rate(&mut two).await, rate(&mut two).await], [15.0, 30.0]);
}

pub(super) async fn a_member_that_slept_past_its_lapse_gets_nothing_until_there_is_room(open: Arc<dyn OpenStore>) {
    let storage = open.storage();
    let (mut sleeper, clock) = member(&storage, "sleeper", LONG);
    let (mut other, _) = member(&storage, "other", LONG);
    assert_eq!([rate(&mut sleeper).await, rate(&mut other).await], [30.0, 0.0]);
    clock.advance(LONG);
    assert_eq!(rate(&mut sleeper).await, 0.0, "the other one may have taken over meanwhile");
    assert_eq!([rate(&mut other).await, rate(&mut sleeper).await, rate(&mut other).await], [0.0, 15.0, 15.0]);
}

pub(super) async fn a_member_that_lapsed_is_not_waited_for(open: Arc<dyn OpenStore>) {
    let storage = open.storage();
    // Lapsed by the store's clock as soon as its heartbeat is written.
    let (mut gone, _) = member(&storage, "gone", Duration::ZERO);
    let (mut other, _) = member(&storage, "other", LONG);
    assert_eq!([rate(&mut gone).await, rate(&mut other).await], [0.0, 30.0]);
}

pub(super) async fn a_member_hears_that_somebody_else_goes_by_its_name(open: Arc<dyn OpenStore>) {
    let storage = open.storage();
    let (mut one, _) = member(&storage, "one", LONG);
    assert_eq!(rate(&mut one).await, 30.0);
    beat(&*storage, &said("one", noon() + LONG), LONG).await;
    let standing = one.beat().await.expect("a standing");
    assert_eq!((standing.is_displaced, standing.mail_rate), (true, Some(0.0)));
    assert_eq!(storage.forget_nodes(App::NODE_MEMORY).await.expect("a number"), 0);
}

/// The nodes of a store whose clock stands at noon.
struct AtNoon(Arc<dyn Storage>);

#[async_trait]
impl Nodes for AtNoon {
    async fn beat(&self, beat: &Heartbeat, lapse: Duration) -> Result<Vec<Node>, StoreError> {
        self.0.beat(beat, lapse).await
    }

    async fn leave(&self, id: &NodeId, started_at: Timestamp) -> Result<(), StoreError> {
        self.0.leave(id, started_at).await
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.0.nodes().await
    }

    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(Some(noon()))
    }

    async fn forget_nodes(&self, silent_for: Duration) -> Result<u64, StoreError> {
        self.0.forget_nodes(silent_for).await
    }
}

/// A world of a store whose clock stands at noon, and the check that compares.
fn compared(open: &dyn OpenStore) -> (World, Arc<ClockCheck>) {
    let (clock, mailer) = (Arc::new(ManualClock::at(noon())), Arc::new(RecordingMailer::new()));
    let check = Arc::new(ClockCheck::new(clock.clone(), Duration::from_secs(5)));
    let storage = open.storage();
    let app = App::builder(storage.clone()).clock(clock.clone()).mailer(mailer.clone()).clock_check(check.clone());
    (World { app: app.build(), clock, mailer, storage }, check)
}

fn token() -> TokenHash {
    TokenHash::new("0".repeat(64))
}

pub(super) async fn a_node_whose_clock_is_wrong_sends_and_runs_nothing_and_issues_no_token(open: Arc<dyn OpenStore>) {
    let (world, check) = compared(&*open);
    let store = AtNoon(world.storage.clone());
    let app = &world.app;
    let ada = app.accounts().register(new_user("ada"), None).await.expect("an account");
    let ahead = |seconds: u64| noon() + Duration::from_secs(seconds);
    let behind = |seconds: u64| noon() - Duration::from_secs(seconds);
    for wrong in [ahead(5), ahead(86_400), behind(5), behind(3_600)] {
        world.clock.set(wrong);
        check.measure(&store).await.expect("measured");
        assert!(!check.is_right() && check.now() == noon(), "{wrong}");
        assert_eq!(app.outbox().deliver_due().await.expect("a step").claimed, 0, "{wrong}");
        assert_eq!(app.jobs().due().await.expect("jobs"), []);
        assert!(app.jobs().run_due().await.expect("no run").is_empty());
        let refused = [
            app.sessions().open(ada.id, token(), None).await.map(drop),
            app.accounts().register(new_user("bob"), None).await.map(drop),
            app.accounts().request_verification(Actor::User(ada.id)).await.map(drop),
            app.accounts().forgot_password(&ada.email).await,
        ];
        assert!(refused.iter().all(|result| matches!(result, Err(Error::WrongClock))), "{refused:?}");
    }
    let ledger = app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.due, ledger.expired), (1, 1, 0));
    world.clock.set(ahead(4));
    check.measure(&store).await.expect("measured");
    assert!(check.is_right() && check.now() == ahead(4), "a warning changes nothing");
    assert_eq!(world.told().await.len(), 1);
    assert!(!app.jobs().due().await.expect("jobs").is_empty());
    app.sessions().open(ada.id, token(), None).await.expect("a session");
}

pub(super) async fn a_clock_that_jumps_is_wrong_at_once_and_right_again_when_it_is_set_back(open: Arc<dyn OpenStore>) {
    let (world, check) = compared(&*open);
    let ada = world.app.accounts().register(new_user("ada"), None).await.expect("an account");
    check.measure(&AtNoon(world.storage.clone())).await.expect("measured");
    world.clock.jump_to(noon() + Duration::from_hours(2));
    assert!(!check.is_right());
    assert_eq!(world.told().await, [""; 0], "nothing leaves before the next heartbeat measures it");
    let refused = world.app.sessions().open(ada.id, token(), None).await;
    assert!(matches!(refused, Err(Error::WrongClock)), "{refused:?}");
    world.clock.jump_to(noon());
    assert_eq!(world.told().await.len(), 1);
}

pub(super) async fn a_member_says_how_far_its_clock_is_ahead(open: Arc<dyn OpenStore>) {
    let (world, check) = compared(&*open);
    let clock: Arc<dyn Clock> = world.clock.clone();
    let nodes = Arc::new(AtNoon(world.storage.clone()));
    let mut member = Membership::new(nodes, clock, said("a", noon()), LONG, 0.0).with_clock_check(check);
    for (now, ahead) in [(noon() + Duration::from_millis(2_500), 2_500_000), (noon() - LONG, -3_600_000_000)] {
        world.clock.jump_to(now);
        member.beat().await.expect("a standing");
        let nodes = world.app.nodes().list_after(Actor::System, None, 9).await.expect("nodes");
        assert_eq!(nodes[0].said.clock_ahead, Some(ahead));
    }
    let (_, other) = compared(&*open);
    other.measure(&*world.storage).await.expect("measured");
    let has_a_clock = world.storage.store_time().await.expect("a time").is_some();
    assert_eq!(other.ahead().is_some(), has_a_clock, "a store without a clock has that of the process");
}
