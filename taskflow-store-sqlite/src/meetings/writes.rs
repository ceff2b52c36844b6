//! Writes of meetings and their participants in a commit.

use sqlx::SqliteConnection;
use taskflow_core::{MeetingWrite, ParticipantWrite, StoreError};

use super::{Confirmed, Expected, participants, revisions};
use crate::rows::Rows;

/// The writes of meetings as the parameters of statements.
#[derive(Default)]
pub(crate) struct MeetingWrites {
    expected: Rows,
    changed: Rows,
    new: Rows,
    confirmed: Rows,
    pub(crate) participants: ParticipantWrites,
    revisions: Rows,
}

impl MeetingWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &MeetingWrite) -> Result<(), StoreError> {
        match write {
            MeetingWrite::Insert(meeting) => self.new.push_entity(index, meeting.id, meeting),
            MeetingWrite::Update(meeting) => self.changed.push_entity(index, meeting.id, meeting),
            MeetingWrite::ExpectVersion { id, version } => {
                self.expected.push(index, id, &Expected { id: *id, version: *version })
            }
            MeetingWrite::ConfirmStart { id, tzdb } => self.confirmed.push(index, id, &Confirmed { id: *id, tzdb }),
            MeetingWrite::InsertRevision(revision) => {
                self.revisions.push(index, revision.meeting_id, &revisions::Params::new(revision)?)
            }
        }
    }

    /// Runs the statements. What a decision relied on is checked before the rows that it changes are written.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        super::expect(conn, &self.expected).await?;
        super::update(conn, &self.changed).await?;
        super::insert(conn, &self.new).await?;
        super::confirm(conn, &self.confirmed).await?;
        self.participants.apply(conn).await?;
        revisions::insert(conn, &self.revisions).await
    }
}

/// The writes of participants as the parameters of statements.
#[derive(Default)]
pub(crate) struct ParticipantWrites {
    expected: Rows,
    changed: Rows,
    new: Rows,
    linked_guests: Rows,
}

impl ParticipantWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &ParticipantWrite) -> Result<(), StoreError> {
        match write {
            ParticipantWrite::ExpectVersions { meeting, versions } => {
                let expected = participants::Expected { meeting_id: *meeting, versions: *versions };
                self.expected.push(index, meeting, &expected)
            }
            ParticipantWrite::Update(participant) => self.changed.push_entity(index, participant.id, participant),
            ParticipantWrite::Insert(participant) => self.new.push_entity(index, participant.id, participant),
            ParticipantWrite::LinkGuests { email, user_id } => {
                let guest = participants::Guest { email_key: email.key(), user_id: *user_id };
                self.linked_guests.push(index, user_id, &guest)
            }
        }
    }

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        participants::expect(conn, &self.expected).await?;
        participants::update(conn, &self.changed).await?;
        participants::insert(conn, &self.new).await?;
        participants::link(conn, &self.linked_guests).await
    }
}
