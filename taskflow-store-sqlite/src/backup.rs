//! Backups: a consistent copy while everything goes on, and putting one in the place of the file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use taskflow_core::StoreError;

use crate::database::with_suffix;
use crate::error::{SqliteStoreError, is_busy, store_error};
use crate::options::create_file;
use crate::schema::{self, MigrationStatus};
use crate::store::SqliteStore;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupContents {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// How many people have an account.
    pub users: u64,
    /// How many mails wait in the outbox; those that have left since the backup would leave again.
    pub mails_due: u64,
    /// The newest migration it has.
    pub version: i64,
    /// Migrations of newer releases that it has.
    pub newer: Vec<MigrationStatus>,
}

/// What became of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub contents: BackupContents,
    /// Where the file that was replaced is kept; `None`: there was none.
    pub kept: Option<PathBuf>,
}

impl SqliteStore {
    /// Writes a consistent copy to `to`, while others read and write. It is checked and on the disk when this returns;
    /// until then the file does not exist, or is the one before when `replace` is given.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the file exists and is not to be replaced, or cannot be written.
    pub async fn backup(&self, to: &Path, replace: bool) -> Result<BackupContents, StoreError> {
        if !replace && to.exists() {
            return Err(SqliteStoreError::Exists(to.to_owned()).into());
        }
        let draft = Draft::beside(to)?;
        let mut conn = self.reader()?.acquire().await.map_err(store_error)?.detach();
        let copied = sqlx::query(VACUUM_INTO).bind(draft.name()).execute(&mut conn).await;
        copied.map_err(store_error)?;
        // It has served; what was read is in the copy.
        drop(conn.close().await);
        let contents = inspect(&draft.path).await?;
        draft.publish(to, replace)?;
        Ok(contents)
    }
}

/// What a file holds, if it is a sound database of ours that this release can use.
///
/// # Errors
///
/// `Unavailable` when it is none; `Internal` when it needs a newer release.
pub async fn inspect(file: &Path) -> Result<BackupContents, StoreError> {
    if !file.is_file() {
        return Err(SqliteStoreError::Missing(file.to_owned()).into());
    }
    let mut conn = SqliteConnectOptions::new().filename(file).connect().await.map_err(store_error)?;
    let contents = contents(&mut conn, file).await;
    drop(conn.close().await);
    contents
}

async fn contents(conn: &mut SqliteConnection, file: &Path) -> Result<BackupContents, StoreError> {
    if !schema::is_there(conn).await? {
        return Err(SqliteStoreError::Foreign(file.to_owned()).into());
    }
    let found: Vec<String> = sqlx::query_scalar(INTEGRITY).fetch_all(&mut *conn).await.map_err(store_error)?;
    if found != ["ok"] {
        let damage = found.into_iter().next().unwrap_or_default();
        return Err(SqliteStoreError::Damaged { path: file.to_owned(), damage }.into());
    }
    schema::admits_this_build(conn).await?;
    let status = schema::status(conn).await?;
    let (users, mails_due): (i64, i64) = sqlx::query_as(CONTENTS).fetch_one(&mut *conn).await.map_err(store_error)?;
    Ok(BackupContents {
        bytes: file.metadata().map_err(|source| failed(file, source))?.len(),
        users: users.unsigned_abs(),
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

/// Puts a copy of `backup` in the place of `database`, which nobody may have open. The file that was there is kept beside
/// it, with everything that its log held, under a name that ends in `.replaced-` and `stamp`.
///
/// # Errors
///
/// `Unavailable` when the backup is none, or when somebody has the database open; then nothing is changed.
pub async fn restore(backup: &Path, database: &Path, stamp: &str) -> Result<Restored, StoreError> {
    let contents = inspect(backup).await?;
    let draft = Draft::beside(database)?;
    fs::copy(backup, &draft.path).map_err(|source| failed(&draft.path, source))?;
    let mut kept = None;
    // Held until the other file is in place: whoever opens the old one meanwhile waits, and then finds the new one.
    let mut alone = None;
    if database.exists() {
        alone = close_for_others(database).await?;
        let aside = with_suffix(database, &format!(".replaced-{stamp}"));
        fs::hard_link(database, &aside).map_err(|source| failed(&aside, source))?;
        for side in ["-wal", "-shm"] {
            let (from, to) = (with_suffix(database, side), with_suffix(&aside, side));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&from, error)),
                Ok(()) | Err(_) => {}
            }
        }
        kept = Some(aside);
    }
    draft.publish(database, true)?;
    if let Some(alone) = alone {
        drop(alone.close().await);
    }
    Ok(Restored { contents, kept })
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

const CONTENTS: &str = "
    SELECT (SELECT count(*) FROM taskflow_users),
        (SELECT count(*) FROM taskflow_deliveries WHERE state IN ('scheduled', 'claimed'))";
