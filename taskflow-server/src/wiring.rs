//! The one module that names adapters: settings in, a working service out.

mod database;
mod mail;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Accounts, Clock, EventBus, Nodes, Storage, Store, SystemClock};
use taskflow_core::{App, ClockCheck, Heartbeat, Jobs, MemoryStore, StoreError};
use taskflow_mail::{BounceReports, ICalendar, InvalidSettings};
use taskflow_runtime::{
    ClusterMember, HeartbeatConfig, Live, LocalBus, Runtime, RuntimeBuilder, SchedulerPulse, ThrottledOutbox,
};
use taskflow_store_postgres::{PgPulse, PgStore};
use taskflow_store_sqlite::SqliteStore;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::database::{BackupContents, Migration, Restored, backup, migrations, restore, schema, sqlite_version};
use self::database::{open_postgres, open_sqlite, pg_options, refused, reserved_options, sqlite_options};
pub use self::mail::{MailRoute, relay};
use self::mail::{mail_route, sending};
use crate::api::JsonEncoder;
use crate::auth::{
    Authenticator, DeviceTokens, GuessLimits, KnownSessions, Passwords, RevocationBus, RevocationList, SignedLinks,
    Successors, Tokens,
};
use crate::config::{Config, Database};
use crate::disk::Machine;
use crate::limits::RefusedRequests;
use crate::samples::Samples;
use crate::service::{MAX_EVENT_STREAMS, Service};

/// The adapters that the settings ask for, open and up to date, with the use cases on top.
pub struct Opened {
    /// The use cases.
    pub app: Arc<App>,
    /// Bus on which committed events are published.
    pub bus: Arc<dyn EventBus>,
    /// Clock of the service.
    pub clock: Arc<dyn Clock>,
    /// Route that mail takes.
    pub mail: MailRoute,
    /// The time at which the scheduler last looked for jobs.
    pub scheduler: SchedulerPulse,
    config: Arc<Config>,
    revoked: Arc<RevocationList>,
    live: Arc<Live>,
    clock_check: Arc<ClockCheck>,
    samples: Samples,
    refused: Arc<RefusedRequests>,
    storage: Arc<dyn Storage>,
    /// Looks that must not wait in line behind requests.
    nodes: Arc<dyn Nodes>,
    kept: Option<Kept>,
    /// Tells other nodes what is told here.
    told_to_others: Option<Arc<PgPulse>>,
}

/// Time without a write after which the log of SQLite is emptied.
const QUIET: Duration = Duration::from_secs(1);

/// A store that outlives the process.
enum Kept {
    Sqlite(SqliteStore),
    Postgres {
        store: PgStore,
        /// Reads over a connection of its own.
        aside: PgStore,
    },
}

/// The reason why the adapters could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be opened or brought up to date.
    #[error("cannot open the database {0}")]
    Database(String, #[source] StoreError),
    /// The file of a backup cannot be written or used.
    #[error("{0}")]
    Backup(&'static str, #[source] StoreError),
    /// The mail settings cannot work together.
    #[error("cannot prepare to send mail")]
    Mail(#[from] InvalidSettings),
}

impl OpenError {
    /// Returns what is wrong with the database and how to fix it, if that is known.
    #[must_use]
    pub fn explanation(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Database(place, error) if place.starts_with("postgres:") => taskflow_store_postgres::explain(error),
            Self::Database(_, error) | Self::Backup(_, error) => taskflow_store_sqlite::explain(error),
            Self::Mail(_) => None,
        }
    }
}

/// The changes that opening a database may make to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// It is created and migrated.
    Migrate,
    /// It must be there, with the schema of this release.
    Use,
}

/// Opens a database that is there, with the schema of this release, and puts the use cases on top.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open(config: &Arc<Config>) -> Result<Opened, OpenError> {
    open_with(config, Access::Use, Duration::ZERO).await
}

/// Opens the database to serve: creates it and brings its schema up to date, unless `AUTO_MIGRATE` forbids it. A PostgreSQL
/// that is just being started is waited for, and a role that may not write is refused.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open_to_serve(config: &Arc<Config>) -> Result<Opened, OpenError> {
    let access = if config.auto_migrate { Access::Migrate } else { Access::Use };
    let opened = open_with(config, access, config.db_acquire_timeout).await?;
    if let Some(Kept::Postgres { store, .. }) = &opened.kept {
        store.ensure_granted().await.map_err(|error| refused(config, error))?;
    }
    Ok(opened)
}

/// Opens the database, creates it if need be and brings its schema up to date.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open_and_migrate(config: &Arc<Config>) -> Result<Opened, OpenError> {
    open_with(config, Access::Migrate, Duration::ZERO).await
}

async fn open_with(config: &Arc<Config>, access: Access, patience: Duration) -> Result<Opened, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (storage, kept): (Arc<dyn Storage>, _) = match &config.database {
        Database::Memory => (Arc::new(MemoryStore::new()), None),
        Database::Sqlite(path) => {
            let options = sqlite_options(config);
            let store = match access {
                Access::Migrate => open_sqlite(config, path, options).await?,
                Access::Use => {
                    let store = open_sqlite(config, path, options.without_creating().without_migrating()).await?;
                    store.ensure_current().await.map_err(|error| refused(config, error))?;
                    store
                }
            };
            (Arc::new(store.clone()), Some(Kept::Sqlite(store)))
        }
        Database::Postgres(_) => {
            let options = pg_options(config).patience(patience);
            let store = match access {
                Access::Migrate => open_postgres(config, options).await?,
                Access::Use => {
                    let store = open_postgres(config, options.without_migrating()).await?;
                    store.ensure_current().await.map_err(|error| refused(config, error))?;
                    store
                }
            };
            let aside = open_postgres(config, reserved_options(config)).await?;
            (Arc::new(store.clone()), Some(Kept::Postgres { store, aside }))
        }
    };
    let looked_at: Arc<dyn Storage> = match &kept {
        Some(Kept::Postgres { aside, .. }) => Arc::new(aside.clone()),
        Some(Kept::Sqlite(_)) | None => storage.clone(),
    };
    let revoked = Arc::new(RevocationList::new(looked_at.clone(), Arc::clone(&clock), access_lifetime(config)));
    // What other nodes tell goes the same way as what is told here: that sessions have ended is heeded at once.
    let here: Arc<dyn EventBus> = Arc::new(RevocationBus::new(Arc::new(LocalBus::new()), Arc::clone(&revoked)));
    let told_to_others = match &kept {
        Some(Kept::Postgres { store, .. }) => Some(Arc::new(PgPulse::start(store, Arc::clone(&here)))),
        Some(Kept::Sqlite(_)) | None => None,
    };
    let bus = told_to_others.clone().map_or(here, |everywhere| everywhere as Arc<dyn EventBus>);
    let mail = mail_route(config, storage.clone(), Arc::clone(&clock))?;
    let samples = Samples::new(config);
    let mut app = App::builder(Arc::clone(&storage))
        .clock(Arc::clone(&clock))
        .mailer(Arc::clone(&mail.mailer))
        .renderer(samples.renderer())
        .calendar(Arc::new(ICalendar))
        .bounces(Arc::new(BounceReports))
        .bus(Arc::clone(&bus))
        .change_quiet(config.change_quiet)
        .quotas(config.quotas)
        .require_verified_email(config.require_verified_email)
        .service_address(config.mail_from.address.clone())
        .reminder_cooldown(config.reminder_cooldown)
        .session_lifetime(Duration::from_hours(24 * u64::from(config.refresh_token_expire_days)))
        .sending(sending(config))
        .jobs(jobs(config));
    let refused = Arc::new(RefusedRequests::default());
    let data = config.database.file().map(|file| {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).to_owned()
    });
    app = app.probe(Arc::new(Machine { data, refused: Arc::clone(&refused), clock: Arc::clone(&clock) }));
    let clock_check = Arc::new(ClockCheck::new(Arc::clone(&clock), config.max_clock_skew));
    app = app.clock_check(Arc::clone(&clock_check));
    if !config.sending.batch_delay.is_zero() {
        app = app.outbox(Arc::new(ThrottledOutbox::new(storage.clone(), config.sending.batch_delay)));
    }
    if let Some(url) = &config.public_url {
        app = app.public_url(url.as_str()).links(Arc::new(SignedLinks::new(
            url,
            &config.secret_key,
            &config.previous_keys,
        )));
    }
    let app = Arc::new(app.build());
    if matches!(kept, Some(Kept::Postgres { .. })) {
        // Before anything is sent or issued, also by a command. A database that does not answer shows in the heartbeat.
        let _ = clock_check.measure(&*looked_at).await;
    }
    let live = Live::new(Arc::clone(&app), Arc::clone(&bus), revoked.clone(), Arc::new(JsonEncoder));
    Ok(Opened {
        app,
        bus,
        clock,
        mail,
        scheduler: SchedulerPulse::default(),
        config: Arc::clone(config),
        revoked,
        live: Arc::new(live),
        clock_check,
        samples,
        refused,
        storage,
        nodes: looked_at,
        kept,
        told_to_others,
    })
}

impl Opened {
    /// Returns the service that answers requests.
    #[must_use]
    pub fn service(&self) -> Service {
        let config = &self.config;
        Service {
            app: Arc::clone(&self.app),
            auth: Authenticator {
                app: Arc::clone(&self.app),
                accounts: self.accounts(),
                clock: Arc::clone(&self.clock),
                clock_check: Arc::clone(&self.clock_check),
                tokens: Tokens::new(&config.secret_key, &config.previous_keys, access_lifetime(config)),
                successors: Successors::new(&config.secret_key, &config.previous_keys),
                revoked: Arc::clone(&self.revoked),
                known: KnownSessions::new(self.accounts()),
                passwords: passwords(config),
                guesses: GuessLimits::new(self.storage.clone(), &config.limits, &config.secret_key),
                devices: DeviceTokens::new(&config.secret_key, &config.previous_keys),
                reauthenticate_after: config.reauthenticate_after,
            },
            clock: Arc::clone(&self.clock),
            config: Arc::clone(config),
            live: Arc::clone(&self.live),
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            samples: self.samples.clone(),
            scheduler: self.scheduler.clone(),
            refused: Arc::clone(&self.refused),
        }
    }

    /// The store itself, for who reads and writes without a use case.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.storage.clone()
    }

    /// Reads of credentials.
    #[must_use]
    pub fn accounts(&self) -> Arc<dyn Accounts> {
        self.storage.clone()
    }

    /// Returns the loops of this process, not started yet. With `HOLD_MAIL` they send no mail.
    pub fn runtime(&self) -> RuntimeBuilder {
        let runtime = Runtime::builder(Arc::clone(&self.app), Arc::clone(&self.bus))
            .clock(Arc::clone(&self.clock))
            .tick(self.config.job_tick)
            .pulse(self.scheduler.clone())
            .member(self.member())
            .live(Arc::clone(&self.live));
        if self.config.hold_mail { runtime.without_delivery() } else { runtime }
    }

    /// Returns what announces this process to others on the same database, and keeps to its share of the mail rate.
    fn member(&self) -> ClusterMember {
        let config = &self.config;
        let relay = self.mail.relay.clone();
        let mail_rate = if relay.is_some() { config.sending.rate } else { 0.0 };
        let node = Heartbeat {
            id: config.node_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.clock.now(),
            sends_mail: !config.hold_mail,
            mail_rate: None,
            clock_ahead: None,
        };
        let shares = matches!(self.kept, Some(Kept::Postgres { .. })) || mail_rate > 0.0;
        let heartbeat = if shares { HeartbeatConfig::LIVELY } else { HeartbeatConfig::CALM };
        let grant_rate = move |rate, lasting| {
            if let Some(relay) = &relay {
                relay.lend_rate(rate, lasting);
            }
        };
        ClusterMember::new(
            Arc::clone(&self.nodes),
            Arc::clone(&self.clock),
            node,
            heartbeat,
            mail_rate,
            Box::new(grant_rate),
        )
        .with_clock_check(Arc::clone(&self.clock_check))
    }

    /// Keeps a plain copy of a SQLite file near the truth: empties its log once nothing is written for a moment, until
    /// `stop`.
    pub fn checkpoint_when_idle(&self, stop: CancellationToken) {
        let Some(Kept::Sqlite(store)) = &self.kept else { return };
        let store = store.clone();
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(QUIET)).await.is_some() {
                // What is wrong with the store its other callers say.
                if let Err(error) = store.checkpoint_when_idle(QUIET).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the write-ahead log stays as it is");
                }
            }
        });
    }

    /// Tells other nodes what they do not know yet, waits for what the database has under way and closes it.
    pub async fn close(&self) {
        if let Some(pulse) = &self.told_to_others {
            pulse.close().await;
        }
        match &self.kept {
            Some(Kept::Sqlite(store)) => store.close().await,
            Some(Kept::Postgres { store, aside }) => {
                aside.close().await;
                store.close().await;
            }
            None => {}
        }
    }
}

fn access_lifetime(config: &Config) -> Duration {
    Duration::from_mins(config.access_token_expire_minutes.into())
}

/// Returns the password hasher. It hashes as many passwords at once as there are processors, and two on a single
/// processor, so that a slow one does not block the others.
#[must_use]
pub fn passwords(config: &Config) -> Passwords {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let permits = processors.max(2);
    let passwords = Passwords::new(config.password_policy, permits);
    if config.limits.enabled { passwords } else { passwords.first_come_first_served(permits) }
}

/// SQLite has one writer, which a page of a sweep must not keep from requests; PostgreSQL has many.
const LONGEST_COMMIT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

fn jobs(config: &Config) -> Jobs {
    Jobs {
        plans: config.jobs.clone(),
        node: config.node_id.to_string(),
        lease: config.sending.lease,
        longest_commit: match config.database {
            Database::Postgres(_) => LONGEST_COMMIT.1,
            Database::Memory | Database::Sqlite(_) => LONGEST_COMMIT.0,
        },
        admin: config.admin_email.clone(),
        limits: config.monitoring,
        keeping: config.keeping,
        ..Jobs::default()
    }
}
