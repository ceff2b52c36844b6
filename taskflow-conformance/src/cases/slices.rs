//! Expired data is purged in slices that are small enough to keep nobody waiting.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{CountedPage, CountedPerson, Expired, Maintenance, Storage};
use taskflow_core::{
    Actor, App, Changes, DeliveryId, JobName, Jobs, MailTally, MeetingId, RESPONSE_LIFETIME, ResponseWrite, Scope,
    StoreError, StoredResponse, Task, TaskCounts, TaskStatistics, Timestamp, UserId,
};

use super::app::World;
use super::jobs::{only, tick};
use crate::sample::{noon, user_id, users};
use crate::{ManualClock, OpenStore, RecordingMailer};

/// Hands everything on to a store, and turns a clock by what removing a row takes.
struct Slow {
    storage: Arc<dyn Storage>,
    clock: Arc<ManualClock>,
    /// The slices of answers that were asked for.
    slices: Mutex<Vec<u32>>,
}

impl Slow {
    fn slices(&self) -> MutexGuard<'_, Vec<u32>> {
        self.slices.lock().expect("nobody panicked")
    }

    /// For four slices the database is well, for four it is busy, and then it has nothing else to do.
    fn cost_of_a_row(&self) -> Duration {
        Duration::from_micros(match self.slices().len() {
            0..=4 => 100,
            5..=8 => 500,
            _ => 10,
        })
    }
}

#[async_trait]
impl Maintenance for Slow {
    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        let removed = self.storage.purge(expired, limit).await?;
        if matches!(expired, Expired::Answers(_)) {
            self.slices().push(limit);
            let rows = u32::try_from(removed).expect("a slice");
            self.clock.advance(self.cost_of_a_row() * rows);
        }
        Ok(removed)
    }

    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError> {
        self.storage.tasks_completed_before(before, limit).await
    }

    async fn count_completed_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.storage.count_completed_before(before, limit).await
    }

    async fn count_expired(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        self.storage.count_expired(expired, limit).await
    }

    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        self.storage.changed_since(since, after, size).await
    }

    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError> {
        self.storage.task_counts(owners, now).await
    }

    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        self.storage.completions(owners, since).await
    }

    async fn statistics(&self, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
        self.storage.statistics(scope).await
    }

    async fn counted_people(&self, after: Option<UserId>, size: u32) -> Result<Vec<CountedPerson>, StoreError> {
        self.storage.counted_people(after, size).await
    }

    async fn count_meetings(&self, after: Option<MeetingId>, size: u32) -> Result<CountedPage<MeetingId>, StoreError> {
        self.storage.count_meetings(after, size).await
    }

    async fn count_deliveries(
        &self,
        after: Option<DeliveryId>,
        size: u32,
    ) -> Result<CountedPage<DeliveryId>, StoreError> {
        self.storage.count_deliveries(after, size).await
    }

    async fn count_purged_deliveries(&self) -> Result<u64, StoreError> {
        self.storage.count_purged_deliveries().await
    }

    async fn recent_mail(&self, since: Option<Timestamp>, limit: u32) -> Result<MailTally, StoreError> {
        self.storage.recent_mail(since, limit).await
    }
}

pub(super) async fn slices_shrink_while_the_store_is_slow_and_grow_again(open: Arc<dyn OpenStore>) {
    let (clock, mailer, storage) =
        (Arc::new(ManualClock::at(noon())), Arc::new(RecordingMailer::new()), open.storage());
    let slow = Arc::new(Slow { storage: storage.clone(), clock: clock.clone(), slices: Mutex::default() });
    let jobs = Jobs { longest_commit: Duration::from_millis(10), page: 1_000, ..only(&[]) };
    let app = App::builder(storage.clone()).clock(clock.clone()).mailer(mailer.clone()).jobs(jobs).upkeep(slow.clone());
    let world = World { app: app.build(), clock, mailer, storage };
    let answers = (0..700).map(|n| {
        let key = format!("key-{n}").parse().expect("a key");
        let (fingerprint, body) = ("hash".to_owned(), "{}".to_owned());
        ResponseWrite::Store(StoredResponse { owner: user_id(1), key, fingerprint, body, created_at: noon() })
    });
    world.storage.commit(&users([1])).await.expect("a user");
    world.storage.commit(&answers.fold(Changes::new(), Changes::write)).await.expect("answers");

    let late = noon() + RESPONSE_LIFETIME + Duration::from_secs(1);
    world.clock.set(late);
    world.app.jobs().request_run(Actor::System, JobName::DATA_CLEANUP, None, false).await.expect("asked for");
    let runs = tick(&world, late).await;
    assert_eq!((runs.len(), runs[0].counts.get("answers_purged")), (1, 700), "{runs:?}");
    let slices = [20, 40, 80, 80, 80, 40, 20, 20, 20, 40, 80, 160, 320, 640];
    assert_eq!(*slow.slices(), slices, "each kind begins small, and none of its slices takes longer twice");
}
