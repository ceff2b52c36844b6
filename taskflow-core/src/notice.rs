//! What to tell one person. A stored notice holds ids and a kind; its words are found when it leaves.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{InvalidValue, MeetingId, ParticipantId, TaskId, TaskStatus, Timestamp, TokenId};

/// What to tell somebody. This is a stored format: fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// The account is there.
    Welcome {
        /// Lets the reader show that the address is theirs; absent when nobody makes links.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
    },
    /// An address is to be verified.
    VerifyEmail {
        /// Lets the reader do it.
        token: TokenId,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Somebody asked for a new password.
    PasswordReset {
        /// Lets the reader set it.
        token: TokenId,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The password was changed; who did not do it must know.
    PasswordChanged {
        /// When.
        at: Timestamp,
    },
    /// The status of a task was changed.
    TaskStatus {
        /// Which.
        task: TaskId,
        /// What it was before.
        was: TaskStatus,
        /// What it is since.
        is: TaskStatus,
    },
    /// A mail that whoever runs the service wrote: its words are here, since they are nowhere else.
    Letter(Box<CustomEmail>),
    /// Another kind of notice with made-up content, to see what it looks like.
    Sample {
        /// Which.
        of: NoticeKind,
    },
    /// A task is due soon.
    TaskDue {
        /// Which.
        task: TaskId,
        /// When it was due as this was planned; a task that moved is told by another notice.
        due_at: Timestamp,
    },
    /// What is open, twice a day. Which tasks these are is found when it leaves.
    TaskReminder {
        /// The day it is for, where the reader was as this was planned.
        date: NaiveDate,
    },
    /// The day ahead. What it holds is found when it leaves.
    DailySummary {
        /// Which day, where the reader was as this was planned.
        date: NaiveDate,
    },
    /// Something is wrong with the service.
    ServerAlert {
        /// Since when.
        since: Timestamp,
        /// What, one line each.
        problems: Vec<String>,
        /// The parts of the service that have them, for advice on what to do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        areas: Vec<ProblemArea>,
    },
    /// It is right again.
    ServerRecovery {
        /// Since when it was wrong.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
        /// What was wrong, one line each.
        problems: Vec<String>,
    },
    /// Somebody is invited to a meeting.
    MeetingInvite {
        /// Which.
        meeting: MeetingId,
        /// Who.
        participant: ParticipantId,
        /// Whether they had left by themselves: it is news even though nobody told them that it is off.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A meeting is different from what a participant was told last.
    MeetingChange {
        /// Which.
        meeting: MeetingId,
        /// Who.
        participant: ParticipantId,
        /// The version that brought the change; a later one may tell more.
        version: u64,
    },
    /// A meeting is off, for everybody or for this participant.
    MeetingCancel {
        /// Which.
        meeting: MeetingId,
        /// Who.
        participant: ParticipantId,
    },
    /// A meeting begins soon.
    MeetingReminder {
        /// Which.
        meeting: MeetingId,
        /// Who.
        participant: ParticipantId,
        /// When it was to begin as this was planned; a meeting that moved is told by another notice.
        starts_at: Timestamp,
        /// How many minutes before; `None`: the organizer sent it by hand.
        #[serde(default)]
        minutes: Option<u32>,
        /// What the organizer adds.
        #[serde(default)]
        message: Option<String>,
    },
    /// A participant has left a meeting; for its organizer.
    MeetingLeft {
        /// Which.
        meeting: MeetingId,
        /// Who.
        participant: ParticipantId,
    },
    /// A participant proposes another time; for the organizer.
    MeetingProposal {
        /// The meeting.
        meeting: MeetingId,
        /// The participant.
        participant: ParticipantId,
        /// When it would begin, if the proposal says so. Without a word of it later, the proposal no longer stands.
        #[serde(default)]
        starts_at: Option<Timestamp>,
    },
    /// Mail about a meeting does not reach a participant; for the organizer.
    MeetingUndelivered {
        /// The meeting.
        meeting: MeetingId,
        /// The participant.
        participant: ParticipantId,
    },
}

/// A part of the service that monitoring watches. A stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemArea {
    /// The database answers slowly.
    Database,
    /// Due mail is not sent.
    MailQueue,
    /// Too many mails are refused.
    MailFailures,
    /// The disk is nearly full.
    Disk,
    /// A node has stopped its heartbeat.
    Nodes,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ProblemArea {
    /// Its word in stores and in the keys of the advice.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::MailQueue => "mail_queue",
            Self::MailFailures => "mail_failures",
            Self::Disk => "disk",
            Self::Nodes => "nodes",
            Self::Unknown => "unknown",
        }
    }
}

/// A mail that somebody wrote by hand. A stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomEmail {
    /// One line.
    pub subject: String,
    /// As plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// As HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Whom it says it is to.
    pub to: Vec<String>,
    /// Who reads a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// Most deliveries that are one mail together.
pub const MOST_TOGETHER: usize = 50;

/// The kind of a [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// See [`Notice::Welcome`].
    Welcome,
    /// See [`Notice::VerifyEmail`].
    VerifyEmail,
    /// See [`Notice::PasswordReset`].
    PasswordReset,
    /// See [`Notice::PasswordChanged`].
    PasswordChanged,
    /// See [`Notice::TaskStatus`].
    TaskStatus,
    /// See [`Notice::Letter`].
    Letter,
    /// See [`Notice::Sample`].
    Sample,
    /// See [`Notice::TaskReminder`].
    TaskReminder,
    /// See [`Notice::DailySummary`].
    DailySummary,
    /// See [`Notice::ServerAlert`].
    ServerAlert,
    /// See [`Notice::ServerRecovery`].
    ServerRecovery,
    /// See [`Notice::TaskDue`].
    TaskDue,
    /// See [`Notice::MeetingInvite`].
    MeetingInvite,
    /// See [`Notice::MeetingChange`].
    MeetingChange,
    /// See [`Notice::MeetingCancel`].
    MeetingCancel,
    /// See [`Notice::MeetingReminder`].
    MeetingReminder,
    /// See [`Notice::MeetingLeft`].
    MeetingLeft,
    /// See [`Notice::MeetingProposal`].
    MeetingProposal,
    /// See [`Notice::MeetingUndelivered`].
    MeetingUndelivered,
}

/// Who leaves first. Mail of a lower rank never waits for mail of a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Accounts and alerts.
    Security = 0,
    /// Meetings.
    Meeting = 1,
    /// Tasks.
    Task = 2,
    /// Summaries.
    Digest = 3,
}

impl Priority {
    /// Every priority, first to last.
    pub const ALL: [Self; 4] = [Self::Security, Self::Meeting, Self::Task, Self::Digest];

    /// Its rank in stores: 0 leaves first.
    #[must_use]
    pub fn rank(self) -> i16 {
        self as i16
    }
}

impl Notice {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Welcome { .. } => NoticeKind::Welcome,
            Self::VerifyEmail { .. } => NoticeKind::VerifyEmail,
            Self::PasswordReset { .. } => NoticeKind::PasswordReset,
            Self::PasswordChanged { .. } => NoticeKind::PasswordChanged,
            Self::TaskStatus { .. } => NoticeKind::TaskStatus,
            Self::Letter(_) => NoticeKind::Letter,
            Self::Sample { .. } => NoticeKind::Sample,
            Self::TaskDue { .. } => NoticeKind::TaskDue,
            Self::TaskReminder { .. } => NoticeKind::TaskReminder,
            Self::DailySummary { .. } => NoticeKind::DailySummary,
            Self::ServerAlert { .. } => NoticeKind::ServerAlert,
            Self::ServerRecovery { .. } => NoticeKind::ServerRecovery,
            Self::MeetingInvite { .. } => NoticeKind::MeetingInvite,
            Self::MeetingChange { .. } => NoticeKind::MeetingChange,
            Self::MeetingCancel { .. } => NoticeKind::MeetingCancel,
            Self::MeetingReminder { .. } => NoticeKind::MeetingReminder,
            Self::MeetingLeft { .. } => NoticeKind::MeetingLeft,
            Self::MeetingProposal { .. } => NoticeKind::MeetingProposal,
            Self::MeetingUndelivered { .. } => NoticeKind::MeetingUndelivered,
        }
    }

    /// The participant whom it is sent to about a meeting; not the one about whom its organizer is told.
    #[must_use]
    pub fn participant(&self) -> Option<ParticipantId> {
        match self {
            Self::MeetingInvite { participant, .. }
            | Self::MeetingChange { participant, .. }
            | Self::MeetingCancel { participant, .. }
            | Self::MeetingReminder { participant, .. } => Some(*participant),
            _ => None,
        }
    }

    /// From when on a notice that was due at `due_at` is no longer worth sending (catch-up after downtime); `None`: it
    /// always is. Later it is expired, and counted.
    #[must_use]
    pub fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::TaskDue { .. } | Self::TaskStatus { .. } => Some(due_at + Duration::from_hours(24)),
            // The next one is not far, and says what is so then.
            Self::TaskReminder { .. } | Self::DailySummary { .. } => Some(due_at + Duration::from_hours(6)),
            Self::ServerAlert { .. } | Self::ServerRecovery { .. } => Some(due_at + Duration::from_hours(24)),
            Self::Letter(_) => None,
            Self::Sample { .. } => Some(due_at + Duration::from_hours(1)),
            // One that is due as the meeting begins has that minute.
            Self::MeetingReminder { starts_at, minutes: Some(0), .. } => Some(*starts_at + Duration::from_mins(1)),
            Self::MeetingReminder { starts_at, .. } => Some(*starts_at),
            // What becomes of a meeting is told as long as it is news; the last look decides.
            Self::MeetingInvite { .. } | Self::MeetingChange { .. } | Self::MeetingCancel { .. } => None,
            Self::VerifyEmail { expires_at, .. } | Self::PasswordReset { expires_at, .. } => Some(*expires_at),
            Self::Welcome { .. } | Self::PasswordChanged { .. } | Self::MeetingLeft { .. } => None,
            Self::MeetingProposal { .. } | Self::MeetingUndelivered { .. } => None,
        }
    }
}

impl NoticeKind {
    /// Every kind that this build can send.
    pub const ALL: [Self; 19] = [
        Self::Welcome,
        Self::VerifyEmail,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::TaskStatus,
        Self::Letter,
        Self::Sample,
        Self::TaskReminder,
        Self::DailySummary,
        Self::ServerAlert,
        Self::ServerRecovery,
        Self::TaskDue,
        Self::MeetingInvite,
        Self::MeetingChange,
        Self::MeetingCancel,
        Self::MeetingReminder,
        Self::MeetingLeft,
        Self::MeetingProposal,
        Self::MeetingUndelivered,
    ];

    /// Its word on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::VerifyEmail => "verify_email",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::TaskStatus => "task_status",
            Self::Letter => "letter",
            Self::Sample => "sample",
            Self::TaskReminder => "task_reminder",
            Self::DailySummary => "daily_summary",
            Self::ServerAlert => "server_alert",
            Self::ServerRecovery => "server_recovery",
            Self::TaskDue => "task_due",
            Self::MeetingInvite => "meeting_invite",
            Self::MeetingChange => "meeting_change",
            Self::MeetingCancel => "meeting_cancel",
            Self::MeetingReminder => "meeting_reminder",
            Self::MeetingLeft => "meeting_left",
            Self::MeetingProposal => "meeting_proposal",
            Self::MeetingUndelivered => "meeting_undelivered",
        }
    }

    /// When it leaves among others that are due.
    #[must_use]
    pub fn priority(self) -> Priority {
        match self {
            Self::Welcome | Self::VerifyEmail | Self::PasswordReset | Self::PasswordChanged => Priority::Security,
            Self::MeetingInvite
            | Self::MeetingChange
            | Self::MeetingCancel
            | Self::MeetingReminder
            | Self::MeetingLeft
            | Self::MeetingProposal
            | Self::MeetingUndelivered => Priority::Meeting,
            Self::ServerAlert | Self::ServerRecovery => Priority::Security,
            Self::TaskDue | Self::TaskStatus | Self::Letter | Self::Sample => Priority::Task,
            Self::TaskReminder | Self::DailySummary => Priority::Digest,
        }
    }

    /// Whether a person can do without it: everything but what protects their account, what runs the service, and what
    /// somebody wrote by hand.
    #[must_use]
    pub fn can_be_switched_off(self) -> bool {
        self.priority() != Priority::Security && !matches!(self, Self::Letter | Self::Sample)
    }

    /// Whether its mail can be ended by one click (RFC 8058): what comes by itself, again and again.
    #[must_use]
    pub fn is_recurring(self) -> bool {
        matches!(self, Self::TaskDue | Self::MeetingReminder | Self::TaskReminder | Self::DailySummary)
    }

    /// Whether several that are due in one minute are one mail to their reader, of up to [`MOST_TOGETHER`].
    #[must_use]
    pub fn is_gathered(self) -> bool {
        self == Self::TaskDue
    }

    /// Returns whether a cancelled delivery of this kind is kept until it would have been due. Without its key, a repair
    /// would plan it again.
    #[must_use]
    pub fn is_kept_until_due(self) -> bool {
        self == Self::MeetingReminder
    }

    /// Whether it waits for the end of its reader's quiet hours.
    #[must_use]
    pub fn waits_for_quiet_to_end(self) -> bool {
        self.can_be_switched_off()
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a kind of notice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_of_another_version_can_be_read() {
        let read = |areas: &str| {
            let stored = format!(r#"{{"kind":"server_alert","since":"2026-11-22T12:00:00Z","problems":["x"]{areas}}}"#);
            match serde_json::from_str(&stored) {
                Ok(Notice::ServerAlert { areas, .. }) => areas,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read(""), []);
        assert_eq!(read(r#","areas":["disk","moon"]"#), [ProblemArea::Disk, ProblemArea::Unknown]);
    }

    #[test]
    fn the_stored_form_carries_its_kind_and_round_trips() {
        let task = TaskId::from_uuid(uuid::Uuid::nil());
        let meeting = MeetingId::from_uuid(uuid::Uuid::nil());
        let participant = ParticipantId::from_uuid(uuid::Uuid::nil());
        let (starts_at, message) = (Timestamp::MIN, Some("bring cake".to_owned()));
        for notice in [
            Notice::Welcome { token: None },
            Notice::Welcome { token: Some(TokenId::from_uuid(uuid::Uuid::nil())) },
            Notice::VerifyEmail { token: TokenId::from_uuid(uuid::Uuid::nil()), expires_at: Timestamp::MAX },
            Notice::PasswordReset { token: TokenId::from_uuid(uuid::Uuid::nil()), expires_at: Timestamp::MAX },
            Notice::PasswordChanged { at: Timestamp::MAX },
            Notice::TaskDue { task, due_at: Timestamp::MIN },
            Notice::TaskReminder { date: NaiveDate::default() },
            Notice::DailySummary { date: NaiveDate::default() },
            Notice::ServerAlert { since: Timestamp::MIN, problems: vec!["x".to_owned()], areas: Vec::new() },
            Notice::ServerAlert { since: Timestamp::MIN, problems: Vec::new(), areas: vec![ProblemArea::MailQueue] },
            Notice::ServerRecovery { since: Timestamp::MIN, until: Timestamp::MAX, problems: Vec::new() },
            Notice::TaskStatus { task, was: TaskStatus::Pending, is: TaskStatus::Completed },
            Notice::Sample { of: NoticeKind::Welcome },
            Notice::Letter(Box::new(CustomEmail {
                subject: "x".to_owned(),
                text: Some("y".to_owned()),
                html: None,
                to: vec!["ada@example.org".to_owned()],
                cc: Vec::new(),
                reply_to: None,
            })),
            Notice::MeetingInvite { meeting, participant, again: false },
            Notice::MeetingInvite { meeting, participant, again: true },
            Notice::MeetingChange { meeting, participant, version: 3 },
            Notice::MeetingCancel { meeting, participant },
            Notice::MeetingReminder { meeting, participant, starts_at, minutes: Some(15), message },
            Notice::MeetingLeft { meeting, participant },
            Notice::MeetingProposal { meeting, participant, starts_at: Some(starts_at) },
            Notice::MeetingProposal { meeting, participant, starts_at: None },
            Notice::MeetingUndelivered { meeting, participant },
        ] {
            let stored = serde_json::to_value(&notice).expect("a JSON object");
            assert_eq!(stored["kind"], notice.kind().as_str());
            assert_eq!(serde_json::from_value::<Notice>(stored).expect("readable"), notice);
        }
    }

    #[test]
    fn every_kind_is_read_by_its_word() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }
}
