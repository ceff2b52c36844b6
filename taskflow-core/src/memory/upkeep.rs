use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{CountedPage, CountedPerson, Expired, Maintenance, TaskTally};
use crate::{
    Delivery, DeliveryId, DeliveryState, Entity, MailTally, MeetingId, RunId, Scope, Task, TaskCounts, TaskId,
    TaskStatistics, TaskStatus, Timestamp, Trigger, UserId,
};

impl State {
    fn completed_before(&self, before: Timestamp) -> Vec<&Task> {
        let old = |task: &&Task| task.deleted_at.is_none() && task.completed_at.is_some_and(|at| at < before);
        let mut found: Vec<_> = self.tasks.values().filter(old).collect();
        found.sort_by_key(|task| (task.completed_at, task.id));
        found
    }

    /// Counts expired rows up to a limit, and removes them if `remove` is set. `now` is by the store's own clock.
    fn purge(&mut self, expired: Expired, now: Duration, limit: usize, remove: bool) -> u64 {
        let count = match expired {
            Expired::TrashedTasks(before) => {
                let old = self.tasks.values().filter(|task| task.deleted_at.is_some_and(|at| at < before));
                let ids: Vec<TaskId> = old.map(|task| task.id).take(limit).collect();
                if remove {
                    let gone: HashSet<_> = ids.iter().map(|id| Entity::Task(*id)).collect();
                    self.tasks.retain(|id, _| !ids.contains(id));
                    self.events.retain(|event| !gone.contains(&event.entity));
                }
                ids.len()
            }
            Expired::CancelledMeetings(before) => {
                let old = self.meetings.values().filter(|row| row.cancelled_at.is_some_and(|at| at < before));
                let ids: Vec<MeetingId> = old.map(|row| row.id).take(limit).collect();
                if remove {
                    ids.iter().for_each(|id| self.forget_meeting(*id));
                }
                ids.len()
            }
            Expired::Deliveries(before) => {
                let old = self.deliveries.values().filter(|row| row.delivery.settled_at.is_some_and(|at| at < before));
                let old = old.filter(|row| !is_kept_until_due(&row.delivery, before));
                let ids: Vec<_> = old.map(|row| row.delivery.id).take(limit).collect();
                let gone: Vec<_> = if remove { ids.clone() } else { Vec::new() };
                for row in gone.iter().filter_map(|id| self.deliveries.remove(id)) {
                    self.by_key.remove(&row.delivery.dedupe_key);
                    self.purged.entry(row.delivery.channel).or_default().count(row.delivery.state, 1);
                }
                ids.len()
            }
            Expired::Feed(before) => {
                let mut left = limit;
                for feed in self.feeds.values_mut() {
                    // From its beginning only, so that what is left has no gap.
                    let old = feed.iter().take_while(|entry| entry.event.at < before).count().min(left);
                    left -= old;
                    if remove {
                        feed.drain(..old);
                    }
                }
                limit - left
            }
            Expired::Sessions(before) => {
                let over = self
                    .sessions
                    .values()
                    .filter(|row| row.expires_at < before || row.ended_at.is_some_and(|at| at < before));
                let ids: Vec<_> = over.map(|row| row.id).take(limit).collect();
                if remove {
                    self.sessions.retain(|id, _| !ids.contains(id));
                }
                ids.len()
            }
            Expired::Tokens(before) => {
                let over = self
                    .tokens
                    .values()
                    .filter(|row| row.expires_at < before || row.used_at.is_some_and(|at| at < before));
                let ids: Vec<_> = over.map(|row| row.id).take(limit).collect();
                if remove {
                    self.tokens.retain(|id, _| !ids.contains(id));
                }
                ids.len()
            }
            Expired::Answers(before) => {
                let over = self.responses.iter().filter(|(_, row)| row.created_at < before);
                let keys: Vec<_> = over.map(|(key, _)| key.clone()).take(limit).collect();
                if remove {
                    self.responses.retain(|key, _| !keys.contains(key));
                }
                keys.len()
            }
            Expired::Runs(before) => {
                let over = self.runs.values().filter(|row| row.run.finished_at.is_some_and(|at| at < before));
                let ids: Vec<RunId> =
                    over.filter(|row| !self.is_last_run(row.run.id)).map(|row| row.run.id).take(limit).collect();
                if remove {
                    self.runs.retain(|id, _| !ids.contains(id));
                }
                ids.len()
            }
            Expired::FullBuckets => self.purge_limits(now, limit, remove),
        };
        count as u64
    }

    fn forget_meeting(&mut self, id: MeetingId) {
        self.meetings.remove(&id);
        for participant in self.people.remove(&id).into_iter().flatten() {
            self.participants.remove(&participant);
        }
        self.revisions.retain(|(meeting, _), _| *meeting != id);
        self.events.retain(|event| event.entity != Entity::Meeting(id));
    }

    /// Returns whether it is the last scheduled run of its job.
    fn is_last_run(&self, id: RunId) -> bool {
        let Some(job) = self.runs.get(&id).map(|row| row.run.job) else { return false };
        let scheduled = self.runs.values().filter(|row| row.run.job == job && row.run.trigger == Trigger::Schedule);
        scheduled.map(|row| row.run.id).next_back() == Some(id)
    }

    fn task_counts(&self, owner: UserId, now: Timestamp) -> TaskCounts {
        let mut counts = TaskCounts::default();
        for task in self.tasks.values().filter(|task| task.user_id == owner && task.deleted_at.is_none()) {
            counts.total += 1;
            counts.overdue += u64::from(task.is_overdue(now));
            *match task.status {
                TaskStatus::Pending => &mut counts.pending,
                TaskStatus::InProgress => &mut counts.in_progress,
                TaskStatus::Completed => &mut counts.completed,
            } += 1;
            counts.lead_seconds += task.completed_at.map_or(0, |at| at.since(task.created_at).as_secs());
        }
        counts
    }
}

#[async_trait]
impl Maintenance for MemoryStore {
    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError> {
        Ok(self.state().completed_before(before).into_iter().take(limit as usize).cloned().collect())
    }

    async fn count_completed_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        Ok(self.state().completed_before(before).len().min(limit as usize) as u64)
    }

    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        Ok(self.state().purge(expired, self.started.elapsed(), limit as usize, true))
    }

    async fn count_expired(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        Ok(self.state().purge(expired, self.started.elapsed(), limit as usize, false))
    }

    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let state = self.state();
        let feeds = state.feeds.iter().filter(|(owner, _)| after.is_none_or(|after| **owner > after));
        let changed = feeds.filter(|(_, feed)| feed.iter().any(|entry| entry.event.at >= since));
        Ok(changed.map(|(owner, _)| *owner).take(size as usize).collect())
    }

    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError> {
        let state = self.state();
        Ok(owners.iter().map(|owner| state.task_counts(*owner, now)).collect())
    }

    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let state = self.state();
        let done = state.tasks.values().filter(|task| owners.contains(&task.user_id));
        let done = done.filter_map(|task| Some((task.user_id, task.completed_at?)));
        Ok(done.filter(|(_, at)| *at >= since).collect())
    }

    async fn statistics(&self, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
        Ok(self.state().statistics.get(&scope.owner()).cloned())
    }

    async fn counted_people(&self, after: Option<UserId>, size: u32) -> Result<Vec<CountedPerson>, StoreError> {
        let state = self.state();
        let tasks = |id: &UserId| {
            let counted = state.statistics.get(id)?;
            Some(TaskTally { total: counted.counts.total, completed: counted.counts.completed })
        };
        let people = page(state.users.iter(), after, size);
        let counted =
            people.map(|(id, user)| CountedPerson { user_id: *id, is_active: user.is_active, tasks: tasks(id) });
        Ok(counted.collect())
    }

    async fn count_meetings(&self, after: Option<MeetingId>, size: u32) -> Result<CountedPage<MeetingId>, StoreError> {
        let state = self.state();
        let seen: Vec<_> = page(state.meetings.iter(), after, size).collect();
        let count = seen.iter().filter(|(_, meeting)| meeting.cancelled_at.is_none()).count() as u64;
        Ok(CountedPage { count, next: last(&seen, size) })
    }

    async fn count_deliveries(
        &self,
        after: Option<DeliveryId>,
        size: u32,
    ) -> Result<CountedPage<DeliveryId>, StoreError> {
        let state = self.state();
        let seen: Vec<_> = page(state.deliveries.iter(), after, size).collect();
        Ok(CountedPage { count: seen.len() as u64, next: last(&seen, size) })
    }

    async fn count_purged_deliveries(&self) -> Result<u64, StoreError> {
        Ok(self.state().purged.values().map(|ledger| ledger.planned).sum())
    }

    async fn recent_mail(&self, since: Option<Timestamp>, limit: u32) -> Result<MailTally, StoreError> {
        let state = self.state();
        let settled = state.deliveries.values().map(|row| &row.delivery).filter(|one| one.settled_at >= since);
        let mut settled: Vec<_> = settled.filter(|one| one.settled_at.is_some()).collect();
        settled.sort_by_key(|one| std::cmp::Reverse((one.settled_at, one.id)));
        let mut tally = MailTally::default();
        for one in settled.into_iter().take(limit as usize) {
            match one.state {
                DeliveryState::Delivered => tally.delivered += 1,
                DeliveryState::Discarded => tally.discarded += 1,
                DeliveryState::Expired if was_late(one) => tally.expired += 1,
                _ => {}
            }
        }
        Ok(tally)
    }
}

/// Returns whether an expired delivery was not sent in time.
fn was_late(delivery: &Delivery) -> bool {
    const MINUTE: Duration = Duration::from_mins(1);
    let tried_at = delivery.next_at;
    delivery.last_error.is_some() || delivery.settled_at.is_some_and(|at| at.since(tried_at) > MINUTE)
}

/// Returns whether a cancelled delivery stays, because without its key it would be planned again.
fn is_kept_until_due(delivery: &Delivery, before: Timestamp) -> bool {
    let is_cancelled = delivery.state == DeliveryState::Cancelled;
    is_cancelled && delivery.kind.is_kept_until_due() && delivery.due_at >= before
}

/// Returns up to `size` rows after `after` by id.
fn page<'a, Id: Ord + 'a, Row: 'a>(
    rows: impl Iterator<Item = (&'a Id, &'a Row)>,
    after: Option<Id>,
    size: u32,
) -> impl Iterator<Item = (&'a Id, &'a Row)> {
    rows.filter(move |(id, _)| after.as_ref().is_none_or(|after| *id > after)).take(size as usize)
}

/// Returns the last row of a full page.
fn last<Id: Copy, Row>(seen: &[(&Id, &Row)], size: u32) -> Option<Id> {
    seen.last().filter(|_| seen.len() == size as usize).map(|(id, _)| **id)
}
