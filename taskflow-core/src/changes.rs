//! The one way to write: a value that a store applies, all or nothing.

use crate::job::RunLease;
use crate::{
    Answer, CapturedMail, Counts, Credential, DedupeKey, DeliveryId, EmailAddress, FeedEvent, JobName, JobRun,
    LeaseToken, Meeting, MeetingId, NewDelivery, NoticeKind, Participant, Revision, RunId, Session, SessionId,
    Suppression, Task, TaskStatistics, Timestamp, Token, TokenId, TokenPurpose, User, UserId,
};

/// Everything one decision changes: rows, the mail they cause, and what people following along are told.
///
/// A change without its mail cannot be written by accident: [`Store::commit`](crate::ports::Store::commit) is the only
/// write path and applies all of it or nothing (transactional outbox).
///
/// Its writes have no order and touch each row at most once.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "changes do nothing until they are committed"]
pub struct Changes {
    /// Rows to write.
    pub writes: Vec<Write>,
    /// Mail to plan: an upsert on the key, see [`Store::commit`](crate::ports::Store::commit).
    pub deliveries: Vec<NewDelivery>,
    /// What to append to the feeds.
    pub events: Vec<FeedEvent>,
}

/// One row to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Write {
    /// A new account; `Taken` when its name or address is.
    InsertUser(User),
    /// An account after a change; `Stale` unless the stored version is one less.
    UpdateUser(User),
    /// Removes an account with its credential, tokens, tasks, events, feed and answers, ends its sessions, cancels its open
    /// deliveries and takes its id off meetings and participants; `Stale` when it is gone.
    DeleteUser {
        /// Whom.
        id: UserId,
        /// When: the open deliveries count as settled then.
        at: Timestamp,
    },
    /// Sets or replaces a credential; `Stale` when its owner is gone.
    SetCredential(Credential),
    /// A new session; `Stale` when its owner is gone.
    OpenSession(Session),
    /// A session after a refresh; `Stale` unless the stored version is one less and it has not ended.
    UpdateSession(Session),
    /// Ends the open sessions of a person, or one of them. They are kept, so that every node learns of it.
    EndSessions {
        /// Whose.
        user_id: UserId,
        /// Only this one.
        only: Option<SessionId>,
        /// When.
        at: Timestamp,
    },
    /// What stands behind a link that is mailed; `Stale` when its owner is gone.
    InsertToken(Token),
    /// Uses a token; `Stale` unless it is there and was not used.
    UseToken {
        /// Which.
        id: TokenId,
        /// When.
        at: Timestamp,
    },
    /// Uses up every token of a person for a purpose that is still good: no link that was mailed works any more.
    RevokeTokens {
        /// Whose.
        user_id: UserId,
        /// Which.
        purpose: TokenPurpose,
        /// When.
        at: Timestamp,
    },
    /// Keeps an answer for its key; `Taken` while another one is [kept](Answer::is_kept), `Stale` when its owner is gone.
    StoreResponse(Answer),
    /// A new task; `Stale` when its owner is gone.
    InsertTask(Task),
    /// A task after a change; `Stale` unless the stored version is one less.
    UpdateTask(Task),
    /// A new meeting; `Stale` when who called it is gone.
    InsertMeeting(Meeting),
    /// A meeting after a change, in everything but who called it; `Stale` unless the stored version is one less.
    UpdateMeeting(Meeting),
    /// Changes nothing: `Stale` unless the meeting has this version, which it keeps until the commit is done.
    ExpectMeeting {
        /// Which.
        id: MeetingId,
        /// What was decided upon.
        version: u64,
    },
    /// Changes nothing: `Stale` unless the versions of all participants of the meeting, as they were before this commit,
    /// add up to this. Only together with a write of the meeting itself, whose row it relies on.
    ExpectParticipants {
        /// Of which.
        meeting: MeetingId,
        /// The sum of versions that was decided upon.
        versions: u64,
    },
    /// The meeting's start is what the rules of this version of the time zone database make of it.
    ConfirmStart {
        /// Which.
        id: MeetingId,
        /// The version of the database.
        tzdb: String,
    },
    /// A new participant; `Stale` when their account is gone, when the address is in the meeting already, and when they are
    /// a guest although the address is verified to be an account's by now.
    InsertParticipant(Participant),
    /// A participant after a change, in everything but [`told`](Participant::told); `Stale` unless the stored version is
    /// one less, and when their account is gone.
    UpdateParticipant(Participant),
    /// Makes this account the one of all guests with this address, wherever it has no participant in the meeting already.
    /// Guests for whom another participant stands stay as they are.
    LinkGuests {
        /// The address, shown to be theirs.
        email: EmailAddress,
        /// Whose it is; `Stale` when they are gone.
        user_id: UserId,
    },
    /// What was so from one version of a meeting on.
    InsertRevision(Revision),
    /// Cancels the delivery of that key, if there is one and it is still open. A claimed one is only marked: its
    /// settlement decides.
    CancelDelivery {
        /// Which.
        key: DedupeKey,
        /// Why, for people who read the ledger.
        reason: String,
        /// When: it counts as settled then.
        at: Timestamp,
    },
    /// Changes when a scheduled delivery is due and when it is tried next; one in any other state stays as it is.
    RescheduleDelivery {
        /// Which.
        key: DedupeKey,
        /// When it is due.
        due_at: Timestamp,
        /// When it is tried next.
        next_at: Timestamp,
    },
    /// Takes a delivery that was given up, cancelled or expired up again, as if it were due now and had never been tried;
    /// `Stale` unless it is one of those.
    RetryDelivery {
        /// Which.
        id: DeliveryId,
        /// When it is tried.
        at: Timestamp,
    },
    /// No more mail to an address; what is known of it already stays.
    Suppress(Suppression),
    /// Counts a mail that is sent to a suppressed address all the same ([`Suppression::overrides`]); nothing when the address
    /// is not suppressed.
    OverrideSuppression(EmailAddress),
    /// Mail to an address again.
    Unsuppress(EmailAddress),
    /// Ends mail of a kind to an address without an account; nothing when it was ended already.
    Unsubscribe {
        /// Which address.
        email: EmailAddress,
        /// Which kind.
        kind: NoticeKind,
        /// When.
        at: Timestamp,
    },
    /// Mail of a kind to an address without an account again.
    Resubscribe {
        /// Which address.
        email: EmailAddress,
        /// Which kind.
        kind: NoticeKind,
    },
    /// A run that somebody asked for by hand; `Taken` when the job has one for that slot that is no dry run.
    InsertRun(JobRun),
    /// Saves how far a run has come and holds it for another `lease.lasts`; `Stale` unless it is held under `lease.token`.
    AdvanceRun {
        /// Which.
        id: RunId,
        /// Under which lease.
        lease: RunLease,
        /// How far it is.
        cursor: String,
        /// What it has counted.
        counts: Counts,
    },
    /// Ends a run and gives it back; `Stale` unless it is held under this lease.
    FinishRun {
        /// Which.
        id: RunId,
        /// Under which lease.
        lease: LeaseToken,
        /// When.
        at: Timestamp,
        /// What it has counted.
        counts: Counts,
        /// Why it failed, if it did.
        error: Option<String>,
        /// What the job's next run shall know; `None` leaves what is there.
        memo: Option<String>,
    },
    /// Gives a run back half-way, so that anybody can go on with it; `Stale` unless it is held under this lease.
    ReleaseRun {
        /// Which.
        id: RunId,
        /// Under which lease.
        lease: LeaseToken,
    },
    /// No longer follows the schedule of a job; one that is paused stays so since then. What is open goes on.
    PauseJob {
        /// Which.
        job: JobName,
        /// Since when.
        at: Timestamp,
    },
    /// Follows the schedule again if the job was paused; what came due meanwhile is not made up for.
    ResumeJob {
        /// Which.
        job: JobName,
        /// Everything up to here counts as taken care of, and nothing later.
        slot: Timestamp,
    },
    /// What was counted of a person, in place of what was counted before; nothing when they are gone.
    SetStatistics(TaskStatistics),
    /// Puts a mail into the dev mailbox, which keeps the newest [`MAILBOX_SIZE`](crate::MAILBOX_SIZE).
    KeepMail(CapturedMail),
}

impl Changes {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write.
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds deliveries.
    pub fn deliver(mut self, deliveries: impl IntoIterator<Item = NewDelivery>) -> Self {
        self.deliveries.extend(deliveries);
        self
    }

    /// Adds an event.
    pub fn announce(mut self, announcement: FeedEvent) -> Self {
        self.events.push(announcement);
        self
    }

    /// Adds all of `other`.
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.deliveries.extend(other.deliveries);
        self.events.extend(other.events);
        self
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.deliveries.is_empty() && self.events.is_empty()
    }
}

/// Which version of a row a caller wants to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there: the last write wins.
    #[default]
    Any,
    /// Only this one (`If-Match`).
    Version(u64),
    /// Only one of these; none when there are none.
    OneOf(Vec<u64>),
}
