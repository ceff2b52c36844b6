use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use hyper::body::Bytes;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use poem::{Body, Endpoint, IntoResponse, Request, Response};
use poem_openapi::error::ParsePathError;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::Admission;
use super::body::BodyBudget;
use super::cors::Cors;
use super::headers::{DOCS_POLICY, secure};
use super::outgoing::Outgoing;
use super::record::{self, AccessLogEntry};
use super::routes::{DOCS, DOCUMENT, Destination, FAVICON, ROBOTS, ROOT, Routes, SOCKET, SOCKET_OF};
use super::work::Work;
use crate::api::{self, ApiError, RATE_LIMIT_POLICY, Sockets};
use crate::hosts::{self, Hosts};
use crate::limits::Client;
use crate::service::Service;

const NO_ROBOTS: &[u8] = b"User-agent: *\nDisallow: /\n";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum duration of an operation before its client is told to retry later.
const DEADLINE: Duration = Duration::from_secs(30);

/// Longest body of a request that needs no token, in bytes.
const MAX_OPEN_BODY: usize = 64 * 1024;

/// The middleware around every operation. Requests pass it on their way in, responses on their way out, in this order:
/// request id and log line, rate limit, CORS, security headers, path and method, body, permit, the operation in a task
/// of its own.
pub(super) struct Pipeline {
    service: Arc<Service>,
    routes: Routes,
    cors: Cors,
    hosts: Hosts,
    /// Development was told once that a reverse proxy stands in front of it.
    proxy_noticed: Once,
    pub(super) operations: Arc<BoxEndpoint<'static>>,
    pub(super) running: TaskTracker,
    pub(super) deadline: Duration,
    admission: Admission,
    room: BodyBudget,
    work: Work,
    outgoing: Outgoing,
    sockets: Sockets,
    document: Bytes,
    /// Made when somebody first asks: it is large.
    docs: OnceLock<Bytes>,
}

impl Pipeline {
    /// Runs operations on `running`, which the server waits for before it ends.
    pub(super) fn new(service: Arc<Service>, running: TaskTracker) -> Self {
        let document = api::openapi();
        let routes = Routes::new(&document, service.config.mailbox);
        let document = Bytes::from(document.to_string());
        Self {
            routes,
            cors: Cors::new(&service.config.allowed_origins),
            hosts: Hosts::new(&service.config),
            proxy_noticed: Once::new(),
            operations: Arc::new(api::endpoint()),
            running,
            deadline: DEADLINE,
            admission: Admission::new(Arc::clone(&service)),
            room: BodyBudget::new(&service.config.limits),
            work: Work::new(&service.config),
            outgoing: Outgoing::new(service.config.limits.enabled),
            sockets: Sockets::new(Arc::clone(&service)),
            docs: OnceLock::new(),
            document,
            service,
        }
    }

    /// Returns the fewest bytes a second at which clients must send and read; 0: any.
    pub(super) fn min_rate(&self) -> u32 {
        self.service.config.limits.min_rate
    }

    #[cfg(test)]
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// The answer to a request; whatever goes wrong is one as well.
    pub(super) async fn answer(&self, request: Request) -> Response {
        // Ids that clients bring are not believed: they could be anything, and anybody's.
        let id = Uuid::new_v4().simple().to_string();
        let client = self.admission.client(&request);
        let method = request.method().clone();
        let mut record = AccessLogEntry::new(self.service.clock.clone(), id.clone(), method, client.address);
        let origin = self.cors.admitted(request.headers());
        let preflight = request.method() == Method::OPTIONS;

        // At the level of errors, so that no filter separates an error from the request it belongs to.
        let span = tracing::error_span!("request", id = %id);
        let wanted = request.headers().clone();
        let (response, left) = match self.admission.admit(client, &request) {
            Ok(left) => (self.dispatch(request, client, &mut record).instrument(span).await, left),
            Err(error) => {
                record.path = self.path_for_log(request.uri().path());
                (error.response(), None)
            }
        };
        self.count_refused(&response);
        let mut response = api::for_browsers(&wanted, response);
        if let Some(left) = left {
            left.mark(&mut response);
        }

        if preflight && origin.is_some() {
            Cors::mark_preflight(&mut response);
        }
        self.cors.mark(origin, &mut response);
        secure(response.headers_mut());
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        record.status = response.status().as_u16();
        response
    }

    /// Counts a request that a limit refused; one without a policy has too many connections.
    fn count_refused(&self, response: &Response) {
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let policy = response.headers().get(RATE_LIMIT_POLICY).and_then(|value| value.to_str().ok());
            let limit = policy.and_then(|policy| policy.split('"').nth(1)).unwrap_or("connections");
            self.service.refused.count(limit, self.service.clock.monotonic());
        }
    }

    fn path_for_log(&self, path: &str) -> String {
        self.routes.find(path).map_or_else(|| record::unknown(path), |found| found.template.to_owned())
    }

    async fn dispatch(&self, mut request: Request, client: Client, record: &mut AccessLogEntry) -> Response {
        let path = request.uri().path().to_owned();
        if names_its_host(&request) && !self.hosts.accept(&request) {
            return ApiError::WrongHost.response();
        }
        if self.service.config.debug && hosts::is_forwarded(&request) {
            self.proxy_noticed.call_once(|| {
                tracing::warn!(
                    "a reverse proxy passes requests on to a server in development mode: requests through it are served as \
                     in production; set PUBLIC_URL and DEBUG=false"
                );
            });
        }
        let found = self.routes.find(&path);
        record.path = self.path_for_log(&path);
        if !names_its_host(&request) {
            return ApiError::Malformed("the request must have exactly one Host header").response();
        }
        let Some(destination) = found else {
            return ApiError::NotFound.response();
        };
        if request.method() == Method::OPTIONS {
            return options(&destination);
        }
        if !destination.allows(request.method()) {
            return ApiError::MethodNotAllowed(destination.allowed()).response();
        }
        if request.method() == Method::HEAD {
            if matches!(destination.template, SOCKET | SOCKET_OF) {
                return ApiError::UpgradeRequired.response();
            }
            // The connection still knows, and leaves the body out.
            request.set_method(Method::GET);
        }
        match destination.template {
            ROOT if api::is_browser(request.headers()) => {
                let config = &self.service.config;
                let mailbox = config.mailbox && config.debug && hosts::is_local(&request);
                return api::start_page(request.headers(), config.api_docs, mailbox);
            }
            ROOT | DOCS | DOCUMENT if !self.service.config.api_docs => return ApiError::NotFound.response(),
            ROOT => return redirect(DOCS),
            FAVICON => return page("image/svg+xml", Bytes::from_static(api::ICON.as_bytes()), None),
            ROBOTS => return page("text/plain; charset=utf-8", Bytes::from_static(NO_ROBOTS), None),
            DOCS => {
                let document = || String::from_utf8_lossy(&self.document);
                let docs = self.docs.get_or_init(|| api::docs_page(&document()).into());
                return page("text/html; charset=utf-8", docs.clone(), Some(DOCS_POLICY));
            }
            DOCUMENT => return page("application/json", self.document.clone(), None),
            SOCKET => return self.sockets.open(request, client, None).await,
            SOCKET_OF => return self.sockets.open(request, client, destination.path.rsplit('/').next()).await,
            _ => (),
        }
        if let Some(known) = destination.parameters(request.method())
            && let Err(error) = super::query::check(request.uri().query().unwrap_or_default(), known)
        {
            return error.response();
        }
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let Ok(uri) = format!("{}{query}", destination.path).parse::<Uri>() else {
            return ApiError::NotFound.response();
        };
        *request.uri_mut() = uri;
        let held = match super::body::read(
            &self.room,
            client.requester,
            &request.headers().clone(),
            request.take_body(),
            most_of_a_body(destination.template),
        )
        .await
        {
            Ok(body) => {
                request.set_body(Body::from(body.bytes));
                body.held
            }
            Err(error) => return error.response(),
        };
        request.set_data(self.service.clone());
        request.set_data(record.signed_in.clone());
        request.set_data(client);
        let query = request.uri().query().unwrap_or_default();
        match self.work.turn(client.requester, request.method(), &destination, query).await {
            Ok(turn) => self.operate(request, client, (held, turn)).await,
            Err(error) => error.response(),
        }
    }

    /// Runs the operation in a task of its own: neither a client that leaves nor the deadline can stop it half-way, and its
    /// panic is an answer. `held` is what it occupies until there is room for its answer.
    async fn operate(&self, request: Request, client: Client, held: impl Send + 'static) -> Response {
        let (operations, outgoing) = (self.operations.clone(), self.outgoing.clone());
        let method = request.method().clone();
        let operation = async move {
            let answer = match operations.call(request).await {
                Ok(answer) => outgoing.admit(client.requester, &method, answer).await.map_err(poem::Error::from),
                Err(error) => Err(error),
            };
            drop(held);
            answer
        };
        let operation = self.running.spawn(operation.in_current_span());
        match tokio::time::timeout(self.deadline, operation).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(error))) => refusal(error),
            Ok(Err(broken)) => poem::Error::from(ApiError::Internal(broken.into())).into_response(),
            Err(_) => poem::Error::from(ApiError::Overdue).into_response(),
        }
    }
}

/// Returns how long a body may be. What anybody may send without a token is short: read as JSON, a body takes up to 32 times
/// its own memory.
fn most_of_a_body(template: &str) -> usize {
    let is_open = template.starts_with("/api/auth/") || !template.starts_with("/api/");
    if is_open { MAX_OPEN_BODY } else { api::MAX_BODY }
}

/// Errors of poem itself become problems; ours are answers already.
fn refusal(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    if error.is::<ParsePathError>() || error.status() == StatusCode::NOT_FOUND {
        return ApiError::NotFound.response();
    }
    poem::Error::from(ApiError::Internal(error.to_string().into())).into_response()
}

/// Otherwise proxies and this server may differ on whom the request is for (RFC 9112 §3.2). HTTP/1.0 knew no such header.
fn names_its_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

fn options(destination: &Destination<'_>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(allowed) = HeaderValue::from_str(&destination.allowed()) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn redirect(to: &'static str) -> Response {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

/// A fixed text: all who read it share one copy, however slowly they read.
fn page(content_type: &'static str, text: Bytes, policy: Option<HeaderValue>) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
