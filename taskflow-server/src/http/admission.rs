use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use poem::http::{HeaderValue, Method, header};
use poem::{Request, Response};
use taskflow_core::{Admitted, RateLimit};

use super::routes::HEALTH;
use crate::api::{ApiError, RATE_LIMIT, RATE_LIMIT_POLICY, bearer};
use crate::auth::same_secret;
use crate::limits::{Buckets, Client, Exceeded, Requester, policy_header, state_header};
use crate::service::Service;

/// Buckets that a node keeps: some megabytes.
const MAX_BUCKETS: usize = 100_000;

/// Finds out where requests come from and admits only so many of each address and each account.
pub(super) struct Admission {
    service: Arc<Service>,
    buckets: Buckets,
    /// Whether the untrusted proxy was already logged.
    warned: AtomicBool,
}

/// The part of a limit that is left after a request.
pub(super) struct Left {
    policy: &'static str,
    limit: RateLimit,
    admitted: Admitted,
}

impl Admission {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service, buckets: Buckets::new(MAX_BUCKETS), warned: AtomicBool::new(false) }
    }

    /// Returns where a request comes from. Whose token is not valid is counted by address.
    pub(super) fn client(&self, request: &Request) -> Client {
        let peer = request.remote_addr().as_socket_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip);
        let proxies = &self.service.config.limits.proxies;
        self.warn_of_proxy(peer, request);
        let client = Client::at(proxies.client(peer, request.headers()));
        match bearer(request).map(|token| self.service.auth.verify(token)) {
            Some(Ok(claims)) => Client { requester: Requester::Account(claims.user), ..client },
            Some(Err(_)) | None => client,
        }
    }

    /// Admits a request, or refuses it. Preflight requests and the answer that the process is alive cost nothing; the mail
    /// gateway is trusted.
    pub(super) fn admit(&self, client: Client, request: &Request) -> Result<Option<Left>, ApiError> {
        let limits = &self.service.config.limits;
        let is_free = request.method() == Method::OPTIONS || request.uri().path().trim_end_matches('/') == HEALTH;
        if !limits.enabled || is_free || self.is_gateway(request) {
            return Ok(None);
        }
        let (policy, limit) = match client.requester {
            Requester::Address(_) => ("address", limits.anonymous),
            Requester::Account(_) => ("account", limits.requests),
        };
        match self.buckets.take(client.requester, limit, self.service.clock.monotonic()) {
            Ok(admitted) => Ok(Some(Left { policy, limit, admitted })),
            Err(refused) => {
                let retry_after = refused.retry_after;
                tracing::debug!(?client, "too many requests");
                Err(ApiError::Limited(Exceeded { policy, limit, retry_after }))
            }
        }
    }

    fn is_gateway(&self, request: &Request) -> bool {
        let secret = self.service.config.inbound_secret.as_ref();
        secret.zip(bearer(request)).is_some_and(|(secret, shown)| same_secret(shown, secret))
    }

    /// Behind a proxy that is not trusted everybody is one address.
    fn warn_of_proxy(&self, peer: IpAddr, request: &Request) {
        let limits = &self.service.config.limits;
        let forwarded = || {
            let headers = request.headers();
            headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED)
        };
        let is_behind_proxy = limits.enabled && limits.proxies.networks.is_empty() && is_private(peer) && forwarded();
        if is_behind_proxy && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "requests seem to come through a reverse proxy, and everybody behind it counts as one address: list it in \
                 TRUSTED_PROXIES"
            );
        }
    }
}

impl Left {
    /// Adds the headers that tell of the limit, unless the answer tells of another one.
    pub(super) fn mark(&self, response: &mut Response) {
        let values = [
            (RATE_LIMIT_POLICY, policy_header(self.policy, self.limit)),
            (RATE_LIMIT, state_header(self.policy, self.admitted.remaining, self.admitted.debt)),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}
