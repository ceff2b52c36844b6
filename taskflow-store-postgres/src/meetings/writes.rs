//! What a commit does to meetings and the people in them.

use sqlx::PgConnection;
use taskflow_core::{StoreError, Write};

use super::{participants, revisions};
use crate::error::PgStoreError;
use crate::owners::UserLocks;
use crate::rows::Rows;

/// The writes of meetings as the parameters of statements.
#[derive(Default)]
pub(crate) struct MeetingWrites {
    new: Rows,
    changed: Rows,
    confirmed: Rows,
    expected: Rows,
    expected_participants: Rows,
    new_participants: Rows,
    changed_participants: Rows,
    linked_guests: Rows,
    revisions: Rows<()>,
}

impl MeetingWrites {
    pub(crate) fn push(&mut self, index: usize, write: &Write, owners: &mut UserLocks) -> Result<(), StoreError> {
        match write {
            Write::InsertMeeting(meeting) => {
                meeting.created_by.into_iter().for_each(|user| owners.need(index, user));
                self.new.push(index, meeting.id.as_uuid(), &super::Params::new(meeting))
            }
            Write::UpdateMeeting(meeting) => {
                self.changed.push(index, meeting.id.as_uuid(), &super::Params::new(meeting))
            }
            Write::ConfirmStart { id, tzdb } => {
                self.confirmed.push(index, id.as_uuid(), &super::Confirmed { id: *id, tzdb })
            }
            Write::ExpectMeeting { id, version } => {
                self.expected.push(index, id.as_uuid(), &super::Expected { id: *id, version: *version })
            }
            Write::ExpectParticipants { meeting, versions } => {
                let params = participants::Expected { meeting_id: *meeting, versions: *versions };
                self.expected_participants.push(index, meeting.as_uuid(), &params)
            }
            Write::InsertParticipant(participant) => {
                participant.user_id.into_iter().for_each(|user| owners.need(index, user));
                let params = participants::Params::new(participant);
                self.new_participants.push(index, participant.id.as_uuid(), &params)
            }
            Write::UpdateParticipant(participant) => {
                participant.user_id.into_iter().for_each(|user| owners.need(index, user));
                let params = participants::Params::new(participant);
                self.changed_participants.push(index, participant.id.as_uuid(), &params)
            }
            Write::LinkGuests { email, user_id } => {
                owners.need(index, *user_id);
                self.linked_guests.push(index, user_id.as_uuid(), &participants::Linked::new(email, *user_id))
            }
            Write::InsertRevision(revision) => self.revisions.push(index, (), &revisions::Params::new(revision)?),
            _ => Err(PgStoreError::Unknown("this kind of write to a meeting").into()),
        }
    }

    /// Whether rows get locked for which others may be waiting.
    pub(crate) fn lock_rows(&self) -> bool {
        let rows = [&self.changed, &self.confirmed, &self.expected, &self.changed_participants, &self.linked_guests];
        rows.into_iter().any(|rows| !rows.is_empty())
    }

    /// Runs the statements: first the meetings are locked, then what was expected of their participants is checked, and
    /// only then these are written.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        super::update(conn, &self.changed).await?;
        super::confirm(conn, &self.confirmed).await?;
        super::expect(conn, &self.expected).await?;
        super::insert(conn, &self.new).await?;
        participants::expect(conn, &self.expected_participants).await?;
        participants::update(conn, &self.changed_participants).await?;
        participants::link(conn, &self.linked_guests).await?;
        participants::insert(conn, &self.new_participants).await?;
        revisions::insert(conn, &self.revisions).await
    }
}
