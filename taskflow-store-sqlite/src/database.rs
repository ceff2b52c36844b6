//! The database behind a store: its connections, the file they belong to, and what becomes of them when another file takes
//! its place.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqlitePool};
use taskflow_core::StoreError;
use tokio::time::Instant;

use crate::error::{SqliteStoreError, cannot_be_written, store_error};
use crate::options::{SqliteOptions, create_file, pool, writer};
use crate::schema;
use crate::store::transact;
use crate::{deliveries, refold};

/// The connections to one file, to memory, or those of a host.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    /// One more connection that reads, for what must not wait behind requests.
    pub(crate) reserved: SqlitePool,
    /// The file they belong to; `None`: memory, or a host's.
    file: Option<Identity>,
    /// Its write-ahead log.
    log: Option<Identity>,
}

/// See the module.
pub(crate) struct Database {
    connections: RwLock<Connections>,
    /// `None`: memory, or a host's.
    file: Option<DataFile>,
    activity: Mutex<Activity>,
    /// Held by whoever opens the file anew; holds when that was tried last.
    opening: tokio::sync::Mutex<Option<Instant>>,
    is_missing: AtomicBool,
    is_closed: AtomicBool,
}

/// The location of a database, and the options it is opened with.
struct DataFile {
    path: PathBuf,
    target: SqliteConnectOptions,
    options: SqliteOptions,
}

/// The outcome of recent writes, with their times.
#[derive(Debug, Default)]
struct Activity {
    last_commit: Option<Instant>,
    /// The time at which the database was last found not to be writable; `None` after the next commit.
    unwritable: Option<Instant>,
    /// The log as it was seen last, and when it was first seen like that.
    log: Option<(LogState, Instant)>,
    /// The log of which everything is in the file.
    moved: Option<LogState>,
}

/// The last modification time and the length of a log. Both are needed: other processes write the log as well, and a
/// write that changes nothing leaves it as it is.
type LogState = (std::time::SystemTime, u64);

/// Time for which a commit proves that the database is writable.
const SHOWS_FOR: Duration = Duration::from_secs(5);
/// Time for which a failure counts as proof that the database is not writable.
const FAILS_FOR: Duration = Duration::from_secs(10);
/// From one try to open a file anew to the next.
const PAUSE: Duration = Duration::from_millis(200);

impl Database {
    /// Opens a file, and makes what is missing if the options allow it.
    pub(crate) async fn open(target: SqliteConnectOptions, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = target.get_filename().to_owned();
        if options.creates {
            create_file(&path)?;
        } else if !path.exists() {
            return Err(SqliteStoreError::Missing(path).into());
        }
        let target = target.busy_timeout(options.busy_timeout).foreign_keys(true);
        let file = DataFile { path, target, options };
        let connections = file.connect().await?;
        if file.options.migrates {
            migrate(&connections.writer).await?;
        }
        let log = Identity::of(&file.log());
        Ok(Self::new(Connections { log, ..connections }, Some(file)))
    }

    /// The database of these connections, whatever it is.
    pub(crate) fn of(pool: SqlitePool) -> Self {
        let (writer, reserved) = (pool.clone(), pool.clone());
        Self::new(Connections { writer, reader: pool, reserved, file: None, log: None }, None)
    }

    fn new(connections: Connections, file: Option<DataFile>) -> Self {
        Self {
            connections: RwLock::new(connections),
            file,
            activity: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            is_missing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The connections, if the file they belong to is still the one that its path names. If not, the other one is opened
    /// in the background.
    pub(crate) fn connections(self: &Arc<Self>) -> Result<Connections, StoreError> {
        let current = self.current();
        let Some(wrong) = self.wrong(&current) else { return Ok(current) };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let this = Arc::clone(self);
            runtime.spawn(async move { this.open_anew().await });
        }
        Err(wrong.into())
    }

    /// Returns the reason why these connections must not be used, if there is one.
    fn wrong(&self, current: &Connections) -> Option<SqliteStoreError> {
        let file = self.file.as_ref().filter(|_| !self.is_closed.load(Ordering::Relaxed))?;
        match Identity::of(&file.path) {
            None => Some(SqliteStoreError::Missing(file.path.clone())),
            found if found == current.file && !current.writer.is_closed() => None,
            Some(_) => Some(SqliteStoreError::Replaced(file.path.clone())),
        }
    }

    /// Takes note of a write. What was written to a file that is no longer there was not written.
    pub(crate) fn written<T>(&self, to: &Connections, result: &Result<T, StoreError>) -> Result<(), StoreError> {
        if let Err(error) = result
            && cannot_be_written(error)
        {
            self.activity().unwritable = Some(Instant::now());
        }
        match (result, self.wrong(to)) {
            (Ok(_), Some(wrong)) => Err(wrong.into()),
            _ => Ok(()),
        }
    }

    /// Takes note of a commit.
    pub(crate) fn committed(&self) {
        let mut activity = self.activity();
        activity.last_commit = Some(Instant::now());
        activity.unwritable = None;
    }

    /// Returns whether the database is known to be writable: `true` after a recent write, `false` when it is unknown.
    ///
    /// # Errors
    ///
    /// `Unavailable` when a recent write failed.
    pub(crate) fn may_be_written(&self) -> Result<bool, StoreError> {
        let activity = self.activity();
        if activity.unwritable.is_some_and(|at| at.elapsed() < FAILS_FOR) {
            return Err(SqliteStoreError::Unwritable.into());
        }
        Ok(activity.last_commit.is_some_and(|at| at.elapsed() < SHOWS_FOR))
    }

    /// See [`SqliteStore::checkpoint_when_idle`](crate::SqliteStore::checkpoint_when_idle).
    pub(crate) async fn checkpoint_when_idle(self: &Arc<Self>, quiet: Duration) -> Result<bool, StoreError> {
        let connections = self.connections()?;
        let log = self.file.as_ref().and_then(|file| file.log().metadata().ok());
        let Some(now) = log.and_then(|log| Some((log.modified().ok()?, log.len()))) else { return Ok(false) };
        {
            let mut activity = self.activity();
            let since = match activity.log {
                Some((seen, since)) if seen == now => since,
                _ => activity.log.insert((now, Instant::now())).1,
            };
            if activity.moved == Some(now) || since.elapsed() < quiet {
                return Ok(false);
            }
        }
        let progress: (i64, i64, i64) =
            sqlx::query_as(CHECKPOINT_PASSIVE).fetch_one(&connections.writer).await.map_err(store_error)?;
        let (_, in_log, moved) = progress;
        // A reader may need what the file had before; then the rest follows later.
        if in_log == moved {
            self.activity().moved = Some(now);
        }
        Ok(true)
    }

    /// Waits for calls that are under way and closes all connections.
    pub(crate) async fn close(&self) {
        let current = self.current();
        self.is_closed.store(true, Ordering::Relaxed);
        if let Err(error) = current.checkpoint().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the write-ahead log stays as it is");
        }
        current.reader.close().await;
        current.reserved.close().await;
        current.writer.close().await;
    }

    /// Opens the file that has taken the place of the one that was open. What the log of that one holds is moved into it
    /// first, wherever it is now: applied to another file, it would damage it.
    async fn open_anew(self: Arc<Self>) {
        let (Some(file), Ok(mut last_try)) = (&self.file, self.opening.try_lock()) else { return };
        let old = self.current();
        if self.wrong(&old).is_none() || last_try.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        *last_try = Some(Instant::now());
        let path = file.path.display();
        if Identity::of(&file.path).is_none() {
            if !self.is_missing.swap(true, Ordering::Relaxed) {
                tracing::error!(%path, "the data file is gone; nothing is read or written until there is one again");
                if let Err(error) = sqlx::query(CHECKPOINT_PASSIVE).execute(&old.writer).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the write-ahead log stays as it is");
                }
            }
            return;
        }
        if !old.writer.is_closed() {
            tracing::warn!(%path, "another file has taken the place of the data file; it is being opened");
            old.reader.close().await;
            old.reserved.close().await;
            if let Err(error) = old.checkpoint().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the write-ahead log stays as it is");
            }
            old.writer.close().await;
        }
        match file.connect_anew(&old).await {
            Ok(new) => {
                *self.connections.write().unwrap_or_else(PoisonError::into_inner) = new;
                *self.activity() = Activity::default();
                self.is_missing.store(false, Ordering::Relaxed);
                tracing::warn!(%path, "the file that is there now is open; what it holds counts from now on");
            }
            Err(error) => {
                tracing::error!(%path, error = %crate::error::chain(&error), "the file that is there now cannot be used");
            }
        }
    }

    /// The file of the database; `None`: memory, or a host's.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    fn current(&self) -> Connections {
        self.connections.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Moves all of the log into the file and empties it, as far as readers let it.
    pub(crate) async fn checkpoint(&self) -> sqlx::Result<()> {
        sqlx::query(CHECKPOINT).execute(&self.writer).await.map(drop)
    }
}

impl DataFile {
    /// Opens the file that is there.
    async fn connect(&self) -> Result<Connections, StoreError> {
        let file = Identity::of(&self.path);
        let writer = writer(self.target.clone(), &self.options).await?;
        let readers = |most| {
            let pool = pool(self.options.acquire_timeout).max_connections(most);
            pool.connect_lazy_with(self.target.clone().read_only(true))
        };
        let (reader, reserved) = (readers(self.options.readers), readers(1));
        if Identity::of(&self.path) != file {
            writer.close().await;
            return Err(SqliteStoreError::Replaced(self.path.clone()).into());
        }
        Ok(Connections { writer, reader, reserved, file, log: None })
    }

    /// Opens the file that has taken the place of `old`, if it is a database of ours.
    async fn connect_anew(&self, old: &Connections) -> Result<Connections, StoreError> {
        self.set_log_aside(old).map_err(|source| SqliteStoreError::Create { path: self.log(), source })?;
        // What is not ours is left as it is.
        let mut looking = self.target.clone().read_only(true).connect().await.map_err(store_error)?;
        let is_ours = schema::is_there(&mut looking).await;
        drop(looking.close().await);
        if !is_ours? {
            return Err(SqliteStoreError::Foreign(self.path.clone()).into());
        }
        let new = self.connect().await?;
        let checked = async {
            if self.options.migrates {
                return migrate(&new.writer).await;
            }
            let mut conn = new.writer.acquire().await.map_err(store_error)?;
            schema::ensure_current(&mut conn).await
        };
        match checked.await {
            Ok(()) => Ok(Connections { log: Identity::of(&self.log()), ..new }),
            Err(error) => {
                new.writer.close().await;
                Err(error)
            }
        }
    }

    /// A log that could not be moved into the file it belongs to is kept under another name.
    fn set_log_aside(&self, old: &Connections) -> std::io::Result<()> {
        let log = self.log();
        if old.log.is_none() || Identity::of(&log) != old.log || log.metadata()?.len() == 0 {
            return Ok(());
        }
        let seconds = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        let aside = with_suffix(&log, &format!(".replaced-{seconds}"));
        tracing::warn!(file = %aside.display(), "the log of the file that was replaced is kept here");
        std::fs::rename(&log, aside)
    }

    fn log(&self) -> PathBuf {
        with_suffix(&self.path, "-wal")
    }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns whether two paths name one file, by a link too, or would if there were one.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
    };
    // Where files have no number, only their names tell them apart.
    let is_same = cfg!(unix) && Identity::of(one).is_some_and(|one| Identity::of(other) == Some(one));
    is_same || canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

/// Brings the schema up to date.
async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut conn = writer.acquire().await.map_err(store_error)?;
    transact(&mut conn, |conn| Box::pin(schema::migrate(conn))).await?;
    while refold::is_pending(&mut conn).await? {
        transact(&mut conn, |conn| Box::pin(refold::refold_page(conn))).await?;
    }
    while transact(&mut conn, |conn| Box::pin(deliveries::mark_gathered_page(conn))).await? {}
    Ok(())
}

/// Identity of a file, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    /// Of the file that a path names at present.
    fn of(path: &Path) -> Option<Self> {
        let data = path.metadata().ok()?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Self(data.dev(), data.ino())
        };
        #[cfg(not(unix))]
        let identity = {
            // Where a file that is open cannot be replaced.
            let _ = data;
            Self(0, 0)
        };
        Some(identity)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.as_ref().map(|file| &file.path);
        f.debug_struct("Database").field("path", &path).finish_non_exhaustive()
    }
}

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

const CHECKPOINT_PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
