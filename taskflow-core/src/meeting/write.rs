use super::{Meeting, Revision};
use crate::MeetingId;

/// A write of a meeting. Its participants have [writes of their own](crate::ParticipantWrite).
#[derive(Debug, Clone, PartialEq)]
pub enum MeetingWrite {
    /// Inserts a meeting; `Stale` when its organizer is gone.
    Insert(Meeting),
    /// Replaces a meeting in everything but its organizer; `Stale` unless the stored version is one less.
    Update(Meeting),
    /// Changes nothing: `Stale` unless the meeting has this version, which it keeps until the commit is done.
    ExpectVersion {
        /// The meeting.
        id: MeetingId,
        /// The version that the decision was based on.
        version: u64,
    },
    /// Notes that the meeting's start agrees with the rules of this version of the time zone database.
    ConfirmStart {
        /// The meeting.
        id: MeetingId,
        /// The version of the database.
        tzdb: String,
    },
    /// Inserts the facts of a meeting as of one version.
    InsertRevision(Revision),
}
