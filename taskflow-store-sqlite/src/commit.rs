//! Applying [`Changes`]: writes of a kind become one statement, whatever their number.

use std::collections::HashSet;
use std::fmt::Display;

use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteTransactionManager;
use sqlx_core::transaction::TransactionManager;
use taskflow_core::ports::CommitReceipt;
use taskflow_core::{Changes, StoreError, Write};

use crate::error::{SqliteStoreError, store_error};
use crate::meetings::MeetingWrites;
use crate::slots::JobWrites;
use crate::store::SqliteStore;
use crate::{
    accounts, answers, deliveries, feed, mailbox, sessions, statistics, suppressions, tasks, tokens, unsubscribes,
    users,
};

impl SqliteStore {
    /// Applies `changes` in a transaction of the host's (begun by sqlx, on a database that has our schema); they count once
    /// the host has committed.
    ///
    /// Works in a savepoint: after an error, or when the call is dropped, nothing of the changes is left even if the
    /// host commits what else it did. Begin the transaction with `BEGIN IMMEDIATE`: SQLite refuses to turn one that
    /// has read into one that writes when somebody else wrote in between, which is `Unavailable` here.
    pub async fn commit_in(&self, conn: &mut SqliteConnection, changes: &Changes) -> Result<CommitReceipt, StoreError> {
        let batch = Batch::new(changes)?;
        let savepoint = Savepoint::begin(conn).await.map_err(store_error)?;
        batch.apply(savepoint.conn).await?;
        savepoint.release().await.map_err(store_error)?;
        Ok(CommitReceipt::new(changes))
    }
}

/// A savepoint that is undone when it is dropped. Not sqlx's own: when its `begin` is dropped half-way inside a
/// transaction, sqlx 0.9.0 undoes the savepoint twice, and the second time it is the host's transaction that goes.
struct Savepoint<'c> {
    conn: &'c mut SqliteConnection,
    open: bool,
}

impl<'c> Savepoint<'c> {
    async fn begin(conn: &'c mut SqliteConnection) -> sqlx::Result<Self> {
        SqliteTransactionManager::begin(conn, None).await?;
        Ok(Self { conn, open: true })
    }

    async fn release(mut self) -> sqlx::Result<()> {
        SqliteTransactionManager::commit(self.conn).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.open {
            // Queued ahead of whatever the host does next on this connection.
            SqliteTransactionManager::start_rollback(self.conn);
        }
    }
}

/// [`Changes`] as the parameters of statements, made before anybody waits for the writer.
#[derive(Default)]
pub(crate) struct Batch {
    new_users: Rows,
    changed_users: Rows,
    gone_users: Rows,
    credentials: Rows,
    new_sessions: Rows,
    changed_sessions: Rows,
    ended_sessions: Rows,
    new_tokens: Rows,
    used_tokens: Rows,
    revoked_tokens: Rows,
    answers: Rows,
    new_tasks: Rows,
    changed_tasks: Rows,
    meetings: MeetingWrites,
    cancellations: Rows,
    reschedules: Rows,
    retries: Rows,
    suppressions: Rows,
    overrides: Rows,
    unsuppressions: Rows,
    unsubscribes: Rows,
    resubscribes: Rows,
    mails: Rows,
    jobs: JobWrites,
    statistics: Rows,
    deliveries: Rows,
    events: Rows,
    audience: Rows,
}

impl Batch {
    pub(crate) fn new(changes: &Changes) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for (index, write) in changes.writes.iter().enumerate() {
            match write {
                Write::InsertUser(user) => batch.new_users.push(index, user.id, &users::Params::new(user))?,
                Write::UpdateUser(user) => batch.changed_users.push(index, user.id, &users::Params::new(user))?,
                Write::DeleteUser { id, at } => batch.gone_users.push(index, id, &users::Gone::new(*id, *at))?,
                Write::SetCredential(credential) => {
                    batch.credentials.push(index, credential.user_id, &accounts::Params::new(credential))?;
                }
                Write::OpenSession(session) => {
                    batch.new_sessions.push(index, session.id, &sessions::Params::new(session))?;
                }
                Write::UpdateSession(session) => {
                    batch.changed_sessions.push(index, session.id, &sessions::Params::new(session))?;
                }
                Write::EndSessions { user_id, only, at } => {
                    batch.ended_sessions.push(index, user_id, &sessions::End::new(*user_id, *only, *at))?;
                }
                Write::InsertToken(token) => batch.new_tokens.push(index, token.id, &tokens::Params::new(token))?,
                Write::UseToken { id, at } => batch.used_tokens.push(index, id, &tokens::Use::new(*id, *at))?,
                Write::RevokeTokens { user_id, purpose, at } => {
                    batch.revoked_tokens.push(index, user_id, &tokens::Revoke::new(*user_id, *purpose, *at))?;
                }
                Write::StoreResponse(answer) => {
                    batch.answers.push(index, answers::id(answer), &answers::Params::new(answer))?;
                }
                Write::InsertTask(task) => batch.new_tasks.push(index, task.id, &tasks::Params::new(task))?,
                Write::UpdateTask(task) => batch.changed_tasks.push(index, task.id, &tasks::Params::new(task))?,
                Write::InsertMeeting(_)
                | Write::UpdateMeeting(_)
                | Write::ExpectMeeting { .. }
                | Write::ExpectParticipants { .. }
                | Write::ConfirmStart { .. }
                | Write::InsertParticipant(_)
                | Write::UpdateParticipant(_)
                | Write::LinkGuests { .. }
                | Write::InsertRevision(_) => batch.meetings.push(index, write)?,
                Write::CancelDelivery { key, reason, at } => {
                    batch.cancellations.push(index, key, &deliveries::Cancel::new(key, reason, *at))?;
                }
                Write::RescheduleDelivery { key, due_at, next_at } => {
                    batch.reschedules.push(index, key, &deliveries::Reschedule::new(key, *due_at, *next_at))?;
                }
                Write::RetryDelivery { id, at } => {
                    batch.retries.push(index, id, &deliveries::Retry::new(*id, *at))?;
                }
                Write::Suppress(new) => {
                    batch.suppressions.push(index, new.email.key(), &suppressions::Params::new(new))?;
                }
                Write::OverrideSuppression(email) => batch.overrides.push(index, email.key(), &email.key())?,
                Write::Unsubscribe { email, kind, at } => {
                    let params = unsubscribes::Params::new(email, *kind, Some(*at));
                    batch.unsubscribes.push(index, email.key(), &params)?;
                }
                Write::Resubscribe { email, kind } => {
                    batch.resubscribes.push(index, email.key(), &unsubscribes::Params::new(email, *kind, None))?;
                }
                Write::Unsuppress(email) => batch.unsuppressions.push(index, email.key(), &email.key())?,
                Write::KeepMail(mail) => batch.mails.push(index, mail.id, &mailbox::Params::new(mail))?,
                Write::InsertRun(_)
                | Write::AdvanceRun { .. }
                | Write::FinishRun { .. }
                | Write::ReleaseRun { .. }
                | Write::PauseJob { .. }
                | Write::ResumeJob { .. } => batch.jobs.push(index, write)?,
                Write::SetStatistics(counted) => {
                    batch.statistics.push(index, counted.user_id, &statistics::Params::new(counted))?;
                }
                _ => return Err(SqliteStoreError::Unknown("this kind of write").into()),
            }
        }
        for (index, delivery) in changes.deliveries.iter().enumerate() {
            batch.deliveries.push(index, delivery.id, &deliveries::Plan::new(delivery)?)?;
        }
        for (index, announcement) in changes.events.iter().enumerate() {
            let event = &announcement.event;
            batch.events.push(index, event.id, &feed::Params::new(event)?)?;
            for owner in &announcement.audience {
                batch.audience.push(index, owner, &feed::Entrant::new(*owner, event))?;
            }
        }
        Ok(batch)
    }

    /// Runs the statements. The caller has begun a transaction and undoes it after an error.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        users::update(conn, &self.changed_users).await?;
        users::insert(conn, &self.new_users).await?;
        accounts::set(conn, &self.credentials).await?;
        sessions::update(conn, &self.changed_sessions).await?;
        sessions::open(conn, &self.new_sessions).await?;
        sessions::end(conn, &self.ended_sessions).await?;
        tokens::use_up(conn, &self.used_tokens).await?;
        tokens::revoke(conn, &self.revoked_tokens).await?;
        tokens::insert(conn, &self.new_tokens).await?;
        answers::remember(conn, &self.answers).await?;
        tasks::update(conn, &self.changed_tasks).await?;
        tasks::insert(conn, &self.new_tasks).await?;
        self.meetings.apply(conn).await?;
        deliveries::cancel(conn, &self.cancellations).await?;
        deliveries::reschedule(conn, &self.reschedules).await?;
        deliveries::retry(conn, &self.retries).await?;
        suppressions::suppress(conn, &self.suppressions).await?;
        suppressions::override_once(conn, &self.overrides).await?;
        suppressions::unsuppress(conn, &self.unsuppressions).await?;
        unsubscribes::unsubscribe(conn, &self.unsubscribes).await?;
        unsubscribes::resubscribe(conn, &self.resubscribes).await?;
        mailbox::keep(conn, &self.mails).await?;
        statistics::set(conn, &self.statistics).await?;
        self.jobs.apply(conn).await?;
        users::delete(conn, &self.gone_users).await?;
        deliveries::plan(conn, &self.deliveries).await?;
        feed::append(conn, &self.events, &self.audience).await
    }
}

/// Rows for one statement: a JSON array that `json_each` unfolds, and where each came from.
#[derive(Default)]
pub(crate) struct Rows {
    json: Vec<u8>,
    ids: Vec<String>,
    writes: Vec<usize>,
}

impl Rows {
    /// Adds a row that the write of this index asks for; the id is what its statement tells when it was reached.
    pub(crate) fn push(&mut self, write: usize, id: impl Display, row: &impl Serialize) -> Result<(), StoreError> {
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, row).map_err(|error| StoreError::Internal(error.into()))?;
        self.ids.push(id.to_string());
        self.writes.push(write);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The array.
    pub(crate) fn json(&self) -> String {
        if self.is_empty() {
            return "[]".to_owned();
        }
        // What serde_json wrote is UTF-8.
        format!("{}]", String::from_utf8_lossy(&self.json))
    }

    /// The write that a row, counted from 0, came from.
    pub(crate) fn write(&self, row: usize) -> Option<usize> {
        self.writes.get(row).copied()
    }

    /// What an error of inserting rows means: without its owner, who has left meanwhile, a row is `Stale`. SQLite does not
    /// say which row it was; they have one owner in practice, so the first is as good as any.
    pub(crate) fn refused(&self, error: sqlx::Error) -> StoreError {
        let ownerless = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation);
        match self.write(0) {
            Some(write) if ownerless => StoreError::Stale { write },
            _ => store_error(error),
        }
    }

    /// Runs a statement over the rows, if there are any, and is `Stale` unless it tells the ids of all of them: it leaves out
    /// those whose condition does not hold.
    pub(crate) async fn apply_all(
        &self,
        conn: &mut SqliteConnection,
        statement: &'static str,
    ) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        let query = sqlx::query_scalar(statement).bind(self.json());
        let found: Vec<String> = query.fetch_all(conn).await.map_err(|error| self.refused(error))?;
        self.all_found(&found)
    }

    /// `Stale` unless every row was found.
    pub(crate) fn all_found(&self, found: &[String]) -> Result<(), StoreError> {
        self.first_missing(found).map_or(Ok(()), |write| Err(StoreError::Stale { write }))
    }

    /// The first write whose row was not found.
    pub(crate) fn first_missing(&self, found: &[String]) -> Option<usize> {
        let found: HashSet<&str> = found.iter().map(String::as_str).collect();
        self.ids.iter().zip(&self.writes).find(|(id, _)| !found.contains(id.as_str())).map(|(_, write)| *write)
    }
}
