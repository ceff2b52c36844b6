use poem::Response;
use poem::http::{HeaderMap, HeaderValue, header};

/// The other origins whose pages may read responses (Fetch standard §3.2).
///
/// A page of a foreign origin gets its answer like anybody else; without the headers its browser keeps it from reading.
#[derive(Debug)]
pub(super) struct Cors {
    allowed: Vec<String>,
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID");
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id");
/// Seconds for which a browser may remember what it was allowed.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

impl Cors {
    /// `allowed` are origins such as `https://app.example.org`, or `*` for all.
    pub(super) fn new(allowed: &[String]) -> Self {
        Self { allowed: allowed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect() }
    }

    /// The origin to allow, if the request comes from one that may read the answer.
    pub(super) fn admitted(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        let name = origin.to_str().ok()?.to_ascii_lowercase();
        let known = self.allowed.iter().any(|allowed| *allowed == name || allowed == "*");
        known.then(|| origin.clone())
    }

    /// Adds the headers of an ordinary answer.
    pub(super) fn mark(&self, origin: Option<HeaderValue>, response: &mut Response) {
        if !self.allowed.is_empty() {
            // Caches must not hand the answer for one origin to another.
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }

    /// Adds what the answer to a preflight request needs on top.
    pub(super) fn mark_preflight(response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}
