//! Pages for people who follow a link in a mail: plain HTML, no script, nothing from anywhere else.

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};

use super::ApiError;

/// Inline style, forms that lead back here, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

const STYLE: &str = ":root { color-scheme: light dark; }\n\
body { font: 17px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 2.5rem 1.25rem; }\n\
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1.25rem; overflow-wrap: anywhere; }\n\
p { margin: 0 0 1rem; overflow-wrap: anywhere; }\n\
dl { margin: 0 0 1.5rem; }\n\
dt { color: GrayText; font-size: .85rem; }\n\
dd { margin: 0 0 .75rem; white-space: pre-line; overflow-wrap: anywhere; }\n\
label { display: block; margin: 0 0 1rem; }\n\
input, textarea { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .5rem; font: inherit; }\n\
button { font: inherit; padding: .5rem 1rem; margin: 0 .5rem .5rem 0; cursor: pointer; }\n\
.note { border-left: 3px solid #888; padding-left: .75rem; }\n";

/// A whole page, or why there is none.
#[derive(Debug)]
pub(super) struct Page {
    status: StatusCode,
    html: String,
    /// Headers that a refusal brings.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Page {
    /// A page with this title, which is its heading too; `body` is HTML.
    pub(super) fn new(title: &str, body: &str) -> Self {
        let title = escape(title);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{title} \u{2013} TaskFlow</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
        );
        Self { status: StatusCode::OK, html, headers: Vec::new() }
    }

    /// The same page as an answer to what could not be done.
    pub(super) fn refused(self) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, ..self }
    }
}

/// What people see instead of a page; the cause goes into the log.
impl From<ApiError> for Page {
    fn from(error: ApiError) -> Self {
        let problem = error.recorded();
        let response = error.response();
        let page = match error {
            ApiError::NotFound => Self::new(
                "This link leads nowhere",
                "<p>It is incomplete, too old, or has been used. If it stands in a mail in two parts, copy both of them.</p>\n",
            ),
            _ => Self::new("This did not work", &format!("<p>Nothing was changed: {}.</p>\n", escape(&problem.detail))),
        };
        let retry = response.headers().get(header::RETRY_AFTER).cloned();
        let headers = retry.map(|value| (header::RETRY_AFTER, value)).into_iter().collect();
        Self { status: response.status(), headers, ..page }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.html.into_response();
        response.set_status(self.status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
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

/// For text between tags and inside double quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_load_nothing_and_are_not_found_by_searching() {
        let page = Page::new("<b>", "");
        assert!(page.html.contains("<h1>&lt;b&gt;</h1>") && !page.html.contains("http"));
        let response = page.into_response();
        for (name, value) in [("referrer-policy", "no-referrer"), ("x-robots-tag", "noindex")] {
            assert_eq!(response.headers()[name], value);
        }
        let policy = response.headers()["content-security-policy"].to_str().expect("ASCII").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"));
    }

    #[test]
    fn a_failure_is_a_page_that_says_when_to_come_back() {
        let response = Page::from(ApiError::Unavailable("db.internal".into())).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"5".parse().expect("a value"))
        );
        assert_eq!(Page::from(ApiError::NotFound).into_response().status(), 404);
    }
}
