//! Claims of scheduled jobs: a scheduled time is run once, by schedule or by hand, and a paused job waits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use taskflow_core::ports::{RunLease, Storage};
use taskflow_core::{
    Changes, Counts, JobName, JobRun, JobState, JobWrite, StoreError, Timestamp, Trigger, UniqueField, Write,
};

use crate::OpenStore;
use crate::sample::{at, lease, noon, run_id, user_id, users};

pub(super) const JOB: JobName = JobName::DAILY_SUMMARIES;

/// That many minutes after noon.
pub(super) fn slot(minutes: u64) -> Timestamp {
    at("2026-11-22T12:00:00Z") + Duration::from_mins(minutes)
}

pub(super) fn held(n: u64) -> RunLease {
    RunLease { token: lease(n), lasts: Duration::from_secs(600), node: format!("node-{n}") }
}

pub(super) fn counts(examined: u64) -> Counts {
    let mut counts = Counts::default();
    counts.add("examined", examined);
    counts
}

/// The run number `n`, begun by the node of that number.
pub(super) fn scheduled(n: u64, since: Timestamp, slot: Timestamp) -> JobRun {
    JobRun {
        since,
        trigger: Trigger::Schedule,
        started_at: Some(noon()),
        node: Some(format!("node-{n}")),
        tries: 1,
        ..by_hand(n, slot)
    }
}

/// The run number `n`, which waits.
pub(super) fn by_hand(n: u64, slot: Timestamp) -> JobRun {
    JobRun {
        id: run_id(n),
        job: JOB,
        slot,
        since: slot - Duration::from_mins(5),
        trigger: Trigger::Slot,
        dry_run: false,
        created_at: noon(),
        started_at: None,
        finished_at: None,
        node: None,
        tries: 0,
        cursor: None,
        counts: Counts::default(),
        error: None,
    }
}

pub(super) fn insert(run: &JobRun) -> Changes {
    Changes::new().write(JobWrite::InsertRun(run.clone()))
}

pub(super) fn advance(n: u64, by: u64, cursor: &str) -> JobWrite {
    JobWrite::AdvanceRun { id: run_id(n), lease: held(by), cursor: cursor.to_owned(), counts: counts(17) }
}

pub(super) fn finish(n: u64, by: u64, memo: Option<&str>) -> JobWrite {
    let memo = memo.map(str::to_owned);
    JobWrite::FinishRun { id: run_id(n), lease: lease(by), at: slot(7), counts: counts(40), error: None, memo }
}

pub(super) fn release(n: u64, by: u64) -> JobWrite {
    JobWrite::ReleaseRun { id: run_id(n), lease: lease(by) }
}

pub(super) async fn write(store: &Arc<dyn Storage>, write: impl Into<Write>) {
    store.commit(&Changes::new().write(write)).await.expect("a write");
}

pub(super) async fn run(store: &Arc<dyn Storage>, n: u64) -> JobRun {
    store.run(run_id(n)).await.expect("a read").expect("a run")
}

pub(super) async fn take(store: &Arc<dyn Storage>, n: u64, by: u64) -> Option<JobRun> {
    store.claim_run(run_id(n), &held(by), slot(6)).await.expect("an answer")
}

pub(super) async fn claim(store: &Arc<dyn Storage>, n: u64, since: u64, until: u64) -> bool {
    store.claim_slot(&scheduled(n, slot(since), slot(until)), &held(n)).await.expect("an answer")
}

pub(super) async fn state(store: &Arc<dyn Storage>) -> JobState {
    let states = store.jobs().await.expect("a read");
    states.into_iter().find(|state| state.job == JOB).expect("the job is known")
}

pub(super) fn idle(slot: Timestamp) -> JobState {
    JobState { job: JOB, slot, paused_at: None, memo: None, open: None, busy: false }
}

/// Everything up to noon is taken care of.
pub(super) async fn begun(open: &dyn OpenStore) -> Arc<dyn Storage> {
    let store = open.storage();
    assert!(store.advance_to(JOB, None, slot(0)).await.expect("an answer"));
    store
}

pub(super) async fn a_job_is_taken_up_and_a_slot_passed_by_one_of_many(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.jobs().await.expect("a read"), []);
    let pass = async |done: Option<Timestamp>, until: Timestamp| {
        let passes = join_all((0..8).map(|_| store.advance_to(JOB, done, until))).await;
        passes.into_iter().filter(|passed| *passed.as_ref().expect("an answer")).count()
    };
    assert_eq!(pass(Some(slot(0)), slot(5)).await, 0, "nobody looks after it yet");
    assert_eq!(pass(None, slot(0)).await, 1);
    assert_eq!(pass(None, slot(5)).await, 0, "it is no longer new");
    assert_eq!(store.jobs().await.expect("a read"), [idle(slot(0))]);
    assert_eq!(pass(Some(slot(0)), slot(5)).await, 1);
    assert_eq!(pass(Some(slot(0)), slot(10)).await, 0);
    assert_eq!(state(&store).await, idle(slot(5)));
    assert_eq!(pass(Some(slot(5)), slot(0)).await, 1, "back as well");
    assert_eq!(state(&store).await, idle(slot(0)));
}

pub(super) async fn of_many_who_claim_a_slot_one_holds_its_run_and_the_slot_moves(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    let claims = join_all((1..=8).map(|n| claim(&store, n, 0, 5))).await;
    let winners: Vec<u64> = (1..=8).zip(&claims).filter(|(_, won)| **won).map(|(n, _)| n).collect();
    assert_eq!(winners.len(), 1, "{claims:?}");
    let winner = winners[0];
    assert_eq!(state(&store).await, JobState { open: Some(run_id(winner)), busy: true, ..idle(slot(5)) });
    assert_eq!(store.runs(JOB, None, 10).await.expect("a list"), [scheduled(winner, slot(0), slot(5))]);
    assert!(!claim(&store, 9, 5, 10).await, "another run is open");
    assert_eq!(state(&store).await.slot, slot(5));
}

pub(super) async fn a_slot_that_is_not_there_is_not_claimed(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    let unknown = JobRun { job: JobName::STATISTICS, ..scheduled(1, slot(0), slot(5)) };
    assert!(!store.claim_slot(&unknown, &held(1)).await.expect("an answer"));
    assert!(!claim(&store, 2, 1, 5).await);
    assert_eq!(store.jobs().await.expect("a read"), [idle(slot(0))]);
    assert_eq!(
        (store.run(run_id(1)).await.expect("a read"), store.run(run_id(2)).await.expect("a read")),
        (None, None)
    );
}

pub(super) async fn a_paused_job_is_not_claimed_and_a_resumed_one_has_skipped_what_came_due(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    write(&store, JobWrite::Resume { job: JOB, slot: slot(90) }).await;
    assert_eq!(state(&store).await, idle(slot(0)), "it was not paused");
    for minute in [2, 3] {
        write(&store, JobWrite::Pause { job: JOB, at: slot(minute) }).await;
        assert_eq!(state(&store).await, JobState { paused_at: Some(slot(2)), ..idle(slot(0)) });
    }
    assert!(!claim(&store, 1, 0, 5).await);
    assert_eq!(store.run(run_id(1)).await.expect("a read"), None);
    write(&store, JobWrite::Resume { job: JOB, slot: slot(20) }).await;
    assert_eq!(state(&store).await, idle(slot(20)));
    assert!(!claim(&store, 1, 0, 5).await && claim(&store, 1, 20, 25).await);
    // What is open goes on; a clock that was wrong may have moved the slot too far.
    write(&store, JobWrite::Pause { job: JOB, at: slot(26) }).await;
    write(&store, finish(1, 1, None)).await;
    write(&store, JobWrite::Resume { job: JOB, slot: slot(10) }).await;
    assert_eq!(state(&store).await, idle(slot(10)));
    // Nobody has looked after this one yet.
    let other = JobName::STATISTICS;
    write(&store, JobWrite::Resume { job: other, slot: slot(10) }).await;
    write(&store, JobWrite::Pause { job: other, at: slot(30) }).await;
    let paused = JobState { job: other, paused_at: Some(slot(30)), ..idle(slot(30)) };
    let states = store.jobs().await.expect("a read");
    assert_eq!(states.into_iter().filter(|state| state.job == other).collect::<Vec<_>>(), [paused]);
}

pub(super) async fn a_slot_that_was_run_by_hand_is_passed(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    assert!(claim(&store, 1, 0, 5).await);
    write(&store, finish(1, 1, None)).await;
    let inserts = join_all((2..=8).map(|n| {
        let store = store.clone();
        async move { store.commit(&insert(&by_hand(n, slot(10)))).await }
    }))
    .await;
    assert_eq!(inserts.iter().filter(|insert| insert.is_ok()).count(), 1, "{inserts:?}");
    for taken in [slot(5), slot(10)] {
        let changes = users([1]).and(insert(&by_hand(9, taken)));
        let error = store.commit(&changes).await.expect_err("a slot comes once");
        assert!(matches!(error, StoreError::Taken { field: UniqueField::Slot, write: 1 }), "{error:?}");
    }
    assert_eq!(store.user(user_id(1)).await.expect("a read"), None);
    let other = JobRun { job: JobName::TASK_REMINDERS, ..by_hand(20, slot(10)) };
    store.commit(&insert(&other)).await.expect("another job has slots of its own");

    let waiting = store.runs(JOB, None, 1).await.expect("a list").remove(0);
    assert!(!claim(&store, 30, 5, 10).await, "it waits to be begun");
    assert_eq!(state(&store).await.slot, slot(5));
    let begun = store.claim_run(waiting.id, &held(3), slot(6)).await.expect("an answer").expect("taken");
    let node = Some("node-3".to_owned());
    assert_eq!(begun, JobRun { started_at: Some(slot(6)), node, tries: 1, ..waiting.clone() });
    let finish = JobWrite::FinishRun {
        id: waiting.id,
        lease: lease(3),
        at: slot(7),
        counts: Counts::default(),
        error: None,
        memo: None,
    };
    write(&store, finish).await;
    assert!(!claim(&store, 30, 5, 10).await, "it was run");
    assert_eq!(state(&store).await, idle(slot(10)));
    assert_eq!(store.run(run_id(30)).await.expect("a read"), None);
    assert!(claim(&store, 31, 10, 15).await);
}

pub(super) async fn a_dry_run_takes_no_slot(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    for n in 1..=2 {
        store.commit(&insert(&JobRun { dry_run: true, ..by_hand(n, slot(5)) })).await.expect("as often as you like");
        assert!(take(&store, n, n).await.expect("taken").dry_run);
        write(&store, finish(n, n, None)).await;
    }
    store.commit(&insert(&by_hand(3, slot(10)))).await.expect("a real one");
    store.commit(&insert(&JobRun { dry_run: true, ..by_hand(4, slot(10)) })).await.expect("beside it");
    for n in 3..=4 {
        assert!(take(&store, n, n).await.is_some());
        write(&store, finish(n, n, None)).await;
    }
    assert!(claim(&store, 5, 0, 5).await);
}
