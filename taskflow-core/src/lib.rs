//! The core of TaskFlow.

mod app;
mod changes;
mod delivery;
mod error;
mod event;
mod mail;
mod memory;
mod notice;
mod page;
pub mod ports;
mod reminder;
mod retry;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod user;
mod values;

pub use app::{App, AppBuilder, DeliveryReport, Sending};
pub use changes::{Changes, Expect, Write};
pub use delivery::{
    DedupeKey, Delivery, DeliveryState, FailedAttempt, Ledger, NewDelivery, Outcome, Recipient, Settlement,
};
pub use error::{BadRow, Error, FieldError, Source, StoreError, UniqueField};
pub use event::{Announcement, Entity, Event, EventKind, FeedEntry};
pub use mail::{Content, KeptMail, Letter, MAILBOX_SIZE, Mail, Mailbox, Topic};
pub use memory::MemoryStore;
pub use notice::{Notice, NoticeKind, Priority};
pub use page::{Page, PageRequest, TaskQuery, TaskSort, TaskSortKey};
pub use reminder::{TaskReminder, TaskReminderPlan, plan_task_reminder, task_reminder};
pub use retry::RetrySchedule;
pub use task::{NewTask, Task, TaskChange, TaskPriority, TaskStatus, TaskSummary};
pub use time::{InvalidTime, InvalidZone, TZDB_VERSION, Timestamp, WallClock, Zone};
pub use user::{Actor, Credential, Login, NewUser, PasswordHash, ProfileChange, StandingChange, User};
pub use values::{
    DeliveryId, Description, EmailAddress, EventId, InvalidValue, LeaseToken, Locale, ReminderMinutes, TaskId, Title,
    UserId, Username, fold,
};
