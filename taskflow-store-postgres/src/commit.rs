//! Applying [`Changes`]: the order in which nouns lock their rows. Writes of a kind become one statement.

use sqlx::PgConnection;
use taskflow_core::{Changes, StoreError, Write};

use crate::owners::UserLocks;
use crate::{
    accounts, deliveries, feed, mailbox, meetings, quotas, responses, sessions, slots, statistics, suppressions, tasks,
    tokens, unsubscribes, users,
};

/// [`Changes`] as the parameters of statements, made before anybody waits for a connection.
#[derive(Default)]
pub(crate) struct Batch {
    users: users::UserWrites,
    locks: UserLocks,
    credentials: accounts::CredentialWrites,
    sessions: sessions::SessionWrites,
    tokens: tokens::TokenWrites,
    responses: responses::ResponseWrites,
    tasks: tasks::TaskWrites,
    meetings: meetings::MeetingWrites,
    deliveries: deliveries::DeliveryWrites,
    suppressions: suppressions::SuppressionWrites,
    unsubscribes: unsubscribes::UnsubscribeWrites,
    jobs: slots::JobWrites,
    statistics: statistics::StatisticsWrites,
    quotas: quotas::QuotaWrites,
    mailbox: mailbox::MailboxWrites,
    plans: deliveries::Plans,
    events: feed::Events,
}

impl Batch {
    pub(crate) fn new(changes: &Changes) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for (index, write) in changes.writes.iter().enumerate() {
            match write {
                Write::Access(write) => {
                    write.check(index)?;
                    batch.locks.require(index, write.account());
                }
                Write::Quota(write) => batch.quotas.push(index, write)?,
                Write::User(write) => batch.users.push(index, write)?,
                Write::Credential(write) => batch.credentials.push(index, write)?,
                Write::Session(write) => batch.sessions.push(index, write)?,
                Write::Token(write) => batch.tokens.push(index, write, &mut batch.locks)?,
                Write::Response(write) => batch.responses.push(index, write)?,
                Write::Task(write) => batch.tasks.push(index, write)?,
                Write::Meeting(write) => batch.meetings.push(index, write, &mut batch.locks)?,
                Write::Participant(write) => batch.meetings.participants.push(index, write, &mut batch.locks)?,
                Write::Delivery(write) => batch.deliveries.push(index, write)?,
                Write::Suppression(write) => batch.suppressions.push(index, write)?,
                Write::Unsubscribe(write) => batch.unsubscribes.push(index, write)?,
                Write::Job(write) => batch.jobs.push(index, write)?,
                Write::Statistics(write) => batch.statistics.push(index, write)?,
                Write::Mailbox(write) => batch.mailbox.push(index, write)?,
            }
        }
        for delivery in &changes.deliveries {
            batch.plans.push(delivery)?;
        }
        for (index, event) in changes.events.iter().enumerate() {
            batch.events.push(index, event)?;
        }
        if batch.meetings.lock_rows() {
            changes.events.iter().flat_map(|event| &event.audience).for_each(|user| batch.locks.add(*user));
        }
        Ok(batch)
    }

    /// Runs the statements. The caller has begun a transaction and undoes it after an error.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        self.jobs.apply(conn).await?;
        self.users.apply(conn).await?;
        self.locks.lock(conn).await?;
        self.quotas.apply(conn).await?;
        self.statistics.apply(conn).await?;
        self.credentials.apply(conn).await?;
        self.tokens.apply(conn).await?;
        self.sessions.apply(conn).await?;
        self.responses.apply(conn).await?;
        self.tasks.apply(conn).await?;
        self.meetings.apply(conn).await?;
        self.users.delete(conn).await?;
        self.deliveries.apply(conn).await?;
        self.mailbox.apply(conn).await?;
        self.plans.plan(conn).await?;
        self.suppressions.apply(conn).await?;
        self.unsubscribes.apply(conn).await?;
        self.events.append(conn).await
    }
}
