//! Applying [`Changes`]: writes of a kind become one statement, whatever their number.

use sqlx::PgConnection;
use taskflow_core::ports::CommitReceipt;
use taskflow_core::{Changes, StoreError, Write};

use crate::deliveries::Plans;
use crate::error::{PgStoreError, store_error};
use crate::feed::Events;
use crate::meetings::MeetingWrites;
use crate::owners::UserLocks;
use crate::rows::Rows;
use crate::savepoint::Savepoint;
use crate::slots::RunWrites;
use crate::store::PgStore;
use crate::suppressions::Suppressions;
use crate::unsubscribes::Unsubscribes;
use crate::users::People;
use crate::{accounts, answers, deliveries, mailbox, sessions, statistics, tasks, tokens, users};

impl PgStore {
    /// Applies `changes` in a transaction of the host's (begun by sqlx, on a database that has our schema); they count
    /// once the host has committed.
    ///
    /// Works in a savepoint: after an error, or when the call is dropped, nothing of the changes is left even if the
    /// host commits what else it did. Rows and feeds stay locked until the host commits, so that should be soon. A
    /// transaction that lost a race (40001, 40P01) is `Unavailable` here; running all of it again is up to the host.
    pub async fn commit_in(&self, conn: &mut PgConnection, changes: &Changes) -> Result<CommitReceipt, StoreError> {
        let batch = Batch::new(changes)?;
        let savepoint = Savepoint::begin(conn).await.map_err(store_error)?.ok_or(PgStoreError::NoTransaction)?;
        batch.apply(savepoint.conn).await?;
        savepoint.release().await.map_err(store_error)?;
        Ok(CommitReceipt::new(changes))
    }
}

/// [`Changes`] as the parameters of statements, made before anybody waits for a connection.
#[derive(Default)]
pub(crate) struct Batch {
    runs: RunWrites,
    new_users: People,
    changed_users: People,
    gone_users: Rows,
    owners: UserLocks,
    credentials: Rows,
    new_tokens: Rows,
    used_tokens: Rows,
    revoked_tokens: Rows,
    new_sessions: Rows,
    changed_sessions: Rows,
    ended_sessions: Rows,
    answers: Rows<answers::Name>,
    new_tasks: Rows,
    changed_tasks: Rows,
    meetings: MeetingWrites,
    cancellations: Rows<()>,
    reschedules: Rows<()>,
    retries: Rows,
    suppressions: Suppressions,
    unsubscribes: Unsubscribes,
    statistics: Rows,
    mails: Rows,
    deliveries: Plans,
    events: Events,
}

impl Batch {
    pub(crate) fn new(changes: &Changes) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for (index, write) in changes.writes.iter().enumerate() {
            match write {
                Write::InsertUser(user) => batch.new_users.push(index, user)?,
                Write::UpdateUser(user) => batch.changed_users.push(index, user)?,
                Write::DeleteUser { id, at } => {
                    batch.gone_users.push(index, id.as_uuid(), &users::Gone::new(*id, *at))?;
                }
                Write::SetCredential(credential) => {
                    let params = accounts::Params::new(credential);
                    batch.credentials.push(index, credential.user_id.as_uuid(), &params)?;
                }
                Write::OpenSession(session) => {
                    batch.new_sessions.push(index, session.id.as_uuid(), &sessions::Params::new(session))?;
                }
                Write::UpdateSession(session) => {
                    batch.changed_sessions.push(index, session.id.as_uuid(), &sessions::Params::new(session))?;
                }
                Write::EndSessions { user_id, only, at } => {
                    let params = sessions::End::new(*user_id, *only, *at);
                    batch.ended_sessions.push(index, user_id.as_uuid(), &params)?;
                }
                Write::InsertToken(token) => {
                    batch.owners.need(index, token.user_id);
                    batch.new_tokens.push(index, token.id.as_uuid(), &tokens::Params::new(token))?;
                }
                Write::UseToken { id, at } => {
                    batch.used_tokens.push(index, id.as_uuid(), &tokens::Use { id: *id, at: *at })?;
                }
                Write::RevokeTokens { user_id, purpose, at } => {
                    let params = tokens::Revoke { user_id: *user_id, purpose: purpose.as_str(), at: *at };
                    batch.revoked_tokens.push(index, user_id.as_uuid(), &params)?;
                }
                Write::StoreResponse(answer) => {
                    batch.answers.push(index, answers::name(answer), &answers::Params::new(answer))?;
                }
                Write::InsertTask(task) => {
                    batch.new_tasks.push(index, task.id.as_uuid(), &tasks::Params::new(task))?;
                }
                Write::UpdateTask(task) => {
                    batch.changed_tasks.push(index, task.id.as_uuid(), &tasks::Params::new(task))?;
                }
                Write::InsertMeeting(_)
                | Write::UpdateMeeting(_)
                | Write::ExpectMeeting { .. }
                | Write::ExpectParticipants { .. }
                | Write::ConfirmStart { .. }
                | Write::InsertParticipant(_)
                | Write::UpdateParticipant(_)
                | Write::LinkGuests { .. }
                | Write::InsertRevision(_) => batch.meetings.push(index, write, &mut batch.owners)?,
                Write::CancelDelivery { key, reason, at } => {
                    batch.cancellations.push(index, (), &deliveries::Cancel::new(key, reason, *at))?;
                }
                Write::RescheduleDelivery { key, due_at, next_at } => {
                    let params =
                        deliveries::Reschedule { dedupe_key: key.as_str(), due_at: *due_at, next_at: *next_at };
                    batch.reschedules.push(index, (), &params)?;
                }
                Write::RetryDelivery { id, at } => {
                    batch.retries.push(index, id.as_uuid(), &deliveries::Retry { id: *id, at: *at })?;
                }
                Write::Suppress(new) => batch.suppressions.push(index, new)?,
                Write::OverrideSuppression(email) => batch.suppressions.override_once(email),
                Write::Unsubscribe { email, kind, at } => batch.unsubscribes.push(index, email, *kind, Some(*at))?,
                Write::Resubscribe { email, kind } => batch.unsubscribes.push(index, email, *kind, None)?,
                Write::Unsuppress(email) => batch.suppressions.lift(email),
                Write::InsertRun(_)
                | Write::AdvanceRun { .. }
                | Write::FinishRun { .. }
                | Write::ReleaseRun { .. }
                | Write::PauseJob { .. }
                | Write::ResumeJob { .. } => batch.runs.push(index, write)?,
                Write::SetStatistics(counted) => {
                    batch.statistics.push(index, counted.user_id.as_uuid(), &statistics::Params::new(counted))?;
                }
                Write::KeepMail(mail) => batch.mails.push(index, mail.id.as_uuid(), &mailbox::Params::new(mail))?,
                _ => return Err(PgStoreError::Unknown("this kind of write").into()),
            }
        }
        for (index, delivery) in changes.deliveries.iter().enumerate() {
            batch.deliveries.push(index, delivery)?;
        }
        for (index, announcement) in changes.events.iter().enumerate() {
            batch.events.push(index, announcement)?;
        }
        if batch.meetings.lock_rows() {
            let audience = changes.events.iter().flat_map(|announcement| &announcement.audience);
            audience.for_each(|user| batch.owners.tell(*user));
        }
        Ok(batch)
    }

    /// Runs the statements. The caller has begun a transaction and undoes it after an error.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        self.runs.apply(conn).await?;
        users::update(conn, &self.changed_users).await?;
        users::insert(conn, &self.new_users).await?;
        self.owners.hold(conn).await?;
        statistics::set(conn, &self.statistics).await?;
        accounts::set(conn, &self.credentials).await?;
        tokens::insert(conn, &self.new_tokens).await?;
        tokens::spend(conn, &self.used_tokens).await?;
        tokens::revoke(conn, &self.revoked_tokens).await?;
        sessions::update(conn, &self.changed_sessions).await?;
        sessions::open(conn, &self.new_sessions).await?;
        sessions::end(conn, &self.ended_sessions).await?;
        answers::remember(conn, &self.answers).await?;
        tasks::update(conn, &self.changed_tasks).await?;
        tasks::insert(conn, &self.new_tasks).await?;
        self.meetings.apply(conn).await?;
        users::delete(conn, &self.gone_users).await?;
        deliveries::cancel(conn, &self.cancellations).await?;
        deliveries::reschedule(conn, &self.reschedules).await?;
        deliveries::retry(conn, &self.retries).await?;
        mailbox::keep(conn, &self.mails).await?;
        self.deliveries.plan(conn).await?;
        self.suppressions.apply(conn).await?;
        self.unsubscribes.apply(conn).await?;
        self.events.append(conn).await
    }
}
