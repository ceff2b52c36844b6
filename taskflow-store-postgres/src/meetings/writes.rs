//! Writes of meetings and their participants in a commit.

use sqlx::PgConnection;
use taskflow_core::{MeetingWrite, ParticipantWrite, StoreError};

use super::{participants, revisions};
use crate::owners::UserLocks;
use crate::rows::Rows;

/// The writes of meetings as the parameters of statements.
#[derive(Default)]
pub(crate) struct MeetingWrites {
    new: Rows,
    changed: Rows,
    confirmed: Rows,
    expected: Rows,
    pub(crate) participants: ParticipantWrites,
    revisions: Rows<()>,
}

impl MeetingWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &MeetingWrite, locks: &mut UserLocks) -> Result<(), StoreError> {
        match write {
            MeetingWrite::Insert(meeting) => {
                meeting.created_by.into_iter().for_each(|user| locks.require(index, user));
                self.new.push_entity(index, meeting.id.as_uuid(), meeting)
            }
            MeetingWrite::Update(meeting) => self.changed.push_entity(index, meeting.id.as_uuid(), meeting),
            MeetingWrite::ConfirmStart { id, tzdb } => {
                self.confirmed.push(index, id.as_uuid(), &super::Confirmed { id: *id, tzdb })
            }
            MeetingWrite::ExpectVersion { id, version } => {
                self.expected.push(index, id.as_uuid(), &super::Expected { id: *id, version: *version })
            }
            MeetingWrite::InsertRevision(revision) => {
                self.revisions.push(index, (), &revisions::Params::new(revision)?)
            }
        }
    }

    /// Returns whether this locks rows that others may be waiting for.
    pub(crate) fn lock_rows(&self) -> bool {
        let participants = &self.participants;
        let rows = [&self.changed, &self.confirmed, &self.expected, &participants.changed, &participants.linked_guests];
        rows.into_iter().any(|rows| !rows.is_empty())
    }

    /// Runs the statements: first the meetings are locked, then what was expected of their participants is checked, and
    /// only then these are written.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        super::update(conn, &self.changed).await?;
        super::confirm(conn, &self.confirmed).await?;
        super::expect(conn, &self.expected).await?;
        super::insert(conn, &self.new).await?;
        self.participants.apply(conn).await?;
        revisions::insert(conn, &self.revisions).await
    }
}

/// The writes of participants as the parameters of statements.
#[derive(Default)]
pub(crate) struct ParticipantWrites {
    expected: Rows,
    new: Rows,
    changed: Rows,
    linked_guests: Rows,
}

impl ParticipantWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(
        &mut self,
        index: usize,
        write: &ParticipantWrite,
        locks: &mut UserLocks,
    ) -> Result<(), StoreError> {
        match write {
            ParticipantWrite::ExpectVersions { meeting, versions } => {
                let params = participants::Expected { meeting_id: *meeting, versions: *versions };
                self.expected.push(index, meeting.as_uuid(), &params)
            }
            ParticipantWrite::Insert(participant) => {
                participant.user_id.into_iter().for_each(|user| locks.require(index, user));
                self.new.push_entity(index, participant.id.as_uuid(), participant)
            }
            ParticipantWrite::Update(participant) => {
                participant.user_id.into_iter().for_each(|user| locks.require_row(index, user));
                self.changed.push_entity(index, participant.id.as_uuid(), participant)
            }
            ParticipantWrite::LinkGuests { email, user_id } => {
                locks.require(index, *user_id);
                self.linked_guests.push(index, user_id.as_uuid(), &participants::Linked::new(email, *user_id))
            }
        }
    }

    async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        participants::expect(conn, &self.expected).await?;
        participants::update(conn, &self.changed).await?;
        participants::link(conn, &self.linked_guests).await?;
        participants::insert(conn, &self.new).await
    }
}
