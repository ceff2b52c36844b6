use poem::http::Method;
use serde_json::Value;

use crate::api::SLASHED;

/// Every path there is, with its methods: taken from the OpenAPI document, so that the two cannot disagree.
#[derive(Debug)]
pub(super) struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    template: String,
    segments: Vec<Segment>,
    methods: Vec<Method>,
    /// Whether the router beneath has a slash at the end of the route.
    slashed: bool,
    /// The query parameters that each method knows. Outside of the API, and for methods that are not listed, any may come:
    /// probes, mail gateways and browsers add their own to links.
    parameters: Vec<(Method, Vec<String>)>,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    /// A value with this at its end, which the router beneath has as a segment of its own: `{id}.ics` is `{id}/ics` there.
    Suffixed(String),
    Any,
}

/// The route that a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination<'a> {
    /// The path with names in place of ids, as in the document.
    pub(super) template: &'a str,
    /// The path as the router beneath knows it, some with a slash at the end.
    pub(super) path: String,
    /// Methods that the route allows.
    methods: &'a [Method],
    /// The query parameters of each method.
    parameters: &'a [(Method, Vec<String>)],
}

/// Paths outside the document; these are only read.
pub(super) const ROOT: &str = "/";
/// Answers as long as the process is alive; in the document.
pub(super) const HEALTH: &str = "/health";
pub(super) const DOCS: &str = "/docs";
pub(super) const DOCUMENT: &str = "/openapi.json";
pub(super) const FAVICON: &str = "/favicon.ico";
pub(super) const ROBOTS: &str = "/robots.txt";
const MAILBOX_PAGES: [&str; 2] = ["/mailbox", "/mailbox/{id}"];
/// Pages behind links in mail: opening one shows it, and only its form changes anything.
const LINKED_PAGES: [&str; 5] = ["/r/{token}", "/t/{token}", "/v/{token}", "/p/{token}", "/u/{token}"];
/// Other pages behind links in mail; these only show something.
const SHOWN_PAGES: [&str; 3] = ["/r/{token}.ics", "/m/{token}", "/d/{token}"];
/// Path at which a WebSocket is opened.
pub(super) const SOCKET: &str = "/ws";
pub(super) const SOCKET_OF: &str = "/ws/{user_id}";
/// Lead nowhere unless the mailbox is on.
const MAILBOX: [&str; 2] = ["/api/mailbox", "/api/mailbox/{id}"];

impl Routes {
    /// The paths of the document and the pages; those of the mailbox only when it is on.
    pub(super) fn new(document: &Value, mailbox: bool) -> Self {
        let documented = document["paths"].as_object().into_iter().flatten().map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            let methods = methods.filter_map(|(name, _)| name.to_uppercase().parse().ok());
            (path.as_str(), methods.collect())
        });
        let pages = [ROOT, DOCS, DOCUMENT, FAVICON, ROBOTS, SOCKET, SOCKET_OF]
            .into_iter()
            .chain(SHOWN_PAGES)
            .chain(MAILBOX_PAGES)
            .map(|path| (path, vec![Method::GET]));
        let linked = LINKED_PAGES.map(|path| (path, vec![Method::GET, Method::POST]));
        let there = |path: &str| mailbox || !MAILBOX.contains(&path) && !MAILBOX_PAGES.contains(&path);
        let all = documented.chain(pages).chain(linked).filter(|(path, _)| there(path));
        let route = |(path, methods): (&str, Vec<Method>)| {
            Route::new(path, methods, parameters(path, &document["paths"][path]))
        };
        let mut routes: Vec<Route> = all.map(route).collect();
        // A fixed segment wins over a name, `/api/tasks/trash` is no id, and so does a name that is fixed in part.
        routes.sort_by_key(|route| route.segments.iter().map(Segment::freedom).sum::<usize>());
        Self(routes)
    }

    /// Returns the destination of `path`, with or without a slash at its end.
    pub(super) fn find(&self, path: &str) -> Option<Destination<'_>> {
        let segments = split(path)?;
        let route = self.0.iter().find(|route| route.fits(&segments))?;
        let slash = if route.slashed { "/" } else { "" };
        let beneath = route.segments.iter().zip(&segments).map(|(segment, text)| segment.beneath(text));
        let path = format!("/{}{slash}", beneath.collect::<Vec<_>>().join("/"));
        Some(Destination { template: &route.template, path, methods: &route.methods, parameters: &route.parameters })
    }
}

impl Route {
    fn new(template: &str, methods: Vec<Method>, parameters: Vec<(Method, Vec<String>)>) -> Self {
        let segment = |text: &str| match text.split_once('}') {
            Some((_, "")) => Segment::Any,
            Some((_, suffix)) => Segment::Suffixed(suffix.to_owned()),
            None => Segment::Fixed(text.to_owned()),
        };
        let segments = split(template).into_iter().flatten().map(segment).collect();
        Self { template: template.to_owned(), segments, methods, slashed: SLASHED.contains(&template), parameters }
    }

    fn fits(&self, path: &[&str]) -> bool {
        self.segments.len() == path.len() && self.segments.iter().zip(path).all(|(segment, text)| segment.fits(text))
    }
}

impl Segment {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == text,
            Self::Suffixed(suffix) => text.strip_suffix(suffix.as_str()).is_some_and(|value| !value.is_empty()),
            Self::Any => !text.is_empty(),
        }
    }

    /// Returns a rank of the segment: the less it fixes, the higher.
    fn freedom(&self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::Suffixed(_) => 1,
            Self::Any => 2,
        }
    }

    /// Returns a matching segment in the form of the router beneath.
    fn beneath(&self, text: &str) -> String {
        match self {
            Self::Suffixed(suffix) => {
                format!("{}/{}", text.strip_suffix(suffix.as_str()).unwrap_or(text), suffix.trim_start_matches('.'))
            }
            Self::Fixed(_) | Self::Any => text.to_owned(),
        }
    }
}

impl Destination<'_> {
    /// Returns whether `method` is allowed here. `HEAD` is allowed wherever `GET` is.
    pub(super) fn allows(&self, method: &Method) -> bool {
        self.methods.contains(method) || (method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// The query parameters that `method` knows here; `None`: any may come.
    pub(super) fn parameters(&self, method: &Method) -> Option<&[String]> {
        self.parameters.iter().find(|(own, _)| own == method).map(|(_, names)| names.as_slice())
    }

    /// The value of `Allow`.
    pub(super) fn allowed(&self) -> String {
        let all = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let mut names: Vec<&str> = all.iter().filter(|method| self.allows(method)).map(Method::as_str).collect();
        names.push("OPTIONS");
        names.join(", ")
    }
}

/// The query parameters of the operations at a path of the API, by their methods.
fn parameters(path: &str, item: &Value) -> Vec<(Method, Vec<String>)> {
    let operations = item.as_object().into_iter().flatten().filter(|_| path.starts_with("/api/"));
    let known = operations.filter_map(|(method, operation)| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_query = parameters.filter(|parameter| parameter["in"] == "query");
        let names = in_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
        Some((method.to_uppercase().parse().ok()?, names.collect()))
    });
    known.collect()
}

/// The segments between the slashes; one slash at the end does not count.
fn split(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(Vec::new());
    }
    Some(path.strip_suffix('/').unwrap_or(path).split('/').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(mailbox: bool) -> Routes {
        Routes::new(&crate::api::openapi(), mailbox)
    }

    #[test]
    fn both_spellings_lead_to_the_documented_path() {
        let routes = routes(true);
        for (path, canonical, template) in [
            ("/", "/", "/"),
            ("/docs/", "/docs", "/docs"),
            ("/health/", "/health", "/health"),
            ("/api/tasks", "/api/tasks/", "/api/tasks"),
            ("/api/tasks/", "/api/tasks/", "/api/tasks"),
            ("/api/tasks/summary", "/api/tasks/summary/", "/api/tasks/summary"),
            ("/api/tasks/trash/", "/api/tasks/trash", "/api/tasks/trash"),
            ("/api/tasks/7/", "/api/tasks/7", "/api/tasks/{id}"),
            ("/api/tasks/7/restore", "/api/tasks/7/restore", "/api/tasks/{id}/restore"),
            ("/api/meetings/upcoming", "/api/meetings/upcoming/", "/api/meetings/upcoming"),
            ("/api/meetings/7", "/api/meetings/7", "/api/meetings/{id}"),
            ("/api/meetings/7.ics", "/api/meetings/7/ics", "/api/meetings/{id}.ics"),
            ("/api/meetings/.ics", "/api/meetings/.ics", "/api/meetings/{id}"),
            ("/r/7/", "/r/7", "/r/{token}"),
            ("/r/7.ics", "/r/7/ics", "/r/{token}.ics"),
        ] {
            let found = routes.find(path).expect(path);
            assert_eq!((found.path.as_str(), found.template), (canonical, template), "{path}");
        }
        for path in ["//", "/api//tasks", "/api", "/api/tasks//", "", "*", "/docs/x", "/api/meetings/7/ics", "/r/"] {
            assert!(routes.find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_mailbox_that_is_off_is_nowhere() {
        assert!(routes(true).find("/mailbox").is_some() && routes(true).find("/api/mailbox/").is_some());
        for path in ["/mailbox", "/mailbox/7", "/api/mailbox/", "/api/mailbox/7"] {
            assert!(routes(true).find(path).is_some() && routes(false).find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn what_is_allowed_follows_from_the_document() {
        let routes = routes(true);
        let task = routes.find("/api/tasks/7").expect("a path");
        assert_eq!(task.allowed(), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
        assert!(task.allows(&Method::HEAD) && !task.allows(&Method::POST));
        assert!(!routes.find("/api/auth/login").expect("a path").allows(&Method::HEAD));
    }
}
