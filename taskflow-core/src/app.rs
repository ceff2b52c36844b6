//! Use cases of the application: one method per use case; each reads, decides and commits.

/// Defines the use cases of one noun: a handle to the [`App`], and the method of the app that returns it.
macro_rules! use_cases {
    ($(#[$about:meta])* $handle:ident, $(#[$returns:meta])* $noun:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub struct $handle<'a> {
            pub(in crate::app) app: &'a $crate::App,
        }

        impl $crate::App {
            $(#[$returns])*
            #[must_use]
            pub fn $noun(&self) -> $handle<'_> {
                $handle { app: self }
            }
        }
    };
}

mod builder;
mod deletion;
mod delivery;
mod feed;
mod holds;
mod idempotency;
mod jobs;
mod ledger;
mod linked;
mod mail_report;
mod mailbox;
mod meetings;
mod nodes;
mod notices;
mod preferences;
mod quotas;
mod retry;
mod sessions;
mod statistics;
mod suppressions;
mod tasks;
mod users;
mod verification;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use delivery::{
    Channel, ChannelBatch, DeliveryReport, DueNotice, FollowUp, OutboxUseCases, PreparedBatch, RelayTrouble, SendError,
    Sending,
};
pub use feed::FeedUseCases;
pub use jobs::{
    Job, JobContext, JobPage, JobUseCases, Jobs, Limits, MonitoringReport, RetentionPolicy, RunReport, shipped_jobs,
};
pub use ledger::{BulkReport, DeliveryFilter, DeliveryUseCases, LedgerPage, LedgerQuery, LedgerRow, NewCustomEmail};
pub use linked::{DeadLink, LinkError, LinkUseCases, LinkedDay, LinkedMeeting, LinkedTask, ParticipantsShown};
pub use mail_report::MailUseCases;
pub use meetings::{LinkedInvitation, MeetingUseCases, ParticipantUseCases, Reminded, RepairReport, ReplyTaken};
pub use nodes::{Membership, MembershipStatus, NodeUseCases};
pub use preferences::Subscription;
pub use sessions::SessionUseCases;
pub use statistics::StatisticsUseCases;
pub use suppressions::SuppressionUseCases;
pub use tasks::{Bulk, BulkResults, TaskOperation, TaskUseCases};
pub use users::AccountUseCases;

use crate::error::{Error, StoreError};

use crate::ports::{
    Accounts, Bounces, Calendar, Clock, CohortScan, CommitReceipt, EventBus, Ids, JobStore, Links, Mailer, Maintenance,
    NoBus, Nodes, Outbox, PlainRenderer, Probe, RandomIds, Renderer, Signal, Storage, Store, SystemClock,
};
use crate::{
    Changes, ClockCheck, DedupeKey, DeliveryId, EmailAddress, EventId, Login, NewDelivery, Node, Notice, NoticeKind,
    Quotas, Recipient, Timestamp, Token, TokenId, User,
};

/// TaskFlow itself: the use cases over whatever adapters it was built with. Share it in an [`Arc`].
pub struct App {
    store: Arc<dyn Store>,
    outbox: Arc<dyn Outbox>,
    accounts: Option<Arc<dyn Accounts>>,
    job_store: Option<Arc<dyn JobStore>>,
    cohort_scan: Option<Arc<dyn CohortScan>>,
    maintenance: Option<Arc<dyn Maintenance>>,
    nodes: Option<Arc<dyn Nodes>>,
    probe: Option<Arc<dyn Probe>>,
    jobs: Jobs,
    own_jobs: Vec<Box<dyn Job>>,
    known_cohorts: jobs::KnownCohorts,
    clock: Arc<dyn Clock>,
    clock_check: Option<Arc<ClockCheck>>,
    ids: Arc<dyn Ids>,
    mailer: Option<Arc<dyn Mailer>>,
    renderer: Arc<dyn Renderer>,
    calendar: Option<Arc<dyn Calendar>>,
    bounces: Option<Arc<dyn Bounces>>,
    links: Option<Arc<dyn Links>>,
    bus: Arc<dyn EventBus>,
    change_quiet: Duration,
    quotas: Quotas,
    require_verified_email: bool,
    service_address: Option<EmailAddress>,
    reminder_cooldown: Duration,
    public_url: Option<String>,
    sending: Sending,
    notices: Vec<NoticeKind>,
    session_lifetime: Duration,
    draining: AtomicBool,
    nudges: delivery::Nudges,
    /// Channels beside mail.
    channels: Vec<Box<dyn delivery::Lane>>,
    lanes: delivery::LaneStates,
    queues: retry::WriterQueues,
}

/// Puts an [`App`] together.
#[must_use]
pub struct AppBuilder {
    app: App,
}

impl App {
    /// Begins with a complete store, such as the shipped ones: it is every port that keeps something. The clock is the
    /// system's, mail is plain text, and there is neither a mailer nor a bus until the builder gets one.
    pub fn builder(storage: Arc<dyn Storage>) -> AppBuilder {
        Self::embed(storage.clone(), storage.clone())
            .accounts(storage.clone())
            .job_store(storage.clone())
            .sweeps(storage.clone())
            .upkeep(storage.clone())
            .nodes(storage)
    }

    /// Starts with the two ports that every application needs. The other ports are added to the builder as needed; a
    /// use case whose port is absent returns [`Error::MissingPort`].
    ///
    /// | port | needed for |
    /// |---|---|
    /// | [`Accounts`] | passwords, sessions, links that verify an address |
    /// | [`CohortScan`] | daily summaries and task reminders, the page of a day behind a link |
    /// | [`JobStore`] | scheduled jobs |
    /// | [`Maintenance`] | cleanup and statistics |
    /// | [`Nodes`] | several processes that share one store |
    pub fn embed(store: Arc<dyn Store>, outbox: Arc<dyn Outbox>) -> AppBuilder {
        AppBuilder {
            app: App {
                store,
                outbox,
                accounts: None,
                job_store: None,
                cohort_scan: None,
                maintenance: None,
                nodes: None,
                probe: None,
                jobs: Jobs::default(),
                own_jobs: Vec::new(),
                known_cohorts: jobs::KnownCohorts::default(),
                clock: Arc::new(SystemClock::new()),
                clock_check: None,
                ids: Arc::new(RandomIds::new()),
                mailer: None,
                renderer: Arc::new(PlainRenderer),
                calendar: None,
                bounces: None,
                links: None,
                bus: Arc::new(NoBus),
                change_quiet: Duration::from_mins(1),
                quotas: Quotas::default(),
                require_verified_email: false,
                service_address: None,
                reminder_cooldown: Duration::ZERO,
                public_url: None,
                sending: Sending::default(),
                notices: NoticeKind::ALL.to_vec(),
                session_lifetime: Duration::from_hours(30 * 24),
                draining: AtomicBool::new(false),
                nudges: delivery::Nudges::default(),
                channels: Vec::new(),
                lanes: delivery::LaneStates::default(),
                queues: retry::WriterQueues::default(),
            },
        }
    }

    /// Checks that the store responds and can be written.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }

    /// Fails with [`Error::WrongClock`] while the clock of this process is wrong. Ask it before anything that depends on the
    /// time, such as a token.
    pub fn ensure_clock(&self) -> Result<(), Error> {
        if self.clock_is_right() { Ok(()) } else { Err(Error::WrongClock) }
    }

    fn clock_is_right(&self) -> bool {
        self.clock_check.as_ref().is_none_or(|check| check.is_right())
    }

    /// The time, also while the clock of this process is wrong, for what has to go on then.
    fn checked_now(&self) -> Timestamp {
        self.clock_check.as_ref().map_or_else(|| self.clock.now(), |check| check.now())
    }

    /// Tells who listens what a host has committed in a transaction of its own.
    pub fn published(&self, receipt: CommitReceipt) {
        let now = self.clock.now();
        if receipt.signals().iter().any(|signal| matches!(signal, Signal::Planned { earliest } if *earliest <= now)) {
            self.outbox().nudge();
        }
        self.bus.publish(receipt.signals());
    }

    /// Applies changes and publishes them to listeners.
    async fn commit(&self, changes: &Changes) -> Result<(), Error> {
        Ok(self.commit_indexed(changes).await?)
    }

    /// Does the same for callers that need to know which write failed.
    async fn commit_indexed(&self, changes: &Changes) -> Result<(), StoreError> {
        if !changes.is_empty() {
            self.store.commit(changes).await?;
            self.published(CommitReceipt::new(changes));
        }
        Ok(())
    }

    fn accounts_port(&self) -> Result<&dyn Accounts, Error> {
        self.accounts.as_deref().ok_or(Error::MissingPort("Accounts"))
    }

    fn job_store_port(&self) -> Result<&dyn JobStore, Error> {
        self.job_store.as_deref().ok_or(Error::MissingPort("JobStore"))
    }

    fn cohort_scan_port(&self) -> Result<&dyn CohortScan, Error> {
        self.cohort_scan.as_deref().ok_or(Error::MissingPort("CohortScan"))
    }

    fn maintenance_port(&self) -> Result<&dyn Maintenance, Error> {
        self.maintenance.as_deref().ok_or(Error::MissingPort("Maintenance"))
    }

    /// Returns the account with an address, by its key and verified or not. `None` without the port [`Accounts`].
    async fn account_at(&self, key: String) -> Result<Option<User>, StoreError> {
        let Some(accounts) = &self.accounts else { return Ok(None) };
        Ok(accounts.account(&Login::Email(key)).await?.map(|account| account.user))
    }

    /// Returns the token behind a mailed link, even if it is no longer valid. `None` without the port [`Accounts`].
    async fn stored_token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        match &self.accounts {
            Some(accounts) => accounts.token(id).await,
            None => Ok(None),
        }
    }

    /// Returns the processes that share the store. Empty without the port [`Nodes`].
    async fn known_nodes(&self) -> Result<Vec<Node>, StoreError> {
        match &self.nodes {
            Some(nodes) => nodes.nodes().await,
            None => Ok(Vec::new()),
        }
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn event_id(&self, now: Timestamp) -> EventId {
        EventId::from_uuid(self.ids.next(now))
    }

    fn new_delivery(&self, key: DedupeKey, notice: Notice, recipient: Recipient, now: Timestamp) -> NewDelivery {
        NewDelivery::new(DeliveryId::from_uuid(self.ids.next(now)), key, notice, recipient, now)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("public_url", &self.public_url)
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}
