//! Ports of the core: the services it needs from its host, as object-safe traits. The `# Contract` section of each
//! states the guarantees that callers rely on. Stores prove theirs with the conformance suite, the crate
//! `taskflow-conformance`.

mod accounts;
mod bounces;
mod bus;
mod calendar;
mod clock;
mod deliveries;
mod feeds;
mod limits;
mod links;
mod mailer;
mod meetings;
mod nodes;
mod outbox;
mod probe;
mod renderer;
mod slots;
mod store;
mod suppressions;
mod sweeps;
mod tasks;
mod upkeep;
mod users;

pub use accounts::{Account, Accounts};
pub use bounces::{Bounces, UnreadableBounce};
pub use bus::{CommitReceipt, EventBus, NoBus, ReminderSent, Signal};
pub use calendar::{Calendar, CalendarEntry, CalendarReply, Counter, ProposedStart, ReplyAttendee, UnreadableReply};
pub use clock::{Clock, Ids, RandomIds, SystemClock};
pub use deliveries::{Deliveries, DeliveryQuery};
pub use feeds::{EVENT_BYTES, Feeds};
pub use limits::{BucketTake, SharedLimits, take_all};
pub use links::{Link, LinkPurpose, Links};
pub use mailer::{Accepted, Asked, MailError, Mailer, Reply};
pub use meetings::{MeetingCursor, Meetings};
pub use nodes::Nodes;
pub use outbox::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
pub use probe::{DiskSpace, Probe};
pub use renderer::{PlainRenderer, RenderError, Renderer};
pub use slots::{JobStore, RunLease};
pub use store::{Lookup, Store};
pub use suppressions::Suppressions;
pub use sweeps::{CohortPage, CohortPosition, CohortQuery, CohortScan, DigestQuery};
pub use tasks::Tasks;
pub use upkeep::{CountedPage, CountedPerson, Expired, Maintenance, TaskTally, UnreadableRow};
pub use users::Users;

/// A complete store: one value that implements every port that keeps something, as the shipped stores do.
pub trait Storage: Store + Outbox + Accounts + SharedLimits + Nodes + JobStore + CohortScan + Maintenance {}

impl<S: Store + Outbox + Accounts + SharedLimits + Nodes + JobStore + CohortScan + Maintenance> Storage for S {}
