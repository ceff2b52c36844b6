//! Pages for people who follow a link in a mail, or whose browser meets an error: HTML in the reader's language, no script,
//! nothing from anywhere else. Templates, style and words are those of `taskflow_mail::Pages`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::context;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};
use sha2::{Digest, Sha256};
use taskflow_core::ports::RenderError;
use taskflow_core::{DeadLink, LinkError, Locale, Timestamp, Zone};
use taskflow_mail::{PageWords, Pages};

use super::ApiError;
use crate::service::Service;

/// Every template and the words of every language.
static PAGES: LazyLock<Pages> = LazyLock::new(Pages::new);
static UTC: LazyLock<Zone> = LazyLock::new(Zone::utc);

/// The one style, the icon, forms that lead back here, and nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(Pages::STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a policy is ASCII")
});
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The icon of all pages.
pub(crate) const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">\
     <rect x=\"2\" y=\"2\" width=\"12\" height=\"12\" rx=\"3\" fill=\"#1d5bd6\"/></svg>\n";

/// A whole page, or why there is none.
#[derive(Debug)]
pub(in crate::api) struct Page {
    status: StatusCode,
    html: String,
    /// Headers that a refusal brings.
    headers: HeaderMap,
}

/// The words for a reader whose language and zone are known.
pub(in crate::api) fn words<'a>(locale: &Locale, zone: &'a Zone, now: Timestamp) -> PageWords<'a> {
    PAGES.words(locale, zone, now)
}

/// The words for somebody of whom only the request is known: the first language of `Accept-Language` (RFC 9110 §12.5.4)
/// that there are words of, else English.
pub(crate) fn words_for(headers: &HeaderMap) -> PageWords<'static> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut ranked: Vec<(u32, Locale)> = accepted.split(',').take(20).filter_map(ranked_language).collect();
    ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    let spoken = ranked.into_iter().map(|(_, locale)| locale).find(|locale| PAGES.speaks(locale));
    PAGES.words(&spoken.unwrap_or_else(Locale::en), &UTC, Timestamp::from_micros(0))
}

/// The words for whoever a link was made for, if that can be told, else as [`words_for`].
pub(in crate::api) async fn words_behind(service: &Service, headers: &HeaderMap, token: &str) -> PageWords<'static> {
    match service.app.links().language(token).await {
        Ok(Some(locale)) => PAGES.words(&locale, &UTC, Timestamp::from_micros(0)),
        Ok(None) | Err(_) => words_for(headers),
    }
}

/// One entry of `Accept-Language` with its weight in thousandths.
fn ranked_language(entry: &str) -> Option<(u32, Locale)> {
    let mut parts = entry.split(';').map(str::trim);
    let locale = parts.next()?.parse().ok()?;
    let weight =
        parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
    let rank = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
    (rank > 0).then_some((rank, locale))
}

/// Returns whether a client asks for HTML by name, as browsers do and programs do not.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().is_some_and(|range| range.eq_ignore_ascii_case("text/html"))
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

impl Page {
    /// Returns a rendered page, or the error page if rendering failed.
    pub(in crate::api) fn rendered(result: Result<String, RenderError>) -> Self {
        match result {
            Ok(html) => Self { status: StatusCode::OK, html, headers: HeaderMap::new() },
            Err(error) => {
                tracing::error!(%error, "a page cannot be rendered");
                let html =
                    "<!doctype html>\n<html lang=\"en\"><title>TaskFlow</title><p>Something went wrong.</p></html>\n";
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, html: html.to_owned(), headers: HeaderMap::new() }
            }
        }
    }

    /// A title and a text under the keys `{key}` and `{key}_text`, and a link to the service.
    pub(in crate::api) fn message(words: &PageWords<'_>, key: &str, home: &str) -> Self {
        let text = words.say(&format!("{key}_text"), &[]);
        Self::rendered(words.say(key, &[]).and_then(|title| Self::told(words, &title, &[text?], home)))
    }

    /// An end page: what was done, and a link onwards.
    pub(in crate::api) fn done(words: &PageWords<'_>, title: &str, texts: &[String], home: &str) -> Self {
        Self::rendered(Self::told(words, title, texts, home))
    }

    fn told(words: &PageWords<'_>, title: &str, texts: &[String], home: &str) -> Result<String, RenderError> {
        let links = vec![context! { url => home, label => words.say("page.home", &[])? }];
        words.render("message", title, &context! { texts => texts.to_vec(), links, role => "status" })
    }

    /// Returns the page for a link that no longer works.
    fn dead(words: &PageWords<'_>, dead: DeadLink) -> Self {
        let key = match dead {
            DeadLink::Unknown => "page.dead.unknown",
            DeadLink::Expired => "page.dead.expired",
            DeadLink::Used => "page.dead.used",
            DeadLink::Gone => "page.dead.gone",
            DeadLink::Removed => "page.dead.removed",
        };
        Self::message(words, key, "../").with_status(StatusCode::NOT_FOUND)
    }

    /// Returns the page that replaces the page behind a link.
    pub(in crate::api) async fn failed(service: &Service, headers: &HeaderMap, token: &str, error: LinkError) -> Self {
        match error {
            LinkError::Dead(dead) => Self::dead(&words_behind(service, headers, token).await, dead),
            // Whoever the link belongs to is as little to be found out.
            LinkError::Failed(error) => Self::error(&words_for(headers), &error.into()),
        }
    }

    /// Returns the page for an error; the cause is logged.
    pub(in crate::api) fn error(words: &PageWords<'_>, error: &ApiError) -> Self {
        error.recorded();
        Self::of_problem(words, error.response())
    }

    /// The page of a refusal, with the status and the headers that say what to do about it.
    fn of_problem(words: &PageWords<'_>, problem: Response) -> Self {
        let status = problem.status();
        let key = match status.as_u16() {
            400 | 415 | 422 => "page.error.misfit",
            401 => "page.error.sign_in",
            404 => "page.error.not_found",
            405 => "page.error.method",
            409 => "page.error.conflict",
            413 => "page.error.too_large",
            408 | 429 | 503 => "page.error.unavailable",
            500.. => "page.error.server",
            _ => "page.error.other",
        };
        let text = words.say(&format!("{key}_text"), &[]);
        let page = words.say(key, &[]).and_then(|title| Self::told(words, &title, &[text?], "/"));
        let mut kept = HeaderMap::new();
        for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::UPGRADE] {
            if let Some(value) = problem.headers().get(&name) {
                kept.insert(name, value.clone());
            }
        }
        Self { headers: kept, ..Self::rendered(page).with_status(status) }
    }

    /// The same page with another Content-Security-Policy.
    pub(in crate::api) fn with_policy(mut self, policy: &'static str) -> Self {
        self.headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        self
    }

    /// The same page as the answer to a form that does not fit.
    pub(in crate::api) fn refused(self) -> Self {
        self.with_status(StatusCode::UNPROCESSABLE_ENTITY)
    }

    pub(in crate::api) fn with_status(self, status: StatusCode) -> Self {
        if self.status == StatusCode::OK { Self { status, ..self } } else { self }
    }
}

/// The HTML form of a problem for browsers; anything else stays as it is.
pub(crate) fn for_browsers(request: &HeaderMap, mut response: Response) -> Response {
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    if !is_problem {
        return response;
    }
    if !is_browser(request) {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
        return response;
    }
    let mut response = Page::of_problem(&words_for(request), response).into_response();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

/// The page at the root, for people; until there is an app it says where everything is.
pub(crate) fn start_page(request: &HeaderMap, docs: bool, mailbox: bool) -> Response {
    let words = words_for(request);
    let page = words.say("page.start.title", &[]).and_then(|title| {
        let mut links = Vec::new();
        if docs {
            links.push(context! { url => "docs", label => words.say("page.developers", &[])? });
        }
        if mailbox {
            links.push(context! { url => "mailbox", label => words.say("page.mailbox.title", &[])? });
        }
        words.render("message", &title, &context! { texts => [words.say("page.start.text", &[])?], links })
    });
    let mut response = Page::rendered(page).into_response();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.html.into_response();
        response.set_status(self.status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(ROBOTS, HeaderValue::from_static("noindex"));
        headers.extend(self.headers);
        response
    }
}

/// Pages are no part of the document.
impl ApiResponse for Page {
    fn meta() -> MetaResponses {
        MetaResponses { responses: Vec::new() }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(name: HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    fn language(accepted: &'static str) -> String {
        Page::dead(&words_for(&asking(header::ACCEPT_LANGUAGE, accepted)), DeadLink::Unknown).html[..40].to_owned()
    }

    #[test]
    fn pages_load_nothing_and_are_not_found_by_searching() {
        let page = Page::done(&words_for(&HeaderMap::new()), "<b>", &["<i>".to_owned()], "/");
        assert!(page.html.contains("&lt;b&gt;</h1>") && page.html.contains("&lt;i&gt;") && !page.html.contains("http"));
        let response = page.into_response();
        for (name, value) in [("referrer-policy", "no-referrer"), ("x-robots-tag", "noindex")] {
            assert_eq!(response.headers()[name], value);
        }
        let policy = response.headers()["content-security-policy"].to_str().expect("ASCII").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script") && !policy.contains("unsafe"));
    }

    #[test]
    fn a_failure_is_a_page_that_says_when_to_come_back() {
        let none = words_for(&HeaderMap::new());
        let response = Page::error(&none, &ApiError::Unavailable("db.internal".into())).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"5".parse().expect("a value"))
        );
        assert_eq!(Page::error(&none, &ApiError::NotFound).into_response().status(), 404);
        assert_eq!(Page::dead(&none, DeadLink::Expired).into_response().status(), 404);
    }

    #[test]
    fn the_language_of_a_stranger_is_the_best_one_that_they_accept() {
        for (accepted, tag) in [
            ("de-CH,de;q=0.9,en;q=0.8", "de"),
            ("fr, en;q=0.3, de;q=0.7", "de"),
            ("en-US,en;q=0.5", "en-US"),
            ("fr", "en"),
            ("de;q=0, en", "en"),
            ("", "en"),
            ("*;;;,q=,-", "en"),
        ] {
            assert!(
                language(accepted).contains(&format!("<html lang=\"{tag}\">")),
                "{accepted}: {}",
                language(accepted)
            );
        }
    }

    #[test]
    fn only_who_asks_for_html_by_name_is_a_browser() {
        for (accepted, is) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, Text/HTML;q=0.5", true),
            ("text/html;q=0, */*", false),
        ] {
            assert_eq!(is_browser(&asking(header::ACCEPT, accepted)), is, "{accepted}");
        }
        assert!(!is_browser(&HeaderMap::new()));
    }
}
