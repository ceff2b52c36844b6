//! `taskflow db`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::config::{Config, Database};
use crate::wiring::{self, BackupContents, Migration, Restored};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Create the database if there is none and bring its schema up to date
    #[command(after_help = "taskflow serve does the same when it starts.")]
    Migrate,
    /// List the migrations and whether the database has them; changes nothing
    Status,
    /// Copy a SQLite database to a file while the server goes on
    #[command(
        after_help = "The copy is consistent, checked and on the disk when the command ends. For PostgreSQL the \
                            command shows how to use pg_dump. See docs/operate.md."
    )]
    Backup {
        /// Where the copy is written; its folder must exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Replace the file if it exists; never a database that is in use
        #[arg(long)]
        force: bool,
    },
    /// Put a backup in the place of the SQLite database; the server must be stopped
    #[command(
        after_help = "The file that is replaced is kept beside it. Mail that left after the backup is due again: \
                            start with HOLD_MAIL=true to look first. See docs/operate.md."
    )]
    Restore {
        /// A file that taskflow db backup wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the SQL of the complete schema, for the kind of database that DATABASE_URL names
    Schema {
        /// Print the schema for PostgreSQL; apply it with psql -f
        #[arg(long)]
        postgres: bool,
    },
}

/// A migration as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Shown {
    version: i64,
    description: String,
    /// `applied`, `pending` or `newer` (made by a newer release, which this one does not know).
    state: &'static str,
}

/// The result of `migrate`.
#[derive(Debug, Serialize)]
struct Migrated {
    database: String,
    /// Whether the database was created.
    created: bool,
    /// The migrations that were run now.
    applied: Vec<Shown>,
    /// Migrations of a newer release that the database has.
    newer: Vec<Shown>,
}

/// The result of `backup`.
#[derive(Debug, Serialize)]
struct BackedUp {
    file: String,
    bytes: u64,
    users: u64,
    mails_waiting: u64,
    mails_due: u64,
    version: i64,
}

/// The result of `restore`.
#[derive(Debug, Serialize)]
struct RestoredReport {
    database: String,
    /// Path at which the replaced file is kept.
    kept: Option<String>,
    users: u64,
    mails_waiting: u64,
    mails_due: u64,
    version: i64,
    newer: usize,
}

/// The migrations of the database.
#[derive(Debug, Serialize)]
struct Status {
    database: String,
    exists: bool,
    pending: usize,
    migrations: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Schema {
    sql: String,
}

impl From<&Migration> for Shown {
    fn from(Migration { version, description, applied, known }: &Migration) -> Self {
        let state = match (applied, known) {
            (_, false) => "newer",
            (true, true) => "applied",
            (false, true) => "pending",
        };
        Self { version: *version, description: description.clone(), state }
    }
}

impl Report for Migrated {
    fn text(&self) -> String {
        let created = self.created.then(|| format!("created {}", self.database));
        let applied = self.applied.iter().map(|new| format!("applied {:04} {}", new.version, new.description));
        let lines: Vec<_> = created.into_iter().chain(applied).collect();
        let text = if lines.is_empty() { format!("{} is up to date", self.database) } else { lines.join("\n") };
        let newer = self
            .newer
            .iter()
            .map(|new| format!("\n{:04} {} was made by a newer release", new.version, new.description));
        newer.fold(text, |text, line| text + &line)
    }
}

impl Report for BackedUp {
    fn text(&self) -> String {
        let Self { file, bytes, users, mails_waiting, mails_due, version } = self;
        let (accounts, mails) = (count(*users, "account"), waiting(*mails_waiting, *mails_due));
        format!("wrote {file}: {bytes} bytes, {accounts}, {mails}, schema {version:04}")
    }
}

impl Report for RestoredReport {
    fn text(&self) -> String {
        let accounts = count(self.users, "account");
        let mut text = format!("restored {}: {accounts}, schema {:04}", self.database, self.version);
        if let Some(kept) = &self.kept {
            text.push_str(&format!("\nthe file before is kept as {kept}"));
        }
        if self.newer > 0 {
            text.push_str(&format!("\n{} of its migrations were made by a newer release", self.newer));
        }
        if self.mails_waiting > 0 {
            text.push_str(&format!(
                "\n{}; those that left after the backup would leave again: look first with\n    \
                 HOLD_MAIL=true taskflow serve",
                waiting(self.mails_waiting, self.mails_due)
            ));
        }
        text
    }
}

/// A number and what it counts.
fn count(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// Describes the number of mails that wait in an outbox, and how many of them would leave at once.
fn waiting(waiting: u64, due: u64) -> String {
    let mails = count(waiting, "mail");
    if waiting == 0 { mails + " waiting" } else { format!("{mails} waiting, {due} of them due") }
}

impl Report for Status {
    fn text(&self) -> String {
        if !self.exists {
            return format!("{} does not exist yet; create it with: taskflow db migrate", self.database);
        }
        let row = |shown: &Shown| [format!("{:04}", shown.version), shown.description.clone(), shown.state.to_owned()];
        let table = output::table(["VERSION", "MIGRATION", "STATE"], self.migrations.iter().map(row));
        let newer = self.migrations.iter().filter(|shown| shown.state == "newer").count();
        let mut text = table;
        if self.pending > 0 {
            text.push_str(&format!("\n\n{} pending; run: taskflow db migrate", self.pending));
        }
        if newer > 0 {
            text.push_str(&format!("\n\n{newer} made by a newer release than this one"));
        }
        text
    }
}

impl Report for Schema {
    fn text(&self) -> String {
        self.sql.trim_end().to_owned()
    }
}

pub(super) async fn run(command: Command, config: &Arc<Config>, format: Format) -> Result<(), Failure> {
    match command {
        Command::Migrate => format.print(&migrate(config).await?),
        Command::Status => format.print(&status(config).await?),
        Command::Backup { file, force } => format.print(&backup(config, &file, force).await?),
        Command::Restore { file } => format.print(&restore(config, &file).await?),
        Command::Schema { postgres } => format.print(&Schema { sql: wiring::schema(config, postgres) }),
    }
}

async fn migrate(config: &Arc<Config>) -> Result<Migrated, Failure> {
    let database = place(config)?;
    let before = wiring::migrations(config).await?;
    wiring::open_and_migrate(config).await?.close().await;
    let had = |version| before.iter().flatten().any(|migration| migration.version == version && migration.applied);
    let after = wiring::migrations(config).await?.unwrap_or_default();
    let applied = after.iter().filter(|migration| !had(migration.version)).map(Shown::from).collect();
    let newer = after.iter().filter(|migration| !migration.known).map(Shown::from).collect();
    Ok(Migrated { database, created: before.is_none(), applied, newer })
}

async fn backup(config: &Config, to: &Path, force: bool) -> Result<BackedUp, Failure> {
    let from = sqlite(config, |place| {
        format!("run: pg_dump --format=custom --schema=taskflow --file={} '{place}' ({PASSWORD})", to.display())
    })?;
    let done = wiring::backup(config, from, to, force).await?;
    let file = absolute(to);
    let BackupContents { bytes, users, mails_waiting, mails_due, version, .. } = done;
    Ok(BackedUp { file, bytes, users, mails_waiting, mails_due, version })
}

async fn restore(config: &Config, from: &Path) -> Result<RestoredReport, Failure> {
    let database = sqlite(config, |place| {
        let file = from.display();
        format!(
            "stop all servers, then run: pg_restore --clean --if-exists --exit-on-error --dbname='{place}' {file} ({PASSWORD})"
        )
    })?;
    let Restored { contents, kept } = wiring::restore(from, database).await?;
    Ok(RestoredReport {
        database: absolute(database),
        kept: kept.map(|path| absolute(&path)),
        users: contents.users,
        mails_waiting: contents.mails_waiting,
        mails_due: contents.mails_due,
        version: contents.version,
        newer: contents.newer.len(),
    })
}

/// Description of how PostgreSQL's tools get the password, which is never shown.
const PASSWORD: &str = "the password from PGPASSWORD or ~/.pgpass";

/// The file of the database, or how it is done with PostgreSQL.
fn sqlite(config: &Config, instead: impl Fn(&str) -> String) -> Result<&Path, Failure> {
    match &config.database {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(place) => {
            let failure = Failure::new("this command is for SQLite; PostgreSQL has tools of its own");
            Err(failure.advise(instead(place)).because(Reason::Usage))
        }
        Database::Memory => Err(place(config).err().unwrap_or_else(|| Failure::new("memory: has nothing to back up"))),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

async fn status(config: &Arc<Config>) -> Result<Status, Failure> {
    let database = place(config)?;
    let found = wiring::migrations(config).await?;
    let exists = found.is_some();
    let migrations = found.unwrap_or_default();
    let pending = migrations.iter().filter(|migration| !migration.applied).count();
    Ok(Status { database, exists, pending, migrations: migrations.iter().map(Shown::from).collect() })
}

fn place(config: &Config) -> Result<String, Failure> {
    match &config.database {
        database @ (Database::Sqlite(_) | Database::Postgres(_)) => Ok(database.place()),
        Database::Memory => {
            Err(Failure::new("DATABASE_URL must name a database that outlives the command, got memory:")
                .advise("set it, for example to sqlite://taskflow.db")
                .because(Reason::Settings))
        }
    }
}
