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
mod renderer;
mod store;

pub use accounts::{Account, Accounts};
pub use bounces::{Bounces, UnreadableBounce};
pub use bus::{EventBus, NoBus, Receipt, Signal};
pub use calendar::{Calendar, CalendarEntry, CalendarReply, UnreadableReply};
pub use clock::{Clock, Ids, RandomIds, SystemClock};
pub use links::{Link, LinkPurpose, Links};
pub use mailer::{Accepted, MailError, Mailer, Reply};
pub use nodes::Nodes;
pub use outbox::{Backlog, ClaimRequest, Claimed, DeliveryQuery, HeldLease, Outbox, Settled};
pub use renderer::{PlainRenderer, RenderError, Renderer};
pub use store::{Loaded, MeetingCursor, Store, Viewer};

/// A complete store: one value that keeps everything.
pub trait Storage: Store + Outbox + Accounts + Nodes {}

impl<S: Store + Outbox + Accounts + Nodes> Storage for S {}
