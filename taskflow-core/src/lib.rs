//! The core of TaskFlow: tasks, meetings, their reminders and mail, as a pure domain behind ports.
//!
//! Core decides; adapters execute. It contains no runtime, SQL, network or environment. A host brings a store, a mailer
//! and a clock, and calls [use cases](use_cases) on an [`App`], one handle for each noun. It takes the step
//! [`deliver_due`](use_cases::OutboxUseCases::deliver_due) whenever it likes.
//!
//! ```
//! use std::sync::Arc;
//! use taskflow_core::{Actor, App, MemoryStore, NewTask, NewUser};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let app = App::builder(Arc::new(MemoryStore::new())).build();
//! let ada = NewUser {
//!     username: "ada".parse()?,
//!     email: "ada@example.org".parse()?,
//!     time_zone: Some("Europe/Berlin".parse()?),
//!     locale: None,
//!     is_admin: false,
//! };
//! let ada = app.accounts().register(ada, None).await?;
//! let task = app.tasks().create(Actor::User(ada.id), NewTask::titled("Water the plants".parse()?)).await?;
//! let done = app.tasks().complete(Actor::User(ada.id), task.id).await?;
//! assert!(done.completed_at.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Where things are
//!
//! | file | content |
//! |---|---|
//! | `time.rs` `values.rs` `page.rs` | instants and zones, checked values and ids, pages |
//! | `user.rs` `task.rs` `meeting.rs` | entities: state and legal transitions |
//! | `scope.rs` | rights to read and write rows |
//! | `session.rs` `token.rs` `idempotency.rs` | sign-ins, links in mail, repeated requests |
//! | `preferences.rs` `suppression.rs` | mail preferences of users, and addresses that get no mail |
//! | `reminder.rs` `snooze.rs` `retry.rs` `digest.rs` | pure rules for due times |
//! | `relay.rs` | classification of a relay's replies |
//! | `notice.rs` `delivery.rs` `mail.rs` | notices, the ledger of their deliveries, and their mail |
//! | `limit.rs` | rate limits |
//! | `node.rs` | the processes that share a store, and their shares of the mail rate |
//! | `event.rs` `feed.rs` `changes.rs` | events, the feeds of users, and the value that contains all writes of a commit |
//! | [`ports`] | the services that core needs, with contracts |
//! | `app.rs` `app/` | use cases and the sender |
//! | `memory.rs` | the reference store |
//!
//! # Invariants
//!
//! * All writes go through [`Changes`] and [`ports::Store::commit`]: a change and its mail are one commit.
//! * Values such as [`EmailAddress`], [`Title`] and [`Timestamp`] are checked when they are created, and then relied
//!   on.
//! * Time comes from the [`ports::Clock`], once per use case; ids from [`ports::Ids`].
//! * Every planned delivery is accounted for: see [`Ledger::balances`].

mod app;
mod changes;
mod clock_check;
mod delivery;
mod digest;
mod error;
mod event;
mod feed;
mod idempotency;
mod job;
mod limit;
mod mail;
mod mail_report;
mod meeting;
mod memory;
mod node;
pub mod notice;
mod page;
pub mod ports;
mod preferences;
mod quota;
mod relay;
mod reminder;
mod retry;
mod schedule;
mod scope;
mod session;
mod snooze;
mod statistics;
mod suppression;
mod task;
mod time;
mod token;
mod user;
mod values;

pub use app::{
    App, AppBuilder, Bulk, BulkReport, BulkResults, Channel, ChannelBatch, DeadLink, DeliveryFilter, DeliveryReport,
    DueNotice, FollowUp, Job, JobContext, JobPage, Jobs, LedgerPage, LedgerQuery, LedgerRow, Limits, LinkError,
    LinkedDay, LinkedInvitation, LinkedMeeting, LinkedTask, Membership, MembershipStatus, MonitoringReport,
    NewCustomEmail, ParticipantsShown, PreparedBatch, RelayTrouble, Reminded, RepairReport, ReplyTaken,
    RetentionPolicy, RunReport, SendError, Sending, Subscription, TaskOperation, shipped_jobs,
};
/// The handles to the use cases of an [`App`], one for each noun.
pub mod use_cases {
    pub use crate::app::{
        AccountUseCases, DeliveryUseCases, FeedUseCases, JobUseCases, LinkUseCases, MailUseCases, MeetingUseCases,
        NodeUseCases, OutboxUseCases, ParticipantUseCases, SessionUseCases, StatisticsUseCases, SuppressionUseCases,
        TaskUseCases,
    };
}

pub use changes::{Changes, Precondition, Write};
pub use clock_check::{ClockCheck, ClockVerdict, clock_ahead};
pub use delivery::{
    BulkAction, BulkSelection, ChannelKind, DedupeKey, Delivery, DeliveryClass, DeliveryState, DeliveryWrite, Effect,
    FailedAttempt, Ledger, NewDelivery, Outcome, OutcomeColumns, Rank, Recipient, ReplyCode, Settlement, Turn,
    TurnGroup, Turns,
};
pub use digest::{Day, Digest, Excerpt};
pub use error::{CorruptRow, Error, FieldCode, FieldError, Source, StoreError, UniqueField};
pub use event::{Entity, Event, EventKind, FeedEvent};
pub use feed::{FeedEntry, FeedPage, Follower};
pub use idempotency::{Idempotency, IdempotencyKey, Idempotent, RESPONSE_LIFETIME, ResponseWrite, StoredResponse};
pub use job::{
    AcceptedSchedules, CatchUp, Counts, DueAction, JobName, JobPlan, JobRun, JobState, JobWrite, MOST_CAUGHT_UP,
    RunState, Trigger,
};
pub use limit::{Admitted, RateLimit, Refused};
pub use mail::{
    AnswerLinks, CalendarMethod, CalendarPart, CapturedMail, Content, Headers, Invitation, LinkTargets, MAILBOX_SIZE,
    Mail, MailLinks, Mailbox, MailboxWrite, NoticeContent, OpenTarget, PlainText, RenderInput, ReplyTo,
    ShownRecipients, TaskAction, TaskActionLinks, TaskLinks, Variable, Variables,
};
pub use mail_report::{MailFinding, MailFindingCode, MailReport, Senders};
pub use meeting::{
    DebounceWindow, Invitee, LastNotified, Meeting, MeetingChange, MeetingDetails, MeetingFacts, MeetingResponse,
    MeetingRole, MeetingStatus, MeetingType, MeetingWrite, NewMeeting, OutdatedAnswer, OwnReminders, Participant,
    ParticipantWrite, PendingUpdate, Revision, StartsAt, pending_update,
};
pub use memory::MemoryStore;
pub use node::{Heartbeat, Node, NodeId, Share};
pub use notice::{CustomEmail, MOST_TOGETHER, Notice, NoticeKind, Priority, ProblemArea};
pub use page::{MeetingQuery, MeetingSort, MeetingSortKey, Page, PageRequest, TaskQuery, TaskSort, TaskSortKey};
pub use preferences::{LocalMinute, Preferences, PreferencesChange, QuietHours, UnsubscribeWrite, Weekdays};
pub use quota::{OverQuota, Quota, QuotaSubject, QuotaWrite, Quotas};
pub use relay::{Concern, RelayWatch};
pub use reminder::{
    MeetingReminder, MeetingReminderPlan, TaskReminder, TaskReminderPlan, meeting_reminder_key, meeting_reminders,
    plan_meeting_reminders, plan_task_reminder, reminder_minutes, task_reminder,
};
pub use retry::RetrySchedule;
pub use schedule::{CohortTime, LocalTimeCohort, Schedule, all_zones, cohorts_due};
pub use scope::{AccessWrite, Role, Scope, Viewer};
pub use session::{Refusal, Session, SessionWrite, TokenHash};
pub use snooze::Snooze;
pub use statistics::{LONGEST_STREAK, MailTally, StatisticsWrite, TaskCounts, TaskStatistics, Totals, streak};
pub use suppression::{
    BounceKind, BounceReport, ReturnedMail, Suppression, SuppressionCause, SuppressionWrite, bounce_is_for_good,
    refuses_the_mailbox, says_there_is_no_mailbox,
};
pub use task::{NewTask, Task, TaskChange, TaskPriority, TaskStatus, TaskSummary, TaskWrite};
pub use time::{InvalidTime, InvalidZone, TZDB_VERSION, Timestamp, WallClock, Zone};
pub use token::{Token, TokenPurpose, TokenWrite};
pub use user::{
    AccountStatusChange, Actor, Credential, CredentialWrite, Login, NewUser, PasswordHash, ProfileChange, User,
    UserWrite,
};
pub use values::{
    Comment, DeliveryId, DeliveryProblem, Description, DurationMinutes, EmailAddress, EventId, InvalidValue,
    LeaseToken, Locale, Location, MeetingId, MeetingTitle, MeetingUrl, NamedAddress, ParticipantId, PersonName,
    ReminderMinutes, RunId, SessionId, TaskId, Title, TokenId, UserId, Username, fold, is_blank, search_key,
};
