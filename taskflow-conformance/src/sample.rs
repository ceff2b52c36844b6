//! Rows for cases to work with.

use taskflow_core::notice::{TaskDueNotice, WelcomeNotice};
use taskflow_core::{
    Changes, Credential, CredentialWrite, DedupeKey, DeliveryId, EventId, FeedEvent, Invitee, LeaseToken, Mailbox,
    Meeting, MeetingDetails, MeetingId, MeetingWrite, NewDelivery, NewMeeting, NewTask, NewUser, Notice, Participant,
    ParticipantId, ParticipantWrite, PasswordHash, Recipient, RunId, Session, SessionId, StartsAt, Task, TaskId,
    Timestamp, TokenHash, User, UserId, UserWrite, Zone, meeting_reminders,
};
use uuid::Uuid;

/// The instant at which most cases begin.
pub(crate) fn noon() -> Timestamp {
    at("2026-11-22T12:00:00.123456Z")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("an RFC 3339 time")
}

fn uuid(n: u64) -> Uuid {
    Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

pub(crate) fn user_id(n: u64) -> UserId {
    UserId::from_uuid(uuid(n))
}

pub(crate) fn task_id(n: u64) -> TaskId {
    TaskId::from_uuid(uuid(n))
}

pub(crate) fn meeting_id(n: u64) -> MeetingId {
    MeetingId::from_uuid(uuid(n))
}

pub(crate) fn participant_id(n: u64) -> ParticipantId {
    ParticipantId::from_uuid(uuid(n))
}

pub(crate) fn session_id(n: u64) -> SessionId {
    SessionId::from_uuid(uuid(n))
}

pub(crate) fn delivery_id(n: u64) -> DeliveryId {
    DeliveryId::from_uuid(uuid(n))
}

pub(crate) fn run_id(n: u64) -> RunId {
    RunId::from_uuid(uuid(n))
}

pub(crate) fn lease(n: u64) -> LeaseToken {
    LeaseToken::from_uuid(uuid(n))
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.parse().expect("a name"),
        email: format!("{name}@example.org").parse().expect("an address"),
        time_zone: Some("Europe/Berlin".parse().expect("a zone")),
        locale: Some("de".parse().expect("a locale")),
        is_admin: false,
    }
}

/// The user number `n`, called `user-n`.
pub(crate) fn user(n: u64) -> User {
    User::new(user_id(n), new_user(&format!("user-{n}")), noon())
}

pub(crate) fn credential(n: u64, hash: &str) -> CredentialWrite {
    CredentialWrite::Set(Credential { user_id: user_id(n), password: PasswordHash::new(hash), changed_at: noon() })
}

/// The task number `n` of the user number `owner`, called `task-n`.
pub(crate) fn task(n: u64, owner: u64) -> Task {
    let new = NewTask::titled(format!("task-{n}").parse().expect("a title"));
    Task::new(task_id(n), user_id(owner), new, noon()).expect("a task")
}

/// The start of most meetings: a day after noon.
pub(crate) fn tomorrow() -> Timestamp {
    noon() + std::time::Duration::from_hours(24)
}

pub(crate) fn zone(name: &str) -> Zone {
    name.parse().expect("a zone of the database")
}

/// The meeting number `n` of the user number `owner`, called `meeting-n`, tomorrow for an hour.
pub(crate) fn meeting(n: u64, owner: u64) -> Meeting {
    let title = format!("meeting-{n}").parse().expect("a title");
    let organizer = Mailbox { name: Some(format!("user-{owner}")), address: user(owner).email };
    let new = NewMeeting::titled(title, StartsAt::Instant(tomorrow()));
    Meeting::new(meeting_id(n), user_id(owner), organizer, &zone("Europe/Berlin"), new, noon()).expect("a meeting")
}

/// The participant number `n`, a guest in the meeting of that number, at `guest-n@example.org`.
pub(crate) fn guest(n: u64, meeting: u64) -> Participant {
    Participant::invited(participant_id(n), meeting_id(meeting), invitee(&format!("guest-{n}")), None)
}

/// The participant number `n` in the meeting of that number: the user number `owner`.
pub(crate) fn member(n: u64, meeting: u64, owner: u64) -> Participant {
    let invitee = invitee(&format!("user-{owner}"));
    Participant::invited(participant_id(n), meeting_id(meeting), invitee, Some(user_id(owner)))
}

/// Somebody to invite, at this name of `example.org`.
pub(crate) fn invitee(name: &str) -> Invitee {
    Invitee::new(format!("{name}@example.org").parse().expect("an address"))
}

/// Returns the writes that store a meeting and its participants.
pub(crate) fn called(meeting: Meeting, participants: impl IntoIterator<Item = Participant>) -> Changes {
    let changes = Changes::new().write(MeetingWrite::Insert(meeting));
    participants.into_iter().fold(changes, |changes, one| changes.write(ParticipantWrite::Insert(one)))
}

/// Every reminder that a meeting asks for, as deliveries with ids from `first` on.
pub(crate) fn reminders_of(
    meeting: &Meeting,
    participants: &[Participant],
    first: u64,
) -> impl Iterator<Item = NewDelivery> {
    let details = MeetingDetails { meeting: meeting.clone(), participants: participants.to_vec() };
    (first..).zip(meeting_reminders(&details)).map(|(n, reminder)| NewDelivery {
        dedupe_key: reminder.key,
        notice: reminder.notice,
        recipient: reminder.recipient,
        due_at: reminder.due_at,
        ..welcome(n)
    })
}

/// The session number `n` of the user number `owner`, open for an hour.
pub(crate) fn session(n: u64, owner: u64) -> Session {
    let token = TokenHash::new(format!("token-{n}"));
    Session::open(session_id(n), user_id(owner), token, None, noon(), std::time::Duration::from_secs(3600))
}

/// A welcome to the user number `n`, due at noon.
pub(crate) fn welcome(n: u64) -> NewDelivery {
    NewDelivery::new(
        delivery_id(n),
        DedupeKey::new(format!("welcome/{}", user_id(n))),
        Notice::Welcome(WelcomeNotice { token: None }),
        Recipient::User(user_id(n)),
        noon(),
    )
    .because("a case")
}

/// A reminder of the task number `n`, due at `due_at`.
pub(crate) fn task_due(n: u64, due_at: Timestamp) -> NewDelivery {
    NewDelivery {
        dedupe_key: DedupeKey::new(format!("task-due/{}", task_id(n))),
        notice: Notice::TaskDue(TaskDueNotice { task: task_id(n), due_at }),
        due_at,
        ..welcome(n)
    }
}

pub(crate) fn event(n: u64, after: &Task, audience: &[u64]) -> FeedEvent {
    let told = FeedEvent::task(EventId::from_uuid(uuid(n)), taskflow_core::Actor::User(after.user_id), None, after);
    FeedEvent { audience: audience.iter().map(|owner| user_id(*owner)).collect(), ..told }
}

/// The users of these numbers.
pub(crate) fn users(numbers: impl IntoIterator<Item = u64>) -> Changes {
    numbers.into_iter().fold(Changes::new(), |changes, n| changes.write(UserWrite::Insert(user(n))))
}
