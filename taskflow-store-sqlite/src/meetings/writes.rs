//! What a commit does to meetings and the people in them.

use sqlx::SqliteConnection;
use taskflow_core::{StoreError, Write};

use super::{Confirmed, Expected, Params, participants, revisions};
use crate::commit::Rows;
use crate::error::SqliteStoreError;

/// The writes of meetings as the parameters of statements.
#[derive(Default)]
pub(crate) struct MeetingWrites {
    expected: Rows,
    changed: Rows,
    new: Rows,
    confirmed: Rows,
    expected_participants: Rows,
    changed_participants: Rows,
    new_participants: Rows,
    linked_guests: Rows,
    revisions: Rows,
}

impl MeetingWrites {
    /// Takes over a write of a meeting, of who is in it, or of what it was like.
    pub(crate) fn push(&mut self, index: usize, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::InsertMeeting(meeting) => self.new.push(index, meeting.id, &Params::new(meeting)),
            Write::UpdateMeeting(meeting) => self.changed.push(index, meeting.id, &Params::new(meeting)),
            Write::ExpectMeeting { id, version } => {
                self.expected.push(index, id, &Expected { id: *id, version: *version })
            }
            Write::ConfirmStart { id, tzdb } => self.confirmed.push(index, id, &Confirmed { id: *id, tzdb }),
            Write::ExpectParticipants { meeting, versions } => {
                let expected = participants::Expected { meeting_id: *meeting, versions: *versions };
                self.expected_participants.push(index, meeting, &expected)
            }
            Write::UpdateParticipant(participant) => {
                let params = participants::Params::new(participant);
                self.changed_participants.push(index, participant.id, &params)
            }
            Write::InsertParticipant(participant) => {
                let params = participants::Params::new(participant);
                self.new_participants.push(index, participant.id, &params)
            }
            Write::LinkGuests { email, user_id } => {
                let guest = participants::Guest { email_key: email.key(), user_id: *user_id };
                self.linked_guests.push(index, user_id, &guest)
            }
            Write::InsertRevision(revision) => {
                self.revisions.push(index, revision.meeting_id, &revisions::Params::new(revision)?)
            }
            _ => Err(SqliteStoreError::Unknown("this kind of write").into()),
        }
    }

    /// Runs the statements. What a decision relied on is looked at before the rows that it changes.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        super::expect(conn, &self.expected).await?;
        super::update(conn, &self.changed).await?;
        super::insert(conn, &self.new).await?;
        super::confirm(conn, &self.confirmed).await?;
        participants::expect(conn, &self.expected_participants).await?;
        participants::update(conn, &self.changed_participants).await?;
        participants::insert(conn, &self.new_participants).await?;
        participants::link(conn, &self.linked_guests).await?;
        revisions::insert(conn, &self.revisions).await
    }
}
