//! Explains to operators why a database cannot be opened.

use taskflow_core::StoreError;

use crate::error::{self, SqliteStoreError, chain, primary_code};

/// Returns what is wrong and how to fix it, as two sentences without their full stops; `None` when only the log can
/// tell.
#[must_use]
pub fn explain(error: &StoreError) -> Option<(String, &'static str)> {
    let (StoreError::Unavailable(source) | StoreError::Internal(source)) = error else { return None };
    if let Some(own) = source.downcast_ref::<SqliteStoreError>() {
        let advice = match own {
            SqliteStoreError::Create { .. } => "let this user write there, or name a file elsewhere",
            SqliteStoreError::Missing(_) => {
                "create it with: taskflow db migrate, or set DATABASE_URL to the file that the server uses"
            }
            SqliteStoreError::Foreign(_)
            | SqliteStoreError::Damaged { .. }
            | SqliteStoreError::NoFile(_)
            | SqliteStoreError::NotSqlite(_) => "name a file that taskflow db backup has written",
            SqliteStoreError::Unreadable { .. } => "let this user read the file, or name another one",
            SqliteStoreError::Pending(_) => "run: taskflow db migrate",
            SqliteStoreError::TooNew { .. } => "install that release, or restore a backup from before it",
            SqliteStoreError::Exists(_) => "add --force to replace it, or name another file",
            SqliteStoreError::IsFolder(_) => "name a file in it",
            SqliteStoreError::NoFolder(_) => "create it first, or correct the name",
            SqliteStoreError::IsDatabase(_) => "name another file: the backup and the database are two files",
            SqliteStoreError::LeftLog(_) => "name another file, or remove it when nobody needs it",
            SqliteStoreError::InUse(_) => "stop that server first, or name another file",
            _ => return None,
        };
        return Some((chain(own), advice));
    }
    let error: &sqlx::Error = source.downcast_ref()?;
    // Whoever opens a file waits for nothing but a lock.
    let code = if matches!(error, sqlx::Error::PoolTimedOut) { error::BUSY } else { primary_code(error)? };
    let (what, advice) = match code {
        error::BUSY => {
            ("another program has locked it", "close that program (a shell of sqlite3, a backup), and try again")
        }
        error::READONLY => (
            "it may not be written",
            "let this user write the file and its folder, and check that the file system is not mounted read-only",
        ),
        error::IOERR => ("reading or writing failed", "check the disk and what the system's log says about it"),
        error::CORRUPT => ("the file is damaged", "restore a backup with: taskflow db restore FILE"),
        error::FULL => ("the disk is full", "make room on the disk"),
        error::CANTOPEN => ("it cannot be opened", "let this user read and write the file and its folder"),
        error::NOTADB => ("it is not a SQLite database", "name another file, or move this one away"),
        _ => return None,
    };
    Some((what.to_owned(), advice))
}
