//! Several nodes on one store: what one leaves another goes on with, and nothing is lost or done twice.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{CohortPage, CohortPosition, CohortQuery, CohortScan, DigestQuery, Storage};
use taskflow_core::{
    Actor, App, Changes, CorruptRow, Delivery, DeliveryState, Digest, JobName, JobRun, Jobs, LocalTimeCohort, RunState,
    StoreError, Timestamp, UserWrite,
};

use super::jobs::{nine, only, people, shipped};
use super::summaries::{Expected, crowd, reminders_of, summaries_of, told};
use crate::sample::{at, noon};
use crate::year::chance::Chance;
use crate::{ManualClock, OpenStore, RecordingMailer};

/// Stands between an app and what finds people: counts the pages it reads, stops it after one of them as if its node had
/// died or slept, or fails.
pub(super) struct Watched {
    storage: Arc<dyn Storage>,
    pages: AtomicU32,
    stops_after: AtomicU32,
    stopped: AtomicBool,
    fails_at: AtomicU32,
    failures: AtomicU32,
}

impl Watched {
    pub(super) fn new(open: &dyn OpenStore) -> Arc<Self> {
        Arc::new(Self {
            storage: open.storage(),
            pages: AtomicU32::new(0),
            stops_after: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            fails_at: AtomicU32::new(0),
            failures: AtomicU32::new(0),
        })
    }

    /// Pages that were read.
    fn pages(&self) -> u32 {
        self.pages.load(Ordering::SeqCst)
    }

    /// Stops whoever reads the page of that number, counted from now, once it is read.
    fn stop_after(&self, page: u32) {
        self.stopped.store(false, Ordering::SeqCst);
        self.stops_after.store(self.pages() + page, Ordering::SeqCst);
    }

    /// Whoever was stopped goes on.
    fn wake(&self) {
        self.stops_after.store(0, Ordering::SeqCst);
        self.stopped.store(false, Ordering::SeqCst);
    }

    /// The page of that number, counted from now, cannot be read so many times.
    pub(super) fn fail_at(&self, page: u32, times: u32) {
        self.fails_at.store(self.pages() + page, Ordering::SeqCst);
        self.failures.store(times, Ordering::SeqCst);
    }

    /// Works until it is over, or stopped: then what was begun is still there.
    async fn until_stopped<F: Future>(&self, mut work: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.stopped.load(Ordering::SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

#[async_trait]
impl CohortScan for Watched {
    async fn with_users(&self, moments: &[LocalTimeCohort]) -> Result<Vec<usize>, StoreError> {
        self.storage.with_users(moments).await
    }

    async fn recipients(
        &self,
        query: &CohortQuery,
        after: Option<CohortPosition>,
        size: u32,
    ) -> Result<CohortPage, StoreError> {
        if self.pages() + 1 == self.fails_at.load(Ordering::SeqCst) && self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("the database restarts".into()));
        }
        let page = self.storage.recipients(query, after, size).await;
        if self.pages.fetch_add(1, Ordering::SeqCst) + 1 == self.stops_after.load(Ordering::SeqCst) {
            self.stopped.store(true, Ordering::SeqCst);
            poll_fn(|_| if self.stopped.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) }).await;
        }
        page
    }

    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
        self.storage.digests(queries).await
    }
}

/// A node, and what its app sees of sweeps.
struct Node {
    app: App,
    watched: Arc<Watched>,
}

/// Nodes that share a store, a clock and a relay.
struct Cluster<'a> {
    open: &'a dyn OpenStore,
    clock: Arc<ManualClock>,
    mailer: Arc<RecordingMailer>,
    jobs: Jobs,
}

impl<'a> Cluster<'a> {
    fn new(open: &'a dyn OpenStore, begin: Timestamp, jobs: &[JobName]) -> Self {
        let (clock, mailer) = (Arc::new(ManualClock::at(begin)), Arc::new(RecordingMailer::new()));
        Self { open, clock, mailer, jobs: Jobs { page: 5, ..only(jobs) } }
    }

    fn node(&self, name: &str) -> Node {
        let watched = Watched::new(self.open);
        let app = App::builder(self.open.storage())
            .clock(self.clock.clone())
            .mailer(self.mailer.clone())
            .sweeps(watched.clone())
            .jobs(Jobs { node: name.to_owned(), ..self.jobs.clone() })
            .build();
        Node { app, watched }
    }
}

pub(super) async fn a_run_goes_on_at_the_page_its_node_died_over(open: Arc<dyn OpenStore>) {
    let cluster = Cluster::new(&*open, noon(), &[JobName::DAILY_SUMMARIES]);
    let (first, second) = (cluster.node("first"), cluster.node("second"));
    let world = super::app::World::new(&*open);
    first.app.jobs().run_due().await.expect("begun");
    people(&world, 1..=48).await;
    cluster.clock.set(nine());
    first.watched.stop_after(4);
    {
        let work = pin!(first.app.jobs().run_due());
        assert!(first.watched.until_stopped(work).await.is_none(), "it dies over the fourth page");
    }
    assert_eq!(second.app.jobs().run_due().await.expect("a step"), [], "the run is held as long as its node may live");
    open.lapse_leases().await;
    let reports = second.app.jobs().run_due().await.expect("a step");
    assert_eq!(reports.len(), 1, "{reports:?}");
    let run = &reports[0].run;
    assert_eq!((run.tries, run.node.as_deref(), run.state()), (2, Some("second"), RunState::Finished));
    assert_eq!((run.counts.get("examined"), run.counts.get("found")), (48, 48));
    assert_eq!((first.watched.pages(), second.watched.pages()), (4, 7), "three of ten pages were done");
    second.app.outbox().deliver_due().await.expect("a step");
    assert_eq!(cluster.mailer.take().len(), 48);
}

pub(super) async fn a_run_goes_on_behind_people_who_left_while_nobody_had_it(open: Arc<dyn OpenStore>) {
    let cluster = Cluster::new(&*open, noon(), &[JobName::DAILY_SUMMARIES]);
    let (first, second) = (cluster.node("first"), cluster.node("second"));
    let storage = open.storage();
    first.app.jobs().run_due().await.expect("begun");
    // Their clocks show nine at the same time, and zones come by their names.
    let places = ["Africa/Algiers", "Europe/Berlin", "Europe/Madrid"];
    let people = crowd(&storage, &places, &["09:00"], 7).await;
    cluster.clock.set(nine());
    first.watched.stop_after(4);
    {
        let work = pin!(first.app.jobs().run_due());
        assert!(first.watched.until_stopped(work).await.is_none(), "it dies over the last two in Berlin");
    }
    for user in &people[7..14] {
        let leave = Changes::new().write(UserWrite::Delete { id: user.id, at: nine() });
        storage.commit(&leave).await.expect("gone");
    }
    open.lapse_leases().await;
    let run = second.app.jobs().run_due().await.expect("a step").remove(0).run;
    assert_eq!((run.tries, run.counts.get("examined"), run.counts.get("found")), (2, 19, 19), "nobody is seen twice");
    assert_eq!(second.watched.pages(), 2);
    let told = storage.deliveries_with_key("daily-summary/", 100).await.expect("a list");
    let stay = |delivery: &&Delivery| delivery.state == DeliveryState::Scheduled;
    assert_eq!(told.iter().filter(stay).count(), 14);
}

pub(super) async fn a_node_that_slept_finds_its_run_taken_and_leaves_it_alone(open: Arc<dyn OpenStore>) {
    let cluster = Cluster::new(&*open, noon(), &[JobName::DAILY_SUMMARIES]);
    let (first, second) = (cluster.node("first"), cluster.node("second"));
    let world = super::app::World::new(&*open);
    first.app.jobs().run_due().await.expect("begun");
    people(&world, 1..=12).await;
    cluster.clock.set(nine());
    first.watched.stop_after(2);
    let mut sleeper = pin!(first.app.jobs().run_due());
    assert!(first.watched.until_stopped(sleeper.as_mut()).await.is_none(), "it sleeps");
    open.lapse_leases().await;
    second.watched.stop_after(1);
    let mut other = pin!(second.app.jobs().run_due());
    assert!(second.watched.until_stopped(other.as_mut()).await.is_none(), "taken, and half-way");
    first.watched.wake();
    let reports = sleeper.await.expect("a step");
    assert_eq!((reports.len(), reports[0].lost), (1, true));
    second.watched.wake();
    let reports = other.await.expect("a step");
    assert_eq!((reports.len(), reports[0].lost, reports[0].run.counts.get("examined")), (1, false, 12));
    assert_eq!(super::jobs::summaries(&world).await.0, 12);
    let kept = first.app.jobs().get_run(Actor::System, reports[0].run.job, reports[0].run.id).await.expect("kept");
    assert_eq!(JobRun { cursor: None, ..kept }, reports[0].run);
}

pub(super) async fn a_node_that_is_to_end_gives_its_run_to_another(open: Arc<dyn OpenStore>) {
    let cluster = Cluster::new(&*open, noon(), &[JobName::DAILY_SUMMARIES]);
    let (first, second) = (cluster.node("first"), cluster.node("second"));
    let world = super::app::World::new(&*open);
    first.app.jobs().run_due().await.expect("begun");
    people(&world, 1..=12).await;
    cluster.clock.set(nine());
    first.watched.stop_after(2);
    let mut ending = pin!(first.app.jobs().run_due());
    assert!(first.watched.until_stopped(ending.as_mut()).await.is_none());
    first.app.outbox().drain();
    first.watched.wake();
    let reports = ending.await.expect("a step");
    assert_eq!((reports.len(), reports[0].lost, reports[0].run.state()), (1, false, RunState::Running));
    let reports = second.app.jobs().run_due().await.expect("a step");
    assert_eq!((reports.len(), reports[0].run.tries, reports[0].run.counts.get("examined")), (1, 2, 12));
    assert_eq!((first.watched.pages(), second.watched.pages()), (2, 1));
}

/// Three nodes tick at random through two days, each in its own order, and die now and then over a page; their places are
/// taken by new ones.
async fn three_nodes(open: &dyn OpenStore, seed: u64) {
    let begin = at("2026-10-24T10:00:00Z");
    let cluster = Cluster::new(open, begin, &shipped());
    let storage = open.storage();
    let places = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham"];
    let people = crowd(&storage, &places, &["09:00", "02:30"], 8).await;
    let mut chance = Chance::new(seed);
    let mut nodes: Vec<Node> = (0..3).map(|n| cluster.node(&format!("node-{n}"))).collect();
    for node in &nodes {
        node.app.jobs().run_due().await.expect("begun");
    }
    let (mut now, mut deaths) = (begin, 0);
    while now < begin + Duration::from_hours(48) {
        now = now + Duration::from_secs(60 * (5 + chance.below(55)) + chance.below(60));
        cluster.clock.set(now);
        for node in &nodes {
            node.watched.wake();
            if chance.one_in(2) {
                node.watched.stop_after(1 + chance.below(3) as u32);
            }
        }
        let steps = nodes.iter().map(|node| async {
            let survives = node.watched.until_stopped(pin!(node.app.jobs().run_due())).await;
            survives.map(|reports| reports.expect("a step")).is_some()
        });
        let alive = futures_util::future::join_all(steps).await;
        for (n, alive) in alive.into_iter().enumerate() {
            if !alive {
                deaths += 1;
                nodes[n] = cluster.node(&format!("node-{n}-{deaths}"));
            }
        }
        // What a dead node held is taken up sooner or later.
        if chance.one_in(2) {
            open.lapse_leases().await;
        }
        nodes[0].app.outbox().deliver_due().await.expect("a step");
    }
    open.lapse_leases().await;
    nodes[0].app.jobs().run_due().await.expect("the rest");
    nodes[0].app.outbox().deliver_due().await.expect("a step");
    assert!(deaths > 5, "seed {seed}: only {deaths} died");

    let mut expected = Expected::new();
    for user in &people {
        expected.extend(summaries_of(user, begin, now));
        expected.extend(reminders_of(user, begin, now));
    }
    assert_eq!(told(&storage).await, expected, "seed {seed}");
    let mails: BTreeSet<_> = cluster.mailer.mails().into_iter().map(|mail| mail.id).collect();
    assert_eq!(mails.len(), cluster.mailer.take().len(), "seed {seed}: nobody is told twice");
    let ledger = storage.ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered), (expected.len() as u64, mails.len() as u64), "seed {seed}");
    assert_eq!(ledger.delivered + ledger.expired, ledger.planned, "seed {seed}: {ledger:?}");
    let mut found = 0;
    for job in shipped() {
        let runs = storage.runs(job, None, 10_000).await.expect("a list");
        let slots: BTreeSet<_> = runs.iter().map(|run| run.slot).collect();
        assert_eq!(slots.len(), runs.len(), "seed {seed}: a slot of {job} comes once");
        assert!(runs.iter().all(|run| run.state() == RunState::Finished), "seed {seed}: {runs:?}");
        assert!(runs.is_sorted_by(|newer, older| newer.since >= older.slot), "seed {seed}: {job} overlaps");
        found += runs.iter().map(|run| run.counts.get("found")).sum::<u64>();
    }
    assert_eq!(found, expected.len() as u64, "seed {seed}: no page was done twice");
}

pub(super) async fn three_nodes_that_die_at_random_lose_and_double_nothing(open: Arc<dyn OpenStore>) {
    three_nodes(&*open, 20_261_025).await;
}
