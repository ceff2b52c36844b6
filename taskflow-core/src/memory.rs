//! A store in memory: the readable reference, and the oracle that other stores are compared with.

mod commit;
mod meetings;
mod nodes;
mod outbox;
mod slots;
mod sweeps;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::error::{StoreError, UniqueField};
use crate::ports::{Account, Accounts, Lookup, MeetingCursor, Store, Viewer};
use crate::{
    Answer, CapturedMail, Changes, Credential, DedupeKey, Delivery, DeliveryId, EmailAddress, Entity, Event,
    FailedAttempt, FeedEntry, Follower, IdempotencyKey, JobName, LeaseToken, Ledger, Login, Meeting, MeetingId,
    MeetingQuery, NodeId, NoticeKind, Page, Participant, ParticipantId, PasswordHash, Revision, RunId, Session,
    SessionId, Suppression, Task, TaskId, TaskQuery, TaskSort, TaskSortKey, TaskStatistics, TaskStatus, TaskSummary,
    Timestamp, Token, TokenId, User, UserId, fold, search_key,
};

/// Keeps everything in memory, under one lock. For tests, examples and benches; what it keeps ends with it. Clones share
/// what they keep.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// Its own clock for leases, as a database has one.
    started: Instant,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, User>,
    /// Whose a name or an address is, by its key.
    unique: HashMap<(UniqueField, String), UserId>,
    credentials: BTreeMap<UserId, Credential>,
    sessions: BTreeMap<SessionId, Session>,
    tokens: BTreeMap<TokenId, Token>,
    answers: BTreeMap<(UserId, IdempotencyKey), Answer>,
    tasks: BTreeMap<TaskId, Task>,
    meetings: BTreeMap<MeetingId, Meeting>,
    participants: BTreeMap<ParticipantId, Participant>,
    /// Who was ever invited to a meeting.
    people: BTreeMap<MeetingId, BTreeSet<ParticipantId>>,
    revisions: BTreeMap<(MeetingId, u64), Revision>,
    events: Vec<Event>,
    feeds: BTreeMap<UserId, Vec<FeedEntry>>,
    /// The last sequence of each feed, whatever is left of it.
    heads: BTreeMap<UserId, u64>,
    deliveries: BTreeMap<DeliveryId, Row>,
    by_key: BTreeMap<DedupeKey, DeliveryId>,
    /// What is claimed.
    claimed: BTreeSet<DeliveryId>,
    /// What is scheduled, in the order it leaves: priority, next try, id.
    scheduled: BTreeSet<(i16, Timestamp, DeliveryId)>,
    suppressions: BTreeMap<String, Suppression>,
    unsubscribed: BTreeSet<(String, NoticeKind)>,
    mailbox: BTreeMap<(Timestamp, DeliveryId), CapturedMail>,
    jobs: BTreeMap<JobName, slots::JobRow>,
    runs: BTreeMap<RunId, slots::RunRow>,
    statistics: BTreeMap<UserId, TaskStatistics>,
    /// What became of deliveries that are no longer kept.
    purged: Ledger,
    nodes: BTreeMap<NodeId, nodes::NodeRow>,
}

/// A delivery as it is kept.
#[derive(Debug)]
struct Row {
    delivery: Delivery,
    lease: Option<Lease>,
    failed: Vec<FailedAttempt>,
}

#[derive(Debug)]
struct Lease {
    token: LeaseToken,
    /// By the store's own clock.
    until: Duration,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the store's own clock for leases, as a database has one")]
    pub fn new() -> Self {
        Self { state: Arc::default(), started: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every lease lapse now, as if its time had passed. For tests: no port offers this.
    pub fn lapse_leases(&self) {
        let state = &mut *self.state();
        let claims = state.deliveries.values_mut().filter_map(|row| row.lease.as_mut());
        let runs = state.runs.values_mut().filter_map(|row| row.lease.as_mut());
        claims.chain(runs).for_each(|lease| lease.until = Duration::ZERO);
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut state = self.state();
        state.admit(changes)?;
        state.apply(changes, self.started.elapsed());
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.users.get(id)).map(|user| (user.id, Ok(user.clone()))).collect())
    }

    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let later = state.users.values().filter(|user| after.is_none_or(|after| user.id > after));
        Ok(later.take(size as usize).cloned().collect())
    }

    async fn task(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.state().tasks.get(&id).filter(|task| task.user_id == owner).cloned())
    }

    async fn tasks_by_id(&self, ids: &[TaskId], owner: Option<UserId>) -> Result<Lookup<TaskId, Task>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.tasks.get(id));
        let theirs = found.filter(|task| owner.is_none_or(|owner| task.user_id == owner));
        Ok(theirs.map(|task| (task.id, Ok(task.clone()))).collect())
    }

    async fn tasks(&self, owner: UserId, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError> {
        let state = self.state();
        let fits = |task: &&Task| task.user_id == owner && matches(task, query, now);
        let mut found: Vec<&Task> = state.tasks.values().filter(fits).collect();
        found.sort_by(|a, b| in_order(a, b, &query.sort));
        let page = found.iter().skip(query.page.offset() as usize).take(query.page.size() as usize);
        let items = page.map(|task| (*task).clone()).collect();
        Ok(Page { items, total: found.len() as u64, request: query.page })
    }

    async fn task_summary(&self, owner: UserId, now: Timestamp) -> Result<TaskSummary, StoreError> {
        let mut summary = TaskSummary::default();
        let state = self.state();
        for task in state.tasks.values().filter(|task| task.user_id == owner && task.deleted_at.is_none()) {
            summary.total += 1;
            summary.overdue += u64::from(task.is_overdue(now));
            *match task.status {
                TaskStatus::Pending => &mut summary.pending,
                TaskStatus::InProgress => &mut summary.in_progress,
                TaskStatus::Completed => &mut summary.completed,
            } += 1;
        }
        Ok(summary)
    }

    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let keys: BTreeSet<_> = addresses.iter().map(EmailAddress::key).collect();
        let owner = |key| state.unique.get(&(UniqueField::Email, key)).and_then(|id| state.users.get(id));
        Ok(keys.into_iter().filter_map(owner).filter(|user| user.email_verified).cloned().collect())
    }

    async fn meetings_by_id(
        &self,
        ids: &[MeetingId],
        viewer: Viewer,
    ) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.meetings.get(id)).filter(|meeting| state.shows(meeting, viewer));
        Ok(found.map(|meeting| (meeting.id, Ok(meeting.clone()))).collect())
    }

    async fn meetings(
        &self,
        viewer: UserId,
        query: &MeetingQuery,
        now: Timestamp,
    ) -> Result<Page<Meeting>, StoreError> {
        Ok(self.state().meetings_page(viewer, query, now))
    }

    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
        let state = self.state();
        let meetings: BTreeSet<_> = meetings.iter().copied().collect();
        Ok(meetings.into_iter().flat_map(|meeting| state.participants_of(meeting)).cloned().collect())
    }

    async fn participants_by_id(
        &self,
        ids: &[ParticipantId],
    ) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.participants.get(id));
        Ok(found.map(|participant| (participant.id, Ok(participant.clone()))).collect())
    }

    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let found = self.state().guest_meetings(&email.key(), user);
        Ok(found.into_iter().rev().take(limit as usize).collect())
    }

    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
        let state = self.state();
        let newest = |(meeting, version): &(MeetingId, u64)| {
            let (_, revision) = state.revisions.range((*meeting, 0)..=(*meeting, *version)).next_back()?;
            Some(((*meeting, *version), Ok(revision.clone())))
        };
        Ok(wanted.iter().filter_map(newest).collect())
    }

    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = state.meetings.values().filter(|meeting| meeting.is_on()).collect();
        found.retain(|meeting| meeting.starts_at > now && meeting.starts_at <= until);
        found.retain(|meeting| after.is_none_or(|after| (meeting.starts_at, meeting.id) > after));
        found.retain(|meeting| state.misses_a_reminder(meeting, due_after));
        found.sort_by_key(|meeting| (meeting.starts_at, meeting.id));
        Ok(found.into_iter().take(limit as usize).map(|meeting| meeting.id).collect())
    }

    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError> {
        let state = self.state();
        let old = state.meetings.values().filter(|meeting| meeting.tzdb.as_str() < tzdb);
        let old = old.filter(|meeting| meeting.is_on() && meeting.starts_at > now);
        Ok(old.take(limit as usize).map(|meeting| meeting.id).collect())
    }

    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError> {
        let state = self.state();
        let found = addresses.iter().map(EmailAddress::key);
        Ok(found.filter_map(|key| Some((key.clone(), state.suppressions.get(&key)?.clone()))).collect())
    }

    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
        let state = self.state();
        let keys: HashSet<_> = addresses.iter().map(EmailAddress::key).collect();
        Ok(state.unsubscribed.iter().filter(|(key, _)| keys.contains(key)).cloned().collect())
    }

    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let found = self.state().meetings_with_two(&email.key(), user);
        Ok(found.into_iter().rev().take(limit as usize).collect())
    }

    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
        let state = self.state();
        let later = state.suppressions.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(later.take(size as usize).map(|(_, suppression)| suppression.clone()).collect())
    }

    async fn history(&self, entity: Entity) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> =
            self.state().events.iter().filter(|event| event.entity == entity).cloned().collect();
        events.sort_by_key(|event| (event.at, event.id));
        Ok(events)
    }

    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
        let state = self.state();
        let next = |follower: &Follower| {
            let feed = state.feeds.get(&follower.owner).map_or(&[][..], Vec::as_slice);
            let known = feed.partition_point(|entry| entry.seq <= follower.after);
            let next = feed[known..].iter().take(limit as usize);
            next.map(|entry| (follower.owner, entry.clone())).collect::<Vec<_>>()
        };
        Ok(followers.iter().flat_map(next).collect())
    }

    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        let state = self.state();
        Ok(owners.iter().filter_map(|owner| Some((*owner, *state.heads.get(owner)?))).collect())
    }

    async fn answer(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<Answer>, StoreError> {
        Ok(self.state().answers.get(&(owner, key.clone())).cloned())
    }

    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
        Ok(self.state().mailbox.values().rev().take(limit as usize).cloned().collect())
    }

    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
        Ok(self.state().mailbox.values().find(|mail| mail.id == id).cloned())
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let state = self.state();
        let user = state.users.values().find(|user| match login {
            Login::Username(key) => user.username.key() == *key,
            Login::Email(key) => user.email.key() == *key,
        });
        Ok(user.map(|user| Account {
            user: user.clone(),
            password: state.credentials.get(&user.id).map(|credential| credential.password.clone()),
        }))
    }

    async fn password(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        Ok(self.state().credentials.get(&user).map(|credential| credential.password.clone()))
    }

    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        Ok(self.state().tokens.get(&id).cloned())
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.state().sessions.get(&id).cloned())
    }

    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let state = self.state();
        let open = state.sessions.values().filter(|session| session.user_id == user && session.is_open(now));
        let mut open: Vec<Session> = open.cloned().collect();
        open.sort_by_key(|session| std::cmp::Reverse((session.used_at, session.id)));
        Ok(open)
    }

    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        let state = self.state();
        let ended = state.sessions.values().filter(|session| session.ended_at.is_some_and(|at| at >= since));
        Ok(ended.map(|session| session.id).collect())
    }
}

fn matches(task: &Task, query: &TaskQuery, now: Timestamp) -> bool {
    let text = || {
        let description = task.description.as_ref().map_or("", |text| text.as_str());
        format!("{}\n{}", search_key(task.title.as_str()), search_key(description))
    };
    task.deleted_at.is_some() == query.trash
        && (query.status.is_empty() || query.status.contains(&task.status))
        && (query.priority.is_empty() || query.priority.contains(&task.priority))
        && query.due_before.is_none_or(|before| task.due_at.is_some_and(|at| at < before))
        && query.due_after.is_none_or(|after| task.due_at.is_some_and(|at| at >= after))
        && query.whole_day.is_none_or(|whole_day| task.due_on.is_some() == whole_day)
        && query.overdue.is_none_or(|overdue| task.is_overdue(now) == overdue)
        && (query.words.is_empty() || {
            let text = text();
            query.words.iter().all(|word| text.contains(word.as_str()))
        })
}

fn in_order(a: &Task, b: &Task, sort: &[TaskSort]) -> std::cmp::Ordering {
    let newest_first = [TaskSort { by: TaskSortKey::CreatedAt, descending: true }];
    let sort = if sort.is_empty() { &newest_first[..] } else { sort };
    let by = |TaskSort { by, descending }: &TaskSort| {
        let order = match by {
            TaskSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
            TaskSortKey::UpdatedAt => a.updated_at.cmp(&b.updated_at),
            TaskSortKey::Priority => a.priority.cmp(&b.priority),
            TaskSortKey::Status => a.status.cmp(&b.status),
            TaskSortKey::Title => fold(a.title.as_str()).cmp(&fold(b.title.as_str())),
            // Without a due time last, in either direction.
            TaskSortKey::DueAt => match (a.due_at, b.due_at) {
                (Some(a), Some(b)) => a.cmp(&b),
                (a, b) => return b.is_some().cmp(&a.is_some()),
            },
        };
        if *descending { order.reverse() } else { order }
    };
    sort.iter().map(by).find(|order| order.is_ne()).unwrap_or_else(|| b.id.cmp(&a.id))
}
