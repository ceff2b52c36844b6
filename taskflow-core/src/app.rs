//! What people can do: one method per use case, each read → decide → commit.

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
pub use jobs::{Job, JobContext, JobPage, JobUseCases, Jobs, Limits, RetentionPolicy, RunReport, shipped_jobs};
pub use ledger::{DeliveryUseCases, LedgerPage, LedgerQuery, LedgerRow, NewLetter};
pub use linked::{DeadLink, LinkError, LinkUseCases, LinkedDay, LinkedMeeting, LinkedTask, ParticipantsShown};
pub use mail_report::MailUseCases;
pub use meetings::{LinkedInvitation, MeetingUseCases, ParticipantUseCases, Reminded, RepairReport, ReplyTaken};
pub use nodes::{Membership, NodeUseCases, Standing};
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
    Changes, DedupeKey, DeliveryId, EventId, Login, NewDelivery, Node, Notice, NoticeKind, Quotas, Recipient,
    Timestamp, Token, TokenId, User,
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
    ids: Arc<dyn Ids>,
    mailer: Option<Arc<dyn Mailer>>,
    renderer: Arc<dyn Renderer>,
    calendar: Option<Arc<dyn Calendar>>,
    bounces: Option<Arc<dyn Bounces>>,
    links: Option<Arc<dyn Links>>,
    bus: Arc<dyn EventBus>,
    change_quiet: Duration,
    quotas: Quotas,
    public_url: Option<String>,
    sending: Sending,
    notices: Vec<NoticeKind>,
    session_lifetime: Duration,
    draining: AtomicBool,
    nudges: delivery::Nudges,
    /// Channels beside mail.
    channels: Vec<Box<dyn delivery::Lane>>,
    lanes: delivery::LaneStates,
    lines: retry::WriterLines,
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

    /// Begins with the two ports that every application needs. The other ports are added to the builder as needed; a use
    /// case whose port is absent returns [`Error::MissingPort`].
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
                ids: Arc::new(RandomIds::new()),
                mailer: None,
                renderer: Arc::new(PlainRenderer),
                calendar: None,
                bounces: None,
                links: None,
                bus: Arc::new(NoBus),
                change_quiet: Duration::from_mins(1),
                quotas: Quotas::default(),
                public_url: None,
                sending: Sending::default(),
                notices: NoticeKind::ALL.to_vec(),
                session_lifetime: Duration::from_hours(30 * 24),
                draining: AtomicBool::new(false),
                nudges: delivery::Nudges::default(),
                channels: Vec::new(),
                lanes: delivery::LaneStates::default(),
                lines: retry::WriterLines::default(),
            },
        }
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }

    /// Tells who listens what a host has committed in a transaction of its own.
    pub fn published(&self, receipt: CommitReceipt) {
        if receipt.signals().iter().any(|signal| matches!(signal, Signal::Planned)) {
            self.outbox().nudge();
        }
        self.bus.publish(receipt.signals());
    }

    /// Applies changes and tells who listens.
    async fn commit(&self, changes: &Changes) -> Result<(), Error> {
        Ok(self.commit_indexed(changes).await?)
    }

    /// The same for callers that want to know which write failed.
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

    /// The account with an address, by its key and verified or not; none without the port [`Accounts`].
    async fn account_at(&self, key: String) -> Result<Option<User>, StoreError> {
        let Some(accounts) = &self.accounts else { return Ok(None) };
        Ok(accounts.account(&Login::Email(key)).await?.map(|account| account.user))
    }

    /// The token behind a mailed link, whether or not it is good; none without the port [`Accounts`].
    async fn stored_token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        match &self.accounts {
            Some(accounts) => accounts.token(id).await,
            None => Ok(None),
        }
    }

    /// The processes that share the store; none without the port [`Nodes`].
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

impl AppBuilder {
    /// What time it is.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.app.clock = clock;
        self
    }

    /// Where ids come from.
    pub fn ids(mut self, ids: Arc<dyn Ids>) -> Self {
        self.app.ids = ids;
        self
    }

    /// Sets the port for passwords, sessions and tokens.
    pub fn accounts(mut self, accounts: Arc<dyn Accounts>) -> Self {
        self.app.accounts = Some(accounts);
        self
    }

    /// Sets the port that scheduled jobs need.
    pub fn job_store(mut self, job_store: Arc<dyn JobStore>) -> Self {
        self.app.job_store = Some(job_store);
        self
    }

    /// Sets the port by which processes that share a store know each other.
    pub fn nodes(mut self, nodes: Arc<dyn Nodes>) -> Self {
        self.app.nodes = Some(nodes);
        self
    }

    /// Replaces the queue, for hosts that pace or watch it.
    pub fn outbox(mut self, outbox: Arc<dyn Outbox>) -> Self {
        self.app.outbox = outbox;
        self
    }

    /// Sets the port that finds people for summaries and reminders of tasks.
    pub fn sweeps(mut self, sweeps: Arc<dyn CohortScan>) -> Self {
        self.app.cohort_scan = Some(sweeps);
        self
    }

    /// Sets the port for cleanup and statistics.
    pub fn upkeep(mut self, upkeep: Arc<dyn Maintenance>) -> Self {
        self.app.maintenance = Some(upkeep);
        self
    }

    /// What sends mail. Without one, mail waits in the outbox.
    pub fn mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        self.app.mailer = Some(mailer);
        self
    }

    /// What finds the words of mail.
    pub fn renderer(mut self, renderer: Arc<dyn Renderer>) -> Self {
        self.app.renderer = renderer;
        self
    }

    /// What writes calendar entries and reads the answers of calendars. Without it invitations are mail for people only.
    pub fn calendar(mut self, calendar: Arc<dyn Calendar>) -> Self {
        self.app.calendar = Some(calendar);
        self
    }

    /// What reads the reports that come back about mail.
    pub fn bounces(mut self, bounces: Arc<dyn Bounces>) -> Self {
        self.app.bounces = Some(bounces);
        self
    }

    /// What makes links that work without signing in. Without it mail has none.
    pub fn links(mut self, links: Arc<dyn Links>) -> Self {
        self.app.links = Some(links);
        self
    }

    /// How long changes of a meeting wait for another; a minute unless told, at most [`LONGEST`](crate::DebounceWindow::LONGEST).
    pub fn change_quiet(mut self, quiet: Duration) -> Self {
        self.app.change_quiet = quiet;
        self
    }

    /// Who is told what was committed.
    pub fn bus(mut self, bus: Arc<dyn EventBus>) -> Self {
        self.app.bus = bus;
        self
    }

    /// Where the service lives, for links in mail; a slash at the end is dropped.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.app.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// How mail is sent.
    pub fn sending(mut self, sending: Sending) -> Self {
        self.app.sending = sending;
        self
    }

    /// Sets the schedules of the jobs and the settings they run with.
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.app.jobs = jobs;
        self
    }

    /// Registers a job of the host. It follows its default plan unless [`jobs`](Self::jobs) has a plan for it. A job with
    /// the name of one that is registered already takes its place.
    pub fn job(mut self, job: impl Job + 'static) -> Self {
        self.app.own_jobs.retain(|own| own.name() != job.name());
        self.app.own_jobs.push(Box::new(job));
        self
    }

    /// What looks at the machine for monitoring. Without it only the store and the mail are looked after.
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.app.probe = Some(probe);
        self
    }

    /// How long a session lasts without being refreshed; 30 days unless told.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.app.session_lifetime = lifetime;
        self
    }

    /// The finished value.
    #[must_use]
    pub fn build(mut self) -> App {
        let is_shipped = |name| shipped_jobs().iter().any(|shipped| shipped.name() == name);
        for job in self.app.own_jobs.iter().filter(|job| !is_shipped(job.name())) {
            self.app.jobs.plans.entry(job.name()).or_insert_with(|| job.default_plan());
        }
        self.app
    }
}
