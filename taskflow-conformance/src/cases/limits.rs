//! The buckets of rate limits that all nodes share, by the store's own clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use taskflow_core::RateLimit;
use taskflow_core::ports::{BucketTake, Expired, SharedLimits};

use crate::OpenStore;

/// A bucket of that size which earns nothing while a case runs.
fn bucket(key: &str, burst: u32) -> BucketTake {
    let limit = RateLimit::new(burst, RateLimit::MAX_PERIOD).expect("a limit");
    BucketTake { key: key.to_owned(), limit }
}

async fn is_admitted(store: &dyn SharedLimits, takes: &[BucketTake]) -> bool {
    store.take(takes).await.expect("an answer").is_none()
}

pub(super) async fn a_bucket_admits_its_burst_and_then_tells_how_long_to_wait(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let takes = [bucket("a", 2)];
    assert!(is_admitted(&*store, &takes).await && is_admitted(&*store, &takes).await);
    let wait = store.take(&takes).await.expect("an answer").expect("refused");
    let hours = |hours| Duration::from_hours(hours);
    assert!(wait > hours(11) && wait <= hours(12) + Duration::from_secs(1), "{wait:?}");
    assert!(is_admitted(&*store, &[bucket("b", 2)]).await, "another bucket is another one");
}

pub(super) async fn a_bucket_fills_with_time(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let limit = RateLimit::new(1, Duration::from_millis(20)).expect("a limit");
    let takes = [BucketTake { key: "a".to_owned(), limit }];
    assert!(is_admitted(&*store, &takes).await);
    // The store's clock cannot be turned.
    while !is_admitted(&*store, &takes).await {}
}

pub(super) async fn a_take_is_from_all_buckets_or_from_none(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (small, large) = (bucket("small", 1), bucket("large", 2));
    assert!(is_admitted(&*store, &[large.clone(), small.clone()]).await);
    for _ in 0..5 {
        assert!(!is_admitted(&*store, &[small.clone(), large.clone()]).await);
    }
    assert!(is_admitted(&*store, std::slice::from_ref(&large)).await, "the refused takes took nothing");
    assert!(!is_admitted(&*store, &[large]).await);
}

pub(super) async fn what_is_given_back_can_be_taken_again(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let takes = [bucket("a", 1), bucket("b", 3)];
    assert!(is_admitted(&*store, &takes).await);
    store.give_back(&takes).await.expect("given back");
    assert!(is_admitted(&*store, &takes).await);
    assert!(!is_admitted(&*store, &takes).await);
    assert!(is_admitted(&*store, &takes[1..]).await && is_admitted(&*store, &takes[1..]).await);
    assert!(!is_admitted(&*store, &takes[1..]).await, "no more was given back than was taken");
    let full = [bucket("c", 1)];
    store.give_back(&full).await.expect("given back");
    assert!(is_admitted(&*store, &full).await && !is_admitted(&*store, &full).await, "full is full");
}

pub(super) async fn takes_at_once_never_exceed_the_burst(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    // In either order, so that two that wait for each other would show.
    let takes = |n: usize| {
        let mut takes = vec![bucket("a", 5), bucket("b", 50), bucket(&format!("own-{n}"), 1)];
        if n.is_multiple_of(2) {
            takes.reverse();
        }
        takes
    };
    let all: Vec<_> = (0..40).map(takes).collect();
    let admitted = join_all(all.iter().map(|takes| is_admitted(&*store, takes))).await;
    assert_eq!(admitted.into_iter().filter(|admitted| *admitted).count(), 5);
}

pub(super) async fn full_buckets_are_removed_and_others_stay(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let brief = RateLimit::new(1, Duration::from_millis(1)).expect("a limit");
    let brief: Vec<_> = (0..3).map(|n| BucketTake { key: format!("brief-{n}"), limit: brief }).collect();
    assert!(is_admitted(&*store, &brief).await);
    let lasting = [bucket("lasting", 1)];
    assert!(is_admitted(&*store, &lasting).await);
    while store.count_expired(Expired::FullBuckets, 9).await.expect("a count") < 3 {}
    assert_eq!(store.count_expired(Expired::FullBuckets, 2).await.expect("a count"), 2);
    assert_eq!(store.purge(Expired::FullBuckets, 2).await.expect("a slice"), 2);
    assert_eq!(store.purge(Expired::FullBuckets, 9).await.expect("the rest"), 1);
    assert_eq!(store.purge(Expired::FullBuckets, 9).await.expect("nothing"), 0);
    assert!(!is_admitted(&*store, &lasting).await);
}
