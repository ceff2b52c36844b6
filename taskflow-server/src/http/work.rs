//! Room for operations on the database, of which each requester has a part: nobody occupies all connections, and whoever
//! asks for much waits behind themselves.

use std::time::Duration;

use poem::http::Method;

use super::routes::Destination;
use crate::api::ApiError;
use crate::config::Config;
use crate::limits::{FairQueue, Requester, Turn};

/// Maximum number of operations that wait: in total and for one requester. Further ones are told to retry later.
const QUEUE: (usize, usize) = (1024, 256);
/// The same for expensive reads.
const EXPENSIVE_QUEUE: (usize, usize) = (256, 32);
/// Maximum time for which an operation waits for a permit.
const PATIENCE: Duration = Duration::from_secs(10);
/// The last page of a list that counts as an ordinary read: what is before a page is read as well.
const LAST_CHEAP_PAGE: u32 = 20;

/// Operations that wait for something else than the database (hashes, the relay, whatever happens next), or whose answer
/// must not depend on how much others ask for. They have bounds of their own.
const WITHOUT_TURN: [&str; 6] = ["/health", "/api/auth", "/api/email", "/api/events", "/api/inbound", "/api/templates"];

/// Lists and counts that read as many rows as there are.
const EXPENSIVE: [&str; 15] = [
    "/api/changes",
    "/api/deliveries",
    "/api/jobs",
    "/api/jobs/{name}/runs",
    "/api/mailbox",
    "/api/meetings/upcoming",
    "/api/meetings/{id}/reminders",
    "/api/stats",
    "/api/suppressions",
    "/api/tasks/summary",
    "/api/tasks/trash",
    "/api/tasks/{id}/history",
    "/api/users",
    "/api/users/me/statistics",
    "/api/nodes",
];
/// Lists that are expensive when they are searched, sorted or filtered, or far from their beginning.
const LISTS: [&str; 2] = ["/api/meetings", "/api/tasks"];
/// Writes of many rows.
const BULK: &str = "/api/tasks/bulk";

/// The database work that an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// It does not wait for a turn.
    None,
    /// About as much as most.
    Ordinary,
    /// As many rows as the requester has stored.
    Expensive,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Work {
    ordinary: FairQueue,
    expensive: FairQueue,
}

impl Work {
    /// Shares the connections that requests have: a quarter of them, two at least, for expensive reads, of which each requester has one
    /// at a time, and a third of the rest at most for one requester, two at least. Without rate limits whoever comes first is served first.
    pub(super) fn new(config: &Config) -> Self {
        let connections = config.request_connections().max(2) as usize;
        // Two at least, so that a search of one account never keeps that of another waiting.
        let expensive = (connections / 4).max(2).min(connections - 1);
        // One is left for what has no turn.
        let ordinary = connections - expensive - usize::from(connections > 4);
        let turns = |permits: usize, width: usize, (all, each)| match config.limits.enabled {
            true => FairQueue::new(permits, width, all, each),
            false => FairQueue::new(permits, permits, all, all),
        };
        Self {
            ordinary: turns(ordinary, (ordinary / 3).max(2), QUEUE),
            expensive: turns(expensive, 1, EXPENSIVE_QUEUE),
        }
    }

    /// Waits for the turn of an operation; `None`: it needs none.
    ///
    /// # Errors
    ///
    /// [`ApiError::Busy`] when too many operations of the requester wait, or when this one has waited for too long.
    pub(super) async fn turn(
        &self,
        requester: Requester,
        method: &Method,
        destination: &Destination<'_>,
        query: &str,
    ) -> Result<Option<Turn>, ApiError> {
        let turns = match cost(method, destination.template, query) {
            Cost::None => return Ok(None),
            Cost::Ordinary => &self.ordinary,
            Cost::Expensive => &self.expensive,
        };
        let turn = tokio::time::timeout(PATIENCE, turns.take(requester)).await;
        turn.ok().flatten().map(Some).ok_or(ApiError::Busy)
    }
}

/// Returns how much an operation asks for, by its path in the document.
fn cost(method: &Method, template: &str, query: &str) -> Cost {
    let is_below =
        |path: &&str| template.strip_prefix(*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if WITHOUT_TURN.iter().any(is_below) {
        return Cost::None;
    }
    let is_read = method == Method::GET;
    let is_expensive = match template {
        BULK => true,
        list if LISTS.contains(&list) => is_read && is_deep(query),
        other => is_read && EXPENSIVE.contains(&other),
    };
    if is_expensive { Cost::Expensive } else { Cost::Ordinary }
}

/// Returns whether a list is searched, sorted or filtered, or read far from its beginning.
fn is_deep(query: &str) -> bool {
    query.split('&').filter(|pair| !pair.is_empty()).any(|pair| match pair.split_once('=') {
        Some(("page", page)) => page.parse().map_or(true, |page: u32| page > LAST_CHEAP_PAGE),
        Some(("size", _)) => false,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;

    use super::super::routes::Routes;
    use super::*;

    #[test]
    fn every_path_that_is_named_is_one_of_the_document() {
        let document = crate::api::openapi();
        let is_path = |path: &str| document["paths"].get(path).is_some();
        for path in EXPENSIVE.iter().chain(&LISTS).chain([&BULK]) {
            assert!(is_path(path), "{path}");
        }
        for prefix in WITHOUT_TURN {
            let paths = document["paths"].as_object().expect("paths");
            assert!(paths.keys().any(|path| path.starts_with(prefix)), "{prefix}");
        }
    }

    #[test]
    fn what_reads_as_much_as_there_is_counts_as_expensive() {
        for (method, template, query, expected) in [
            (Method::GET, "/health/db", "", Cost::None),
            (Method::POST, "/api/auth/login", "", Cost::None),
            (Method::GET, "/api/tasks", "", Cost::Ordinary),
            (Method::GET, "/api/tasks", "page=2&size=100", Cost::Ordinary),
            (Method::GET, "/api/tasks", "page=900", Cost::Expensive),
            (Method::GET, "/api/tasks", "q=report", Cost::Expensive),
            (Method::GET, "/api/tasks", "sort=title", Cost::Expensive),
            (Method::POST, "/api/tasks", "", Cost::Ordinary),
            (Method::POST, "/api/tasks/bulk", "", Cost::Expensive),
            (Method::GET, "/api/tasks/{id}", "", Cost::Ordinary),
            (Method::GET, "/api/tasks/summary", "", Cost::Expensive),
            (Method::GET, "/api/emails", "", Cost::Ordinary),
            (Method::GET, "/r/{token}", "", Cost::Ordinary),
        ] {
            assert_eq!(cost(&method, template, query), expected, "{method} {template}?{query}");
        }
    }

    #[tokio::test]
    async fn one_account_does_not_keep_others_waiting_and_has_one_expensive_read_at_a_time() {
        let mut config = Config::for_tests();
        config.limits.enabled = true;
        let (work, routes) = (Work::new(&config), Routes::new(&crate::api::openapi(), false));
        let list = routes.find("/api/tasks").expect("a path");
        let [one, other] = [1, 2].map(|n| Requester::at(IpAddr::V4(Ipv4Addr::from(n))));
        let take = |requester, query: &'static str| work.turn(requester, &Method::GET, &list, query).boxed();
        let held = take(one, "q=x").await.expect("a turn");
        let mut waiting: Vec<_> = (0..EXPENSIVE_QUEUE.1).map(|_| take(one, "q=x")).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let mut plain = Vec::new();
        while let Some(turn) = take(one, "").now_or_never() {
            plain.push(turn.expect("a turn"));
        }
        assert!(take(other, "").now_or_never().is_some(), "there is room for others");
        assert!(take(other, "q=x").now_or_never().is_some(), "also for their searches");
        drop((held, plain, waiting));
    }
}
