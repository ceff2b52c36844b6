//! The rights on tables that the role of a store needs, and which of them it lacks.

use sqlx::PgConnection;
use taskflow_core::StoreError;

use crate::error::PgStoreError;
use crate::store::PgStore;

/// The tables of which rows are read, inserted, updated and deleted.
const WRITTEN: [&str; 25] = [
    "answers",
    "credentials",
    "deliveries",
    "delivery_attempts",
    "events",
    "feed",
    "feed_heads",
    "job_runs",
    "jobs",
    "ledger_totals",
    "limits",
    "mailbox",
    "meeting_participants",
    "meeting_revisions",
    "meetings",
    "nodes",
    "quotas",
    "sessions",
    "suppressions",
    "tasks",
    "tokens",
    "unsubscribes",
    "user_statistics",
    "users",
    "write_checks",
];

/// The tables that only migrations write.
const READ: [&str; 3] = ["migrations", "schema_info", "search_refolds"];

/// The answer of the database about the rights of this role.
struct State {
    only_reads: bool,
    role: String,
    /// `RIGHT table`, for each right that it lacks.
    lacks: Vec<String>,
}

/// A hot standby says `on`, whatever its settings. Of tables that a restore has not brought yet nothing is lacking.
const STATE: &str = "
SELECT pg_catalog.current_setting('transaction_read_only') = 'on',
    current_user::text,
    ARRAY(
        SELECT privilege || ' ' || name
        FROM (
            SELECT name, privilege
            FROM unnest($1::text[]) AS name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
            UNION ALL
            SELECT name, 'SELECT' FROM unnest($2::text[]) AS name
        ) AS needed
        WHERE NOT pg_catalog.has_table_privilege(pg_catalog.to_regclass('taskflow.' || name), privilege)
    )";

/// Fails when the role lacks a right that serving needs, and names all of them.
pub(crate) async fn ensure_granted(store: &PgStore) -> Result<(), StoreError> {
    store.read(|conn| Box::pin(read(conn))).await?.ensure_granted()
}

/// Fails when the database only reads, or the role lacks a right.
pub(crate) async fn ensure_writable(store: &PgStore) -> Result<(), StoreError> {
    let state = store.read(|conn| {
        Box::pin(async move {
            let state = read(conn).await?;
            // A session keeps the default it began with; the next one may find another, so that this one is replaced.
            if state.only_reads { Err(sqlx::Error::AnyDriverError(PgStoreError::ReadOnly.into())) } else { Ok(state) }
        })
    });
    state.await?.ensure_granted()
}

async fn read(conn: &mut PgConnection) -> sqlx::Result<State> {
    let (only_reads, role, lacks) = sqlx::query_as(STATE).bind(WRITTEN).bind(READ).fetch_one(conn).await?;
    Ok(State { only_reads, role, lacks })
}

impl State {
    fn ensure_granted(self) -> Result<(), StoreError> {
        match self.lacks.is_empty() {
            true => Ok(()),
            false => Err(PgStoreError::Rights { role: self.role, lacks: summary(&self.lacks) }.into()),
        }
    }
}

/// Returns the missing rights, in the form of GRANT: one entry for the tables that lack the same rights.
fn summary(lacks: &[String]) -> String {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for (right, table) in lacks.iter().filter_map(|one| one.split_once(' ')) {
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, rights)) => rights.push(right),
            None => tables.push((table, vec![right])),
        }
    }
    let mut groups: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (table, rights) in tables {
        let table = format!("taskflow.{table}");
        match groups.iter_mut().find(|(known, _)| *known == rights) {
            Some((_, tables)) => tables.push(table),
            None => groups.push((rights, vec![table])),
        }
    }
    let group = |(rights, tables): &(Vec<&str>, Vec<String>)| {
        let on =
            if tables.len() >= WRITTEN.len() { "all tables of schema taskflow".to_owned() } else { tables.join(", ") };
        format!("{} on {on}", rights.join(", "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_in_the_form_of_grant() {
        let lacks = |all: &[&str]| summary(&all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        assert_eq!(lacks(&["UPDATE tasks"]), "UPDATE on taskflow.tasks");
        let several = ["INSERT tasks", "DELETE tasks", "INSERT users", "SELECT jobs", "DELETE users"];
        assert_eq!(lacks(&several), "INSERT, DELETE on taskflow.tasks, taskflow.users; SELECT on taskflow.jobs");
        let all: Vec<String> = WRITTEN.map(|table| format!("INSERT {table}")).into();
        assert_eq!(summary(&all), "INSERT on all tables of schema taskflow");
    }
}
