//! The service that handlers work with: the use cases, and the parts that only a server needs.

use std::sync::Arc;

use taskflow_core::App;
use taskflow_core::ports::Clock;
use taskflow_runtime::{Live, SchedulerPulse};
use tokio::sync::Semaphore;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::limits::RefusedRequests;
use crate::samples::Samples;

/// Event streams at a time. Unlike a WebSocket, each keeps one of the connections that all requests share.
pub const MAX_EVENT_STREAMS: usize = 2_048;

/// Everything that answers requests.
pub struct Service {
    /// The use cases.
    pub app: Arc<App>,
    /// Passwords, sessions and tokens.
    pub auth: Authenticator,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Arc<Config>,
    /// The connections that follow feeds.
    pub live: Arc<Live>,
    /// Places for event streams, [`MAX_EVENT_STREAMS`] in all.
    pub event_streams: Arc<Semaphore>,
    /// A sample of every notice.
    pub samples: Samples,
    /// The time at which the job runner last looked for due jobs.
    pub scheduler: SchedulerPulse,
    /// The requests that limits refused.
    pub refused: Arc<RefusedRequests>,
}
