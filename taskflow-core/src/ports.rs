//! What core asks of the world, as object-safe traits. Each says in `# Contract` what callers rely on; stores prove
//! theirs with the [conformance suite](crate::testing) (feature `testing`).

mod accounts;
mod bounces;
mod bus;
mod calendar;
mod clock;
mod links;
mod mailer;
mod nodes;
mod outbox;
mod probe;
mod renderer;
mod slots;
mod store;
mod sweeps;
mod upkeep;

pub use accounts::{Account, Accounts};
pub use bounces::{Bounces, UnreadableBounce};
pub use bus::{EventBus, NoBus, Receipt, ReminderSent, Signal};
pub use calendar::{Calendar, CalendarEntry, CalendarReply, Counter, ProposedStart, ReplyAttendee, UnreadableReply};
pub use clock::{Clock, Ids, RandomIds, SystemClock};
pub use links::{Link, LinkPurpose, Links};
pub use mailer::{Accepted, Asked, MailError, Mailer, Reply};
pub use nodes::Nodes;
pub use outbox::{Backlog, ClaimRequest, Claimed, DeliveryQuery, HeldLease, Outbox, Settled};
pub use probe::{DiskSpace, Probe};
pub use renderer::{PlainRenderer, RenderError, Renderer};
pub use slots::{RunLease, Slots};
pub use store::{Loaded, MeetingCursor, Store, Viewer};
pub use sweeps::{DigestQuery, SweepPage, SweepPosition, SweepQuery, Sweeps};
pub use upkeep::{CountedPage, CountedPerson, Expired, TaskTally, Upkeep};

/// A complete store: one value that keeps everything.
pub trait Storage: Store + Outbox + Accounts + Nodes + Slots + Sweeps + Upkeep {}

impl<S: Store + Outbox + Accounts + Nodes + Slots + Sweeps + Upkeep> Storage for S {}
