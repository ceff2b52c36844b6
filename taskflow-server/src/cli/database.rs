//! `taskflow db`.

use std::sync::Arc;

use super::failure::Failure;
use super::output;
use crate::config::{Config, Database};
use crate::wiring::{self, Migration};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Makes the database if there is none and brings its schema up to date; serving does the same.
    Migrate,
    /// Lists the migrations and whether the database has them; changes nothing.
    Status,
    /// Prints the SQL of the complete schema, for the kind of database that DATABASE_URL names.
    Schema {
        /// For PostgreSQL, whatever DATABASE_URL says; apply it with psql -f.
        #[arg(long)]
        postgres: bool,
    },
}

pub(super) async fn run(command: Command, config: &Arc<Config>) -> Result<(), Failure> {
    match command {
        Command::Migrate => migrate(config).await,
        Command::Status => status(config).await,
        Command::Schema { postgres } => output::line(wiring::schema(config, postgres).trim_end()),
    }
}

async fn migrate(config: &Arc<Config>) -> Result<(), Failure> {
    let path = place(config)?;
    let before = wiring::migrations(config).await?;
    wiring::open(config).await?.close().await;
    let had = |version| before.iter().flatten().any(|migration| migration.version == version && migration.applied);
    let after = wiring::migrations(config).await?.unwrap_or_default();
    let new: Vec<_> = after.iter().filter(|migration| !had(migration.version)).collect();
    if before.is_none() {
        output::line(&format!("made {path}"))?;
    }
    for Migration { version, description, .. } in &new {
        output::line(&format!("applied {version:04} {description}"))?;
    }
    if new.is_empty() { output::line(&format!("{path} is up to date")) } else { Ok(()) }
}

async fn status(config: &Arc<Config>) -> Result<(), Failure> {
    let path = place(config)?;
    let Some(migrations) = wiring::migrations(config).await? else {
        return output::line(&format!("{path} does not exist yet; taskflow db migrate makes it"));
    };
    let head = ["VERSION", "MIGRATION", "STATE"].map(str::to_owned).to_vec();
    let row = |migration: &Migration| {
        let state = if migration.applied { "applied" } else { "pending" };
        vec![format!("{:04}", migration.version), migration.description.clone(), state.to_owned()]
    };
    let rows: Vec<_> = std::iter::once(head).chain(migrations.iter().map(row)).collect();
    output::line(&output::table(&rows))?;
    let pending = migrations.iter().filter(|migration| !migration.applied).count();
    if pending == 0 { Ok(()) } else { output::line(&format!("\n{pending} pending; run: taskflow db migrate")) }
}

fn place(config: &Config) -> Result<String, Failure> {
    match &config.database {
        database @ (Database::Sqlite(_) | Database::Postgres(_)) => Ok(database.place()),
        Database::Memory => Err(Failure::new("memory: is no database that outlives a command")
            .advise("set DATABASE_URL, for example to sqlite://taskflow.db")),
    }
}
