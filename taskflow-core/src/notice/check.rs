//! The pre-send check: the present subject of a claimed delivery, and whether it is still worth a mail.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::NaiveDate;
use uuid::Uuid;

use super::{CustomCheck, NoticeKind, StoredNotice};
use crate::error::CorruptRow;
use crate::{
    Delivery, DeliveryId, Digest, LastNotified, Locale, Mailbox, Meeting, MeetingId, NoticeContent, Outcome,
    Participant, ParticipantId, Preferences, Recipient, Revision, Schedule, Suppression, Task, TaskId, Timestamp,
    TokenId, TokenPurpose, User, UserId, Zone,
};

/// The time after it came due for which a reminder is on time.
pub(crate) const ON_TIME: Duration = Duration::from_mins(1);

/// The wait of a delivery for something that is about to happen.
pub(crate) const A_MOMENT: Duration = Duration::from_secs(5);

/// The time between two looks at a delivery that waits for a stored value to be mended.
const ASIDE: Duration = Duration::from_mins(10);

/// Rows that were read, by id; one that cannot be read is kept as its error.
type Rows<Id, T> = HashMap<Id, Result<T, CorruptRow>>;

/// The rows that must be loaded before a notice is checked, beside its reader.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// A task.
    pub(crate) task: Option<TaskId>,
    /// A meeting and one of its participants.
    pub(crate) meeting: Option<(MeetingId, ParticipantId)>,
    /// The kind of notice to that participant about that meeting that must not be on its way at the same time.
    pub(crate) after: Option<NoticeKind>,
    /// The open tasks of its reader on a day, and whether the other content of the day is needed as well.
    pub(crate) digest: Option<(NaiveDate, bool)>,
}

impl Needs {
    pub(crate) fn task(task: TaskId) -> Self {
        Self { task: Some(task), ..Self::default() }
    }

    pub(crate) fn meeting(meeting: MeetingId, participant: ParticipantId) -> Self {
        Self { meeting: Some((meeting, participant)), ..Self::default() }
    }

    pub(crate) fn digest(date: NaiveDate, whole_day: bool) -> Self {
        Self { digest: Some((date, whole_day)), ..Self::default() }
    }
}

/// The rows that a batch of deliveries is about.
pub(crate) struct BatchContext {
    pub(crate) users: Rows<UserId, User>,
    pub(crate) tasks: Rows<TaskId, Task>,
    /// The digests that summaries and reminders of open tasks are about.
    pub(crate) digests: Rows<DeliveryId, Digest>,
    /// The participants with an account of the meetings of these days.
    pub(crate) attending: HashMap<(MeetingId, UserId), Participant>,
    pub(crate) meetings: Rows<MeetingId, Meeting>,
    pub(crate) participants: Rows<ParticipantId, Participant>,
    /// The revisions that participants were last notified of.
    pub(crate) revisions: Rows<(MeetingId, u64), Revision>,
    /// The participants to whom an invitation or a cancellation is being sent, as far as another notice waits for it
    /// ([`Needs::after`]).
    pub(crate) in_flight: HashSet<(NoticeKind, ParticipantId)>,
    /// The participants whose invitation is sent by itself: it is open, and no quiet hours hold it.
    pub(crate) awaits_invitation: HashSet<ParticipantId>,
    /// The participants whose invitation may have arrived: it was offered to the relay, and no reply is known.
    pub(crate) maybe_invited: HashSet<ParticipantId>,
    /// The suppressions of addresses, by their keys.
    pub(crate) suppressed: HashMap<String, Suppression>,
    /// The kinds of mail that guests ended, by the keys of their addresses.
    pub(crate) unsubscribed: HashSet<(String, NoticeKind)>,
    /// The preferences of accounts that have verified an address which is written to by itself, by its key.
    pub(crate) owners: HashMap<String, Preferences>,
}

impl BatchContext {
    /// Returns the task that a delivery reminds of, together with others.
    pub(crate) fn gathered_task(&self, delivery: &Delivery) -> Option<&Task> {
        let notice = delivery.notice.as_ref().ok().filter(|_| delivery.kind.is_gathered())?;
        self.tasks.get(&notice.needs().task?)?.as_ref().ok()
    }

    /// Returns when a meeting begins, if it is one of those that were looked up.
    pub(crate) fn starts_at(&self, meeting: MeetingId) -> Option<Timestamp> {
        self.meetings.get(&meeting).and_then(|found| found.as_ref().ok()).map(|meeting| meeting.starts_at)
    }
}

/// The links that a check puts into the content of a mail.
pub(crate) trait Urls {
    /// Returns the link that uses a token; `None` if no links are made.
    fn token(&self, purpose: TokenPurpose, token: TokenId, expires_at: Timestamp) -> Option<String>;

    /// Returns the link that shows a participant the meeting; `None` if no links are made.
    fn respond(&self, meeting: &Meeting, participant: &Participant) -> Option<String>;
}

/// Everything that the check of one delivery goes by.
pub(crate) struct PreSendCheck<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) batch: &'a BatchContext,
    /// The reader of the mail; the check of a notice may know them better than their recipient does.
    pub(crate) addressee: Addressee,
    /// Tasks that the mail reminds of beside its own.
    pub(crate) others: Vec<Task>,
    pub(crate) urls: &'a dyn Urls,
    /// The schedule by which users are reminded of open tasks.
    pub(crate) task_reminders: Option<&'a Schedule>,
    pub(crate) now: Timestamp,
}

impl PreSendCheck<'_> {
    /// Returns the link that uses a token.
    pub(crate) fn token_url(
        &self,
        purpose: TokenPurpose,
        token: TokenId,
        expires_at: Timestamp,
    ) -> Result<String, Outcome> {
        let url = self.urls.token(purpose, token, expires_at);
        url.ok_or_else(|| cancelled("nobody makes links here any more"))
    }
}

/// The content of a mail after the check.
pub(crate) struct Checked {
    pub(crate) content: Box<dyn NoticeContent>,
    /// The version of which a participant knows once it has left.
    pub(crate) told: Option<(ParticipantId, LastNotified)>,
}

impl<C: NoticeContent> From<C> for Checked {
    fn from(content: C) -> Self {
        Box::<dyn NoticeContent>::from(Box::new(content)).into()
    }
}

impl From<Box<dyn NoticeContent>> for Checked {
    fn from(content: Box<dyn NoticeContent>) -> Self {
        Self { content, told: None }
    }
}

/// The reader of a mail.
pub(crate) struct Addressee {
    /// The user, or the participant without an account.
    pub(crate) id: Option<Uuid>,
    /// Their account.
    pub(crate) user: Option<UserId>,
    /// Whether that account has verified its address.
    pub(crate) is_verified: bool,
    pub(crate) preferences: Preferences,
    pub(crate) name: String,
    pub(crate) mailbox: Mailbox,
    pub(crate) locale: Locale,
    pub(crate) zone: Zone,
}

impl Addressee {
    pub(crate) fn of(recipient: &Recipient, batch: &BatchContext) -> Result<Self, Outcome> {
        match recipient {
            Recipient::User(id) => match found(batch.users.get(id))? {
                Some(user) if user.is_active => Ok(Self {
                    id: Some(user.id.as_uuid()),
                    user: Some(user.id),
                    is_verified: user.email_verified,
                    preferences: user.preferences.clone(),
                    name: user.username.to_string(),
                    mailbox: Mailbox { name: Some(user.username.to_string()), address: user.email.clone() },
                    locale: user.locale.clone(),
                    zone: user.time_zone.clone(),
                }),
                Some(_) => Err(cancelled("the account is locked")),
                None => Err(cancelled("the account is gone")),
            },
            Recipient::Address(address) => Ok(Self {
                id: None,
                user: None,
                is_verified: false,
                preferences: Preferences::default(),
                name: String::new(),
                mailbox: Mailbox { name: None, address: address.clone() },
                locale: Locale::en(),
                zone: Zone::utc(),
            }),
        }
    }
}

/// The subject of a notice, for its reader. Only notices of one thread are kept in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Thread {
    /// A meeting and the participant who is notified of it.
    Meeting(MeetingId, ParticipantId),
    /// The participants who left a meeting, for its organizer.
    Left(MeetingId),
    /// A task of its owner.
    Task(TaskId),
    /// The service, for its administrators.
    Server,
}

/// The suppressions in spite of which a notice is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overrides {
    /// No suppression.
    Nothing,
    /// A suppression after a complaint, because the notice is about the reader themselves.
    Complaint,
    /// Also, a few times, a suppression after a bounce, because the reader requested the notice.
    Bounce,
}

/// Checks a notice of a host.
pub(super) fn custom(stored: &StoredNotice, check: &PreSendCheck<'_>) -> Result<Checked, Outcome> {
    let user = match check.addressee.user {
        Some(id) => found(check.batch.users.get(&id))?,
        None => None,
    };
    let context = CustomCheck { user, due_at: check.delivery.due_at, now: check.now };
    stored.check(&context).map(Into::into)
}

/// A row that cannot be read holds up its own delivery and no other.
pub(crate) fn found<T>(row: Option<&Result<T, CorruptRow>>) -> Result<Option<&T>, Outcome> {
    row.map(Result::as_ref).transpose().map_err(|bad| unreadable(bad.to_string()))
}

/// Returns the outcome of a delivery that cannot be prepared before a stored value is mended; see [`held_aside`].
pub(crate) fn unreadable(error: String) -> Outcome {
    Outcome::Released { next_at: Timestamp::MIN, error: Some(error) }
}

/// Gives an [`unreadable`] delivery a next try, as long as it is of use to its reader.
pub(crate) fn held_aside(outcome: Outcome, delivery: &Delivery, now: Timestamp) -> Outcome {
    match outcome {
        Outcome::Released { next_at: Timestamp::MIN, error: Some(error) } => {
            let useless_at = delivery.notice.as_ref().ok().and_then(|notice| notice.expires_at(delivery.due_at));
            if useless_at.or(delivery.gives_up_at()).is_some_and(|end| end <= now) {
                Outcome::Expired { reason: format!("it was too late to be of use: {error}") }
            } else {
                Outcome::Released { next_at: now + ASIDE, error: Some(error) }
            }
        }
        outcome => outcome,
    }
}

pub(crate) fn cancelled(reason: &str) -> Outcome {
    Outcome::Cancelled { reason: reason.to_owned() }
}

pub(crate) fn expired(reason: &str) -> Outcome {
    Outcome::Expired { reason: reason.to_owned() }
}
