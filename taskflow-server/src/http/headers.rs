use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

/// For everything that is no page: nothing may be loaded, run or framed.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Swagger UI brings its script and style inside the page.
pub(super) const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Adds what every answer has, unless it brought its own.
pub(super) fn secure(headers: &mut HeaderMap) {
    let all: [(HeaderName, HeaderValue); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    for (name, value) in all {
        headers.entry(name).or_insert(value);
    }
    keep_tag(headers);
}

/// Asks proxies to leave an answer with an entity tag as it is (RFC 9111 section 5.2.2.6): one that compresses it would
/// have to weaken the tag (RFC 9110 section 8.8.1), and clients would get 412 for the version that they were shown.
fn keep_tag(headers: &mut HeaderMap) {
    if !headers.contains_key(header::ETAG) {
        return;
    }
    let directives = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !directives.contains("no-transform")
        && let Ok(value) = HeaderValue::from_str(&format!("{directives}, no-transform"))
    {
        headers.insert(header::CACHE_CONTROL, value);
    }
}
