//! `taskflow db`.

use std::sync::Arc;

use serde::Serialize;

use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::config::{Config, Database};
use crate::wiring::{self, Migration};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Create the database if there is none and bring its schema up to date
    #[command(after_help = "taskflow serve does the same when it starts.")]
    Migrate,
    /// List the migrations and whether the database has them; changes nothing
    Status,
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
    /// `applied` or `pending`.
    state: &'static str,
}

/// What `migrate` did.
#[derive(Debug, Serialize)]
struct Migrated {
    database: String,
    /// Whether the database did not exist before.
    created: bool,
    /// The migrations that were run now.
    applied: Vec<Shown>,
}

/// What the database has.
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
    fn from(Migration { version, description, applied }: &Migration) -> Self {
        let state = if *applied { "applied" } else { "pending" };
        Self { version: *version, description: description.clone(), state }
    }
}

impl Report for Migrated {
    fn text(&self) -> String {
        let created = self.created.then(|| format!("created {}", self.database));
        let applied = self.applied.iter().map(|new| format!("applied {:04} {}", new.version, new.description));
        let lines: Vec<_> = created.into_iter().chain(applied).collect();
        if lines.is_empty() { format!("{} is up to date", self.database) } else { lines.join("\n") }
    }
}

impl Report for Status {
    fn text(&self) -> String {
        if !self.exists {
            return format!("{} does not exist yet; create it with: taskflow db migrate", self.database);
        }
        let row = |shown: &Shown| [format!("{:04}", shown.version), shown.description.clone(), shown.state.to_owned()];
        let table = output::table(["VERSION", "MIGRATION", "STATE"], self.migrations.iter().map(row));
        match self.pending {
            0 => table,
            pending => format!("{table}\n\n{pending} pending; run: taskflow db migrate"),
        }
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
        Command::Schema { postgres } => format.print(&Schema { sql: wiring::schema(config, postgres) }),
    }
}

async fn migrate(config: &Arc<Config>) -> Result<Migrated, Failure> {
    let database = place(config)?;
    let before = wiring::migrations(config).await?;
    wiring::open(config).await?.close().await;
    let had = |version| before.iter().flatten().any(|migration| migration.version == version && migration.applied);
    let after = wiring::migrations(config).await?.unwrap_or_default();
    let applied = after.iter().filter(|migration| !had(migration.version)).map(Shown::from).collect();
    Ok(Migrated { database, created: before.is_none(), applied })
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
