//! A run is one node's at a time, and what a node leaves another goes on with.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use taskflow_core::{Changes, JobName, JobRun, JobState, JobWrite, RunId, StoreError, Trigger, UserWrite};

use super::jobs::shipped;
use super::slots::{
    JOB, advance, begun, by_hand, claim, counts, finish, held, idle, insert, release, run, scheduled, slot, state,
    take, write,
};
use crate::OpenStore;
use crate::sample::{delivery_id, lease, noon, run_id, user, user_id, users, welcome};

pub(super) async fn a_run_that_was_left_is_taken_by_one_of_many_with_what_it_had_saved(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    assert!(claim(&store, 1, 0, 5).await);
    write(&store, advance(1, 1, "page 1")).await;
    assert_eq!(take(&store, 1, 2).await, None, "it is held");
    open.lapse_leases().await;
    assert_eq!(state(&store).await, JobState { open: Some(run_id(1)), ..idle(slot(5)) });
    assert!(!claim(&store, 9, 5, 10).await, "it comes first");
    let taken = join_all((2..=8).map(|by| take(&store, 1, by))).await;
    let taken: Vec<JobRun> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let left = JobRun { cursor: Some("page 1".to_owned()), counts: counts(17), ..scheduled(1, slot(0), slot(5)) };
    assert_eq!(taken[0], JobRun { tries: 2, node: taken[0].node.clone(), ..left });
    assert_ne!(taken[0].node.as_deref(), Some("node-1"));
    assert_eq!(run(&store, 1).await, taken[0]);
    assert!(state(&store).await.busy);
}

pub(super) async fn who_slept_too_long_changes_nothing_at_all(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    store.commit(&users([1])).await.expect("a user");
    assert!(claim(&store, 1, 0, 5).await);
    open.lapse_leases().await;
    let taken = take(&store, 1, 2).await.expect("taken");
    for late in [advance(1, 1, "page 9"), finish(1, 1, Some("memo")), release(1, 1), advance(9, 1, "no such run")] {
        let page = Changes::new().write(UserWrite::Insert(user(2))).write(late).deliver([welcome(1)]);
        let error = store.commit(&page).await.expect_err("it is somebody else's");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    assert_eq!(run(&store, 1).await, taken);
    assert_eq!(state(&store).await, JobState { open: Some(run_id(1)), busy: true, ..idle(slot(5)) });
    assert_eq!(store.user(user_id(2)).await.expect("a read"), None);
    assert_eq!(store.delivery(delivery_id(1)).await.expect("a read"), None);
    write(&store, advance(1, 2, "page 2")).await;
    assert_eq!(run(&store, 1).await.cursor.as_deref(), Some("page 2"));
}

pub(super) async fn who_comes_back_before_anybody_took_over_goes_on(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    store.commit(&users([1])).await.expect("a user");
    assert!(claim(&store, 1, 0, 5).await);
    open.lapse_leases().await;
    let page = Changes::new().write(advance(1, 1, "page 1")).deliver([welcome(1)]);
    store.commit(&page).await.expect("still theirs");
    assert!(state(&store).await.busy, "and held again");
    assert_eq!(take(&store, 1, 2).await, None);
    assert!(store.delivery(delivery_id(1)).await.expect("a read").is_some());
    write(&store, release(1, 1)).await;
    assert_eq!(state(&store).await, JobState { open: Some(run_id(1)), ..idle(slot(5)) });
    let taken = take(&store, 1, 2).await.expect("given back");
    assert_eq!((taken.tries, taken.cursor.as_deref()), (2, Some("page 1")));
}

pub(super) async fn a_run_that_is_over_stays_over_and_leaves_its_memo(open: Arc<dyn OpenStore>) {
    let store = begun(&*open).await;
    assert!(claim(&store, 1, 0, 5).await);
    write(&store, finish(1, 1, Some("\u{1F600} 'memo' \"1\""))).await;
    let over = JobRun { finished_at: Some(slot(7)), counts: counts(40), ..scheduled(1, slot(0), slot(5)) };
    assert_eq!(run(&store, 1).await, over);
    let state_after = JobState { memo: Some("\u{1F600} 'memo' \"1\"".to_owned()), ..idle(slot(5)) };
    assert_eq!(state(&store).await, state_after);
    assert_eq!(take(&store, 1, 2).await, None);
    for late in [advance(1, 1, "more"), finish(1, 1, None), release(1, 1)] {
        let error = store.commit(&Changes::new().write(late)).await.expect_err("over");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    }
    assert!(claim(&store, 2, 5, 10).await);
    write(&store, finish(2, 2, None)).await;
    assert_eq!(state(&store).await, JobState { slot: slot(10), ..state_after }, "the memo stays");
}

pub(super) async fn of_a_job_one_run_is_held_at_a_time(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let other = JobRun { job: JobName::STATISTICS, ..by_hand(3, slot(1)) };
    let three = insert(&by_hand(2, slot(2))).and(insert(&by_hand(1, slot(1)))).and(insert(&other));
    store.commit(&three).await.expect("three that wait");
    // A run that waits makes its job known.
    assert_eq!(state(&store).await, JobState { open: Some(run_id(1)), ..idle(noon()) }, "the oldest comes first");
    let taken =
        join_all((1..=2).flat_map(|n| (1..=4).map(move |by| (n, 10 * n + by))).map(|(n, by)| take(&store, n, by)));
    let taken: Vec<RunId> = taken.await.into_iter().flatten().map(|run| run.id).collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(take(&store, 3, 3).await.is_some(), "another job goes its own way");
    open.lapse_leases().await;
    assert!(take(&store, 2, 4).await.is_some());
    assert_eq!(take(&store, 1, 5).await, None, "the other one is held");
    assert_eq!(state(&store).await, JobState { open: Some(run_id(1)), busy: true, ..idle(noon()) });
    write(&store, finish(2, 4, None)).await;
    assert!(take(&store, 1, 5).await.is_some());
}

pub(super) async fn runs_are_listed_newest_first_page_by_page(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let runs = [2, 5, 1, 4, 3].map(|n| by_hand(n, slot(n)));
    let other = JobRun { job: JobName::STATISTICS, ..by_hand(6, slot(6)) };
    let changes = runs.iter().chain([&other]).fold(Changes::new(), |changes, run| changes.and(insert(run)));
    store.commit(&changes).await.expect("six");
    let page = async |before: Option<u64>, size| {
        let page = store.runs(JOB, before.map(run_id), size).await.expect("a page");
        page.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [5, 4].map(run_id));
    assert_eq!(page(Some(4), 2).await, [3, 2].map(run_id));
    assert_eq!(page(Some(2), 2).await, [1].map(run_id));
    assert_eq!(page(Some(1), 2).await, []);
    assert_eq!(page(Some(6), 9).await.len(), 5, "who is named need not be one of them");
}

pub(super) async fn a_run_round_trips_with_everything_it_has(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let mut n = 0;
    for job in shipped() {
        for (trigger, dry_run) in [(Trigger::Slot, false), (Trigger::Now, false), (Trigger::Slot, true)] {
            n += 1;
            let micros = noon() + Duration::from_micros(n);
            let asked = JobRun { job, trigger, dry_run, created_at: micros, ..by_hand(n, micros) };
            store.commit(&insert(&asked)).await.expect("a run");
            assert_eq!(run(&store, n).await, asked);
            let begun = store.claim_run(asked.id, &held(n), micros).await.expect("an answer").expect("taken");
            let expected =
                JobRun { started_at: Some(micros), node: Some(format!("node-{n}")), tries: 1, ..asked.clone() };
            assert_eq!(begun, expected);
            let cursor = "{\"zone\":\"Asia/Tokyo\",\"a\":'\u{1F600}'}".to_owned();
            let mut counted = counts(9_007_199_254_740_993);
            counted.add("\u{1F600} planned", 1);
            let step =
                JobWrite::AdvanceRun { id: asked.id, lease: held(n), cursor: cursor.clone(), counts: counted.clone() };
            write(&store, step).await;
            let cursor = Some(cursor);
            assert_eq!(
                run(&store, n).await,
                JobRun { cursor: cursor.clone(), counts: counted.clone(), ..expected.clone() }
            );
            counted.add("examined", 1);
            let (at, error) = (micros + Duration::from_micros(1), Some("it's \u{1F600}".to_owned()));
            let end = JobWrite::FinishRun {
                id: asked.id,
                lease: lease(n),
                at,
                counts: counted.clone(),
                error: error.clone(),
                memo: None,
            };
            write(&store, end).await;
            let over = JobRun { cursor, counts: counted, finished_at: Some(at), error, ..expected };
            assert_eq!(run(&store, n).await, over);
            assert_eq!(store.runs(job, None, 1).await.expect("a page"), [over]);
        }
    }
}
