//! Explains to operators why a database cannot be opened.

use taskflow_core::StoreError;

use crate::error::{PgStoreError, chain, database};

/// Returns what is wrong and how to fix it, as two sentences without their full stops; `None` when only the log can
/// tell.
///
/// No password is ever part of it.
#[must_use]
pub fn explain(error: &StoreError) -> Option<(String, &'static str)> {
    let (StoreError::Unavailable(source) | StoreError::Internal(source)) = error else { return None };
    if let Some(own) = source.downcast_ref::<PgStoreError>() {
        let advice = match own {
            PgStoreError::Encoding { .. } => {
                "create one with: createdb --encoding=UTF8 --template=template0 NAME; move data with pg_dump and pg_restore"
            }
            PgStoreError::Pending(_) => "run: taskflow db migrate",
            PgStoreError::TooNew { .. } => "install that release, or restore a backup from before it",
            PgStoreError::TooOld(_) => "upgrade the server, or set DATABASE_URL to another one",
            PgStoreError::ReadOnly => READ_ONLY_ADVICE,
            PgStoreError::Rights { .. } => "grant them to the role: see docs/operate.md",
            PgStoreError::Parameter(_) => "correct its name in DATABASE_URL, or leave it out",
            PgStoreError::Refused(_) | PgStoreError::NoSocket(_) => {
                "start the database server, or correct host and port in DATABASE_URL"
            }
            PgStoreError::UnknownHost { .. } => {
                "correct the host in DATABASE_URL, and check that this machine can resolve it"
            }
            PgStoreError::Unreachable { .. } => "check the network and any firewall between this machine and that host",
            PgStoreError::Silent { .. } => {
                "check host and port in DATABASE_URL, any firewall between, and that the server is not overloaded"
            }
            PgStoreError::NoTls(_) => {
                "turn TLS on in the server (ssl = on), or set sslmode=prefer in DATABASE_URL if you trust the network"
            }
            PgStoreError::NoAnswer(_) => "check that the server is not overloaded, and the network between",
            _ => return None,
        };
        return Some((own.to_string(), advice));
    }
    match source.downcast_ref::<sqlx::Error>()? {
        // Its text may quote the URL.
        sqlx::Error::Configuration(_) => {
            Some(("DATABASE_URL cannot be understood".to_owned(), "write postgres://user:password@host:5432/database"))
        }
        sqlx::Error::PoolTimedOut => Some((
            "no connection within DB_ACQUIRE_TIMEOUT".to_owned(),
            "check that the server runs there and has room for more connections",
        )),
        sqlx::Error::Io(error) => Some((
            error.to_string(),
            "check that the server runs at that host and port, and that nothing between keeps connections out",
        )),
        error @ sqlx::Error::Tls(_) => {
            Some((chain(error), "check the certificate of the server, or sslmode in DATABASE_URL"))
        }
        error => {
            let error = database(error)?;
            let message = error.detail().map_or_else(
                || error.message().to_owned(),
                |detail| format!("{} ({})", error.message(), detail.trim_end_matches('.')),
            );
            Some((message, advice(error.code())))
        }
    }
}

const READ_ONLY_ADVICE: &str = "set DATABASE_URL to the primary server, or end its read-only mode";

fn advice(code: &str) -> &'static str {
    match code {
        "28P01" => {
            "check user and password in DATABASE_URL; in the password encode @ as %40, / as %2F, : as %3A and % as %25"
        }
        "28000" => {
            "the role must exist and have LOGIN, and pg_hba.conf must admit it from this machine; if it admits it with TLS only, \
             set sslmode=require in DATABASE_URL"
        }
        "3D000" => {
            "create it with: createdb --encoding=UTF8 --template=template0 NAME, or correct the name in DATABASE_URL"
        }
        "42501" => {
            "grant the right to this role, or run taskflow db migrate as a role that has it: see docs/operate.md"
        }
        "53300" => "raise max_connections of the server or the limit of the role, or lower DB_MAX_CONNECTIONS",
        "57P03" => "wait until the server has started, and try again",
        "25006" | "0A000" => READ_ONLY_ADVICE,
        "53100" => "make room on the disk of the database server",
        _ => "look into the log of the database server",
    }
}
