//! Requesters and their limits: the address of the client, rate limit buckets of this node, and fair sharing of room.

mod address;
mod buckets;
mod refused;
mod share;
mod turns;

use std::net::IpAddr;
use std::time::Duration;

use taskflow_core::{RateLimit, UserId};

pub use address::{ForwardedHeader, Network, TrustedProxies};
pub use buckets::Buckets;
pub use refused::RefusedRequests;
pub use share::{Share, Shares};
pub use turns::{FairQueue, Turn};

/// The address or account that a request is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requester {
    /// Somebody without a valid token: the address that they come from, or its network of 64 bits in IPv6.
    Address(IpAddr),
    /// The account of a valid token, or of a known device.
    Account(UserId),
}

/// The origin of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The address of the client, as far as proxies that tell of it are trusted.
    pub address: IpAddr,
    /// Whom the request is counted for.
    pub requester: Requester,
}

impl Client {
    /// Returns the client at an address, without a token.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address, requester: Requester::at(address) }
    }
}

impl Requester {
    /// Returns the requester without a token at an address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::Address(address::counted(address))
    }
}

/// The settings of rate limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Whether requests are limited.
    pub enabled: bool,
    /// The proxies whose word about the client is believed.
    pub proxies: TrustedProxies,
    /// The fewest bytes a second at which clients must send bodies and read answers; 0: any.
    pub min_rate: u32,
    /// Requests without a valid token, for each address.
    pub anonymous: RateLimit,
    /// Requests of one account.
    pub requests: RateLimit,
    /// Failed sign-ins by one name from one address.
    pub sign_in: RateLimit,
    /// Failed sign-ins by one name from everywhere.
    pub sign_in_name: RateLimit,
    /// Failed sign-ins from one address.
    pub sign_in_address: RateLimit,
    /// Names that failed sign-ins from one address try.
    pub sign_in_names: RateLimit,
    /// Failed sign-ins from one known device.
    pub sign_in_device: RateLimit,
    /// Registrations from one address.
    pub register: RateLimit,
    /// Requests for mail about one account.
    pub mail: RateLimit,
    /// Requests for mail from one address.
    pub mail_address: RateLimit,
}

/// A limit that a request exceeds, as its answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The name of the limit.
    pub policy: &'static str,
    /// The limit.
    pub limit: RateLimit,
    /// Time until a request is admitted.
    pub retry_after: Duration,
}

impl Exceeded {
    /// Returns the seconds after which a request is admitted, at least one.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        whole_seconds(self.retry_after)
    }
}

/// Rounds up, to one second at least.
#[must_use]
pub fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// Returns the value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): the quota and its window in seconds.
#[must_use]
pub fn policy_header(policy: &str, limit: RateLimit) -> String {
    format!("\"{policy}\";q={};w={}", limit.burst(), whole_seconds(limit.period()))
}

/// Returns the value of `RateLimit` of the same draft: what remains, and the seconds after which there is more.
#[must_use]
pub fn state_header(policy: &str, remaining: u32, more_in: Duration) -> String {
    format!("\"{policy}\";r={remaining};t={}", whole_seconds(more_in))
}
