//! The names under which the service answers. A page of a foreign site can make a browser send requests to this server
//! under a name of its own (DNS rebinding): whoever checks the name is not taken in.

use std::net::IpAddr;

use poem::Request;
use poem::http::uri::Authority;
use poem::http::{HeaderName, Uri, header};

use crate::config::{Config, is_loopback};

/// Headers with which a reverse proxy says for whom it asks.
const FORWARDING: [HeaderName; 8] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("cf-connecting-ip"),
];

/// The values of `Host` that are accepted.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// Names in lower case; one that begins with a dot stands for all names that end in it.
    names: Vec<String>,
    /// Every name is accepted: `ALLOWED_HOSTS=*`, or production that was told no name.
    any: bool,
}

impl Hosts {
    pub(crate) fn new(config: &Config) -> Self {
        let own = config.public_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
        let own = own.as_ref().and_then(Uri::host).map(str::to_owned);
        let untold = !config.debug && own.is_none() && config.allowed_hosts.is_empty();
        let any = untold || config.allowed_hosts.iter().any(|name| name == "*");
        let listening = Some(config.host.clone());
        let names = config.allowed_hosts.iter().cloned().chain(own).chain(listening);
        Self { names: names.map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect(), any }
    }

    /// Returns whether a request is accepted by its host. An address belongs to no name, so no DNS record can point it
    /// elsewhere. Health checks are accepted under any name, because they reveal nothing but the health of the service.
    pub(crate) fn accept(&self, request: &Request) -> bool {
        let path = request.uri().path();
        let is_probe = path == "/health" || path.starts_with("/health/");
        let Some(host) = requested(request) else {
            // HTTP/1.0 knew no such header, and no browser speaks it.
            return !request.headers().contains_key(header::HOST);
        };
        self.any || is_probe || is_address(&host) || is_loopback(&host) || self.names.iter().any(|own| fits(own, &host))
    }
}

/// Returns whether a request was sent on this machine by a loopback name, and not by a proxy for somebody else.
pub(crate) fn is_local(request: &Request) -> bool {
    request.remote_addr().as_socket_addr().is_some_and(|peer| is_local_to(request, peer.ip()))
}

fn is_local_to(request: &Request, peer: IpAddr) -> bool {
    let named = requested(request).is_none_or(|host| is_loopback(&host));
    named && peer.to_canonical().is_loopback() && !is_forwarded(request)
}

/// Returns whether a reverse proxy has passed a request on.
pub(crate) fn is_forwarded(request: &Request) -> bool {
    FORWARDING.iter().any(|name| request.headers().contains_key(name))
}

/// The host that a request names, in lower case, without port, brackets and the dot of the root; `None`: it names none, or
/// something that is no host.
fn requested(request: &Request) -> Option<String> {
    // A request line with a host of its own overrules the header (RFC 9112 section 3.2.2).
    let host = match request.uri().host() {
        Some(host) => host.to_owned(),
        None => {
            let text = request.headers().get(header::HOST)?.to_str().ok()?;
            let authority = text.parse::<Authority>().ok().filter(|_| !text.contains('@'))?;
            authority.host().to_owned()
        }
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    Some(bare.trim_end_matches('.').to_ascii_lowercase())
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

fn fits(own: &str, host: &str) -> bool {
    own == host || own.starts_with('.') && (host.ends_with(own) || host == &own[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources};

    fn hosts(settings: &str) -> Hosts {
        let text = format!("DATABASE_URL=memory:\n{settings}");
        Hosts::new(&Config::load(Sources::none().with_dot_env(&text), Need::Manage).expect("valid"))
    }

    fn request(path: &str, host: &str) -> Request {
        Request::builder().uri(path.parse().expect("a URI")).header("Host", host).finish()
    }

    #[test]
    fn only_own_names_loopback_names_and_addresses_are_accepted() {
        let hosts = hosts("PUBLIC_URL=https://Tasks.example.org:8443/x\nALLOWED_HOSTS=api.internal, .corp.example");
        for host in [
            "tasks.example.org",
            "TASKS.example.org.:443",
            "localhost:8000",
            "a.localhost",
            "127.0.0.1",
            "10.1.2.3:80",
            "[::1]:80",
            "api.internal",
            "x.corp.example",
            "corp.example",
        ] {
            assert!(hosts.accept(&request("/api/tasks", host)), "{host}");
        }
        for host in [
            "evil.example",
            "tasks.example.org.evil.example",
            "eviltasks.example.org",
            "xcorp.example",
            "localhost.x.example",
            "a@localhost",
            "",
            "a b",
        ] {
            assert!(!hosts.accept(&request("/api/tasks", host)), "{host}");
            assert!(!hosts.accept(&request("/healthy", host)), "{host}");
        }
        assert!(hosts.accept(&request("/health/ready", "node-7.internal")));
        assert!(!hosts.accept(&request("http://evil.example/api/tasks", "localhost")));
    }

    #[test]
    fn production_without_a_name_of_its_own_accepts_every_name_and_development_does_not() {
        let production = "HOST=0.0.0.0\nMAILBOX=true\nSECRET_KEY=0123456789abcdef0123456789abcdef";
        assert!(hosts(production).accept(&request("/", "any.example")));
        assert!(hosts(&format!("{production}\nALLOWED_HOSTS=*")).accept(&request("/", "any.example")));
        assert!(!hosts(&format!("{production}\nALLOWED_HOSTS=a.example")).accept(&request("/", "any.example")));
        assert!(!hosts("PORT=0").accept(&request("/", "any.example")));
    }

    #[test]
    fn local_is_who_asks_from_this_machine_by_a_loopback_name_and_for_nobody_else() {
        let from = |peer: &str, host: &str, headers: &[&str]| {
            let request = Request::builder().header("Host", host);
            let request = headers.iter().fold(request, |request, name| request.header(*name, "203.0.113.9"));
            is_local_to(&request.finish(), peer.parse().expect("an address"))
        };
        assert!(from("127.0.0.1", "localhost:8000", &[]) && from("::1", "[::1]", &[]));
        assert!(from("::ffff:127.0.0.1", "127.0.0.1", &[]));
        assert!(!from("10.0.0.1", "localhost", &[]), "another machine");
        assert!(!from("127.0.0.1", "tasks.example.org", &[]), "another name");
        for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "x-forwarded-proto", "Via"] {
            assert!(!from("127.0.0.1", "localhost", &[header]), "{header}");
        }
    }
}
