//! Backups: a consistent copy while everything goes on, and putting one in the place of the file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use taskflow_core::{StoreError, Timestamp};

use crate::database::{is_same_file, with_suffix};
use crate::error::{self, SqliteStoreError, is_busy, primary_code, store_error};
use crate::options::create_file;
use crate::schema::{self, MigrationStatus};
use crate::store::SqliteStore;

/// Summary of the contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupContents {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of accounts.
    pub users: u64,
    /// Number of mails that wait in the outbox. Mails that were sent since the backup would be sent again.
    pub mails_waiting: u64,
    /// The number of them that are due.
    pub mails_due: u64,
    /// The newest migration it has.
    pub version: i64,
    /// Migrations of newer releases that it has.
    pub newer: Vec<MigrationStatus>,
}

/// The result of restoring a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Contents of the database after the restore.
    pub contents: BackupContents,
    /// Path at which the replaced file is kept; `None` if there was none.
    pub kept: Option<PathBuf>,
}

impl SqliteStore {
    /// Writes a consistent copy to `to`, while others read and write. It is checked and on the disk when this returns;
    /// until then the file does not exist, or is the one before when `replace` is given. `now` decides which mails are due.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the file exists and is not to be replaced, cannot be written, is this database itself, or is a
    /// database that somebody has open.
    pub async fn backup(&self, to: &Path, replace: bool, now: Timestamp) -> Result<BackupContents, StoreError> {
        if let Some(own) = self.path() {
            require_other(to, own)?;
        }
        if to.is_dir() {
            return Err(SqliteStoreError::IsFolder(to.to_owned()).into());
        }
        if !replace && to.exists() {
            return Err(SqliteStoreError::Exists(to.to_owned()).into());
        }
        require_folder(to)?;
        // Held until the copy is in place, so that nobody opens what is about to be replaced.
        let alone = if is_database(to) { close_for_others(to).await? } else { None };
        require_no_log(to)?;
        let draft = Draft::beside(to)?;
        let mut conn = self.reader()?.acquire().await.map_err(store_error)?.detach();
        let copied = sqlx::query(VACUUM_INTO).bind(draft.name()).execute(&mut conn).await;
        copied.map_err(store_error)?;
        // It has served; what was read is in the copy.
        drop(conn.close().await);
        let copy = BackupFile::open(&draft.path, now).await?;
        let contents = copy.contents.clone();
        copy.close().await;
        draft.publish(to, replace)?;
        if let Some(alone) = alone {
            drop(alone.close().await);
        }
        Ok(contents)
    }
}

/// A sound database of ours that this release can use, open to be restored.
#[derive(Debug)]
pub struct BackupFile {
    conn: SqliteConnection,
    path: PathBuf,
    contents: BackupContents,
}

impl BackupFile {
    /// Opens and checks a file. `now` decides which of its mails are due.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is no such file, or it is none of ours or damaged; `Internal` when it needs a newer release.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(SqliteStoreError::NoFile(path.to_owned()).into());
        }
        if !path.is_file() {
            return Err(SqliteStoreError::NotSqlite(path.to_owned()).into());
        }
        let mut conn = SqliteConnectOptions::new().filename(path).connect().await.map_err(|error| of(path, error))?;
        match contents(&mut conn, path, now).await {
            Ok(contents) => Ok(Self { conn, path: path.to_owned(), contents }),
            Err(error) => {
                drop(conn.close().await);
                Err(error)
            }
        }
    }

    /// Puts a copy of it in the place of `database`, which nobody may have open. The file that was there is kept beside it,
    /// with everything that its log held, under a name that ends in `.replaced-` and `stamp`.
    ///
    /// # Errors
    ///
    /// `Unavailable` when somebody has the database open, or it is the backup itself; then nothing is changed.
    pub async fn restore(mut self, database: &Path, stamp: &str) -> Result<Restored, StoreError> {
        let restored = self.put_in_place(database, stamp).await;
        drop(self.conn.close().await);
        restored.map(|kept| Restored { contents: self.contents, kept })
    }

    async fn put_in_place(&mut self, database: &Path, stamp: &str) -> Result<Option<PathBuf>, StoreError> {
        require_other(&self.path, database)?;
        require_folder(database)?;
        let draft = Draft::beside(database)?;
        // Not a copy of the file, which would lack what its log holds.
        let copied = sqlx::query(VACUUM_INTO).bind(draft.name()).execute(&mut self.conn).await;
        copied.map_err(store_error)?;
        let exists = database.exists();
        // Held until the other file is in place: whoever opens the old one meanwhile waits, and then finds the new one.
        let alone = if exists { close_for_others(database).await? } else { None };
        let aside = with_suffix(database, &format!(".replaced-{stamp}"));
        if exists {
            fs::hard_link(database, &aside).map_err(|source| failed(&aside, source))?;
        }
        for side in ["-wal", "-shm"] {
            let (from, to) = (with_suffix(database, side), with_suffix(&aside, side));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&from, error)),
                Ok(()) | Err(_) => {}
            }
        }
        draft.publish(database, true)?;
        if let Some(alone) = alone {
            drop(alone.close().await);
        }
        Ok(exists.then_some(aside))
    }

    async fn close(self) {
        drop(self.conn.close().await);
    }
}

async fn contents(conn: &mut SqliteConnection, file: &Path, now: Timestamp) -> Result<BackupContents, StoreError> {
    // The first read tells whether it is a database at all.
    conn.execute(VERSION).await.map_err(|error| of(file, error))?;
    if !schema::is_there(conn).await? {
        return Err(SqliteStoreError::Foreign(file.to_owned()).into());
    }
    let found: Vec<String> =
        sqlx::query_scalar(INTEGRITY).fetch_all(&mut *conn).await.map_err(|error| of(file, error))?;
    if found != ["ok"] {
        let damage = found.into_iter().next().unwrap_or_default();
        return Err(SqliteStoreError::Damaged { path: file.to_owned(), damage }.into());
    }
    schema::admits_this_build(conn).await?;
    let status = schema::status(conn).await?;
    let counted = sqlx::query_as(CONTENTS).bind(now.as_micros()).fetch_one(&mut *conn).await;
    let (users, mails_waiting, mails_due): (i64, i64, i64) = counted.map_err(|error| of(file, error))?;
    Ok(BackupContents {
        bytes: file.metadata().map_err(|source| failed(file, source))?.len(),
        users: users.unsigned_abs(),
        mails_waiting: mails_waiting.unsigned_abs(),
        mails_due: mails_due.unsigned_abs(),
        version: status
            .iter()
            .filter(|migration| migration.applied)
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0),
        newer: status.into_iter().filter(|migration| !migration.known).collect(),
    })
}

/// Converts an error of SQLite about a given file into one that explains what is wrong with the file.
fn of(file: &Path, source: sqlx::Error) -> StoreError {
    let path = file.to_owned();
    match primary_code(&source) {
        Some(error::NOTADB) => SqliteStoreError::NotSqlite(path).into(),
        Some(error::CORRUPT) => SqliteStoreError::Damaged { path, damage: source.to_string() }.into(),
        Some(_) => SqliteStoreError::Unreadable { path, source }.into(),
        None => store_error(source),
    }
}

/// Refuses a file that is the database, or one of those that SQLite keeps beside it, by whatever name.
fn require_other(file: &Path, database: &Path) -> Result<(), StoreError> {
    // They lie beside the file itself, not beside a link to it.
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let own = ["", "-wal", "-shm", "-journal"].map(|side| with_suffix(&database, side));
    if own.iter().any(|own| is_same_file(file, own)) {
        return Err(SqliteStoreError::IsDatabase(file.to_owned()).into());
    }
    Ok(())
}

/// Refuses a file in a folder that does not exist: its name is probably mistyped.
fn require_folder(file: &Path) -> Result<(), StoreError> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(SqliteStoreError::NoFolder(folder.to_owned()).into()),
        None => Ok(()),
    }
}

/// Refuses a name beside which the log of another database lies: SQLite would take it for part of the copy.
fn require_no_log(file: &Path) -> Result<(), StoreError> {
    let logs = ["-wal", "-journal"].map(|side| with_suffix(file, side));
    let left = logs.into_iter().find(|log| log.metadata().is_ok_and(|data| data.len() > 0));
    left.map_or(Ok(()), |log| Err(SqliteStoreError::LeftLog(log).into()))
}

/// Returns whether a file begins as every SQLite database does.
fn is_database(file: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *MAGIC
}

/// A connection that has the file for itself, after everything its log held was moved into it; `None` when the file is too
/// damaged to be opened at all, so that nobody can work with it either.
async fn close_for_others(database: &Path) -> Result<Option<SqliteConnection>, StoreError> {
    let in_use = || StoreError::from(SqliteStoreError::InUse(database.to_owned()));
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(std::time::Duration::from_millis(500));
    let taken = async {
        let mut conn = options.connect().await?;
        conn.execute("PRAGMA locking_mode = EXCLUSIVE").await?;
        // Only whoever has the file alone may end the write-ahead log.
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut conn).await?;
        conn.execute("BEGIN EXCLUSIVE; COMMIT").await?;
        Ok::<_, sqlx::Error>((mode, conn))
    };
    match taken.await {
        Ok((mode, conn)) if mode == "delete" => Ok(Some(conn)),
        Ok(_) => Err(in_use()),
        Err(error) if is_busy(&error) => Err(in_use()),
        Err(error) => match store_error(error) {
            StoreError::Unavailable(error) => {
                tracing::warn!(%error, "the file that is replaced cannot be read");
                Ok(None)
            }
            other => Err(other),
        },
    }
}

/// A file that is written under another name first, and is gone when it is not published.
struct Draft {
    path: PathBuf,
}

impl Draft {
    /// In the same folder, readable by its owner alone.
    fn beside(to: &Path) -> Result<Self, StoreError> {
        let path = with_suffix(to, &format!(".draft-{}", std::process::id()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&path, error)),
            Ok(()) | Err(_) => {}
        }
        create_file(&path)?;
        Ok(Self { path })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Gives it its name once it is on the disk.
    fn publish(self, to: &Path, replace: bool) -> Result<(), StoreError> {
        let published = File::open(&self.path).and_then(|file| file.sync_all()).and_then(|()| match replace {
            true => fs::rename(&self.path, to),
            // Fails when somebody else was faster.
            false => fs::hard_link(&self.path, to),
        });
        published.map_err(|source| failed(to, source))?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Where folders cannot be synced, the system does it in its time.
        drop(File::open(folder).and_then(|folder| folder.sync_all()));
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for side in ["", "-journal", "-wal", "-shm"] {
            drop(fs::remove_file(with_suffix(&self.path, side)));
        }
    }
}

fn failed(path: &Path, source: std::io::Error) -> StoreError {
    SqliteStoreError::Create { path: path.to_owned(), source }.into()
}

/// Not `PRAGMA`s that read or write a database of a host: these run on files of our own.
const VACUUM_INTO: &str = "VACUUM INTO ?1";

const INTEGRITY: &str = "PRAGMA integrity_check(1)";

const VERSION: &str = "PRAGMA schema_version";

/// <https://www.sqlite.org/fileformat2.html#the_database_header>
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

const CONTENTS: &str = "
    SELECT (SELECT count(*) FROM taskflow_users),
        (SELECT count(*) FROM taskflow_deliveries WHERE state IN ('scheduled', 'claimed')),
        (SELECT count(*) FROM taskflow_deliveries
            WHERE state = 'claimed' OR state = 'scheduled' AND next_at <= ?1)";
