//! A store in memory: the readable reference, and the oracle that other stores are compared with.

mod access;
mod commit;
mod deliveries;
mod feed;
mod limits;
mod mailbox;
mod meetings;
mod nodes;
mod outbox;
mod participants;
mod quotas;
mod responses;
mod sessions;
mod slots;
mod statistics;
mod suppressions;
mod sweeps;
mod tasks;
mod tokens;
mod upkeep;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::error::{StoreError, UniqueField};
use crate::ports::{Account, Accounts, Store};
use crate::{
    CapturedMail, Changes, ChannelKind, Credential, DedupeKey, Delivery, DeliveryId, Event, FailedAttempt, FeedEntry,
    IdempotencyKey, JobName, LeaseToken, Ledger, Login, Meeting, MeetingId, NodeId, NoticeKind, Participant,
    ParticipantId, PasswordHash, Quota, QuotaSubject, Rank, Revision, RunId, Session, SessionId, StoredResponse,
    Suppression, Task, TaskId, TaskStatistics, Timestamp, Token, TokenId, TurnGroup, User, UserId,
};

/// A store that keeps everything in memory, under one lock. For tests, examples and benches; nothing outlives it.
/// Clones share their content.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// Its own clock for leases, as a database has one.
    started: Instant,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, User>,
    /// The owner of each username and address, by its key.
    unique: HashMap<(UniqueField, String), UserId>,
    credentials: BTreeMap<UserId, Credential>,
    sessions: BTreeMap<SessionId, Session>,
    tokens: BTreeMap<TokenId, Token>,
    responses: BTreeMap<(UserId, IdempotencyKey), StoredResponse>,
    tasks: BTreeMap<TaskId, Task>,
    meetings: BTreeMap<MeetingId, Meeting>,
    participants: BTreeMap<ParticipantId, Participant>,
    /// The ids of everybody ever invited to a meeting.
    people: BTreeMap<MeetingId, BTreeSet<ParticipantId>>,
    revisions: BTreeMap<(MeetingId, u64), Revision>,
    events: Vec<Event>,
    feeds: BTreeMap<UserId, Vec<FeedEntry>>,
    /// The last sequence of each feed, whatever is left of it.
    heads: BTreeMap<UserId, u64>,
    deliveries: BTreeMap<DeliveryId, Row>,
    by_key: BTreeMap<DedupeKey, DeliveryId>,
    /// Claimed deliveries.
    claimed: BTreeSet<DeliveryId>,
    /// What is scheduled, by channel and rank, in the order of the next try.
    scheduled: BTreeSet<(ChannelKind, Rank, Timestamp, DeliveryId)>,
    /// The turns of what is scheduled and was caused by an account.
    turns: BTreeSet<(TurnGroup, Timestamp, DeliveryId)>,
    suppressions: BTreeMap<String, Suppression>,
    unsubscribed: BTreeSet<(String, NoticeKind)>,
    mailbox: BTreeMap<(Timestamp, DeliveryId), CapturedMail>,
    jobs: BTreeMap<JobName, slots::JobRow>,
    runs: BTreeMap<RunId, slots::RunRow>,
    statistics: BTreeMap<UserId, TaskStatistics>,
    quotas: BTreeMap<(QuotaSubject, Quota), quotas::QuotaRow>,
    /// The totals of deliveries that are no longer kept, by channel.
    purged: BTreeMap<ChannelKind, Ledger>,
    nodes: BTreeMap<NodeId, nodes::NodeRow>,
    /// The time at which each bucket of a rate limit is full again, by the store's own clock.
    limits: HashMap<String, Duration>,
}

/// A delivery as it is kept.
#[derive(Debug)]
struct Row {
    delivery: Delivery,
    rank: Rank,
    /// Its turn and those among whom it has it, if an account caused it.
    turn: Option<(TurnGroup, Timestamp)>,
    lease: Option<Lease>,
    failed: Vec<FailedAttempt>,
}

#[derive(Debug)]
struct Lease {
    token: LeaseToken,
    /// The end of the lease, by the store's own clock.
    until: Duration,
}

impl MemoryStore {
    /// Creates an empty store.
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
        self.state().commit(changes, self.started.elapsed())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError> {
        Ok(self.state().responses.get(&(owner, key.clone())).cloned())
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
        let user = state.users.values().filter(|user| user.deleted_at.is_none()).find(|user| match login {
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
