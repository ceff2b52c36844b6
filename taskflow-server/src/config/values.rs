//! Parsers of single values. They return `None` if a value cannot be read; the caller says what would be right.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use poem::http::Uri;
use taskflow_core::NodeId;

use super::duration;

/// `true`, `false` and what people write for them.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number within bounds.
pub(super) fn number<T: FromStr + PartialOrd>(range: RangeInclusive<T>) -> impl Fn(&str) -> Option<T> {
    move |text| text.parse().ok().filter(|number| range.contains(number))
}

/// A span within bounds.
pub(super) fn span(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Option<Duration> {
    move |text| duration::parse(text).filter(|span| range.contains(span))
}

/// A span within bounds, as a number of seconds or with a unit.
pub(super) fn seconds(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Option<Duration> {
    move |text| duration::parse_seconds(text).filter(|span| range.contains(span))
}

/// Reads a rate per second, or 0 for no limit.
pub(super) fn rate(text: &str) -> Option<f64> {
    number(0.0..=100_000.0)(text).filter(|rate| *rate == 0.0 || *rate >= 0.001)
}

/// Spans separated by commas, at least one.
pub(super) fn spans(text: &str) -> Option<Vec<Duration>> {
    text.split(',').map(span(Duration::ZERO..=Duration::from_hours(24 * 7))).collect()
}

/// An address or the name of a host; brackets around an address are dropped.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_name = |text: &str| {
        text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) && !text.is_empty()
    };
    // Digits and dots alone are meant as an address, and then they must be one.
    let meant_as_address = bare.chars().all(|c| c.is_ascii_digit() || c == '.');
    (bare.parse::<IpAddr>().is_ok() || is_name(bare) && !meant_as_address).then(|| bare.to_owned())
}

/// Reads a client's name for EHLO: a full host name, or an address, in brackets or not.
pub(super) fn hello(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let untagged = if bare.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:")) { &bare[5..] } else { bare };
    let is_address = untagged.parse::<IpAddr>().is_ok();
    (is_address || bare.len() == text.len() && !text.contains('_') && host(text).is_some()).then(|| text.to_owned())
}

/// Returns whether the host is reachable from this machine only.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Returns the URL of a server at this host and port, for a browser on this machine.
pub(super) fn local_url(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => format!("http://localhost:{port}"),
        Ok(IpAddr::V6(ip)) => format!("http://[{ip}]:{port}"),
        Ok(IpAddr::V4(_)) | Err(_) => format!("http://{host}:{port}"),
    }
}

/// An absolute http or https URL without sign-in, query and fragment; slashes at its end are dropped.
pub(super) fn base_url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    let plain = plain && !authority.as_str().contains('@') && !authority.host().is_empty() && !text.contains('#');
    plain.then(|| text.trim_end_matches('/').to_owned())
}

/// Origins (RFC 6454 §7) separated by commas.
pub(super) fn origins(text: &str) -> Option<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| base_url(part).filter(|url| url.matches('/').count() == 2).map(|url| url.to_lowercase())).collect()
}

/// Names of hosts separated by commas: `*`, a domain with a dot before it, or the name of one host.
pub(super) fn hosts(text: &str) -> Option<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let name = |part: &str| host(part.strip_prefix('.').unwrap_or(part)).map(|_| part.to_ascii_lowercase());
    parts.map(|part| if part == "*" { Some(part.to_owned()) } else { name(part) }).collect()
}

/// A name without anything that would disturb a log line.
pub(super) fn node_id(text: &str) -> Option<NodeId> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        for (text, host_) in
            [("::1", "::1"), ("[::1]", "::1"), ("0.0.0.0", "0.0.0.0"), ("api.internal", "api.internal")]
        {
            assert_eq!(host(text).as_deref(), Some(host_));
        }
        for text in ["300.1.1.1", "a b", "http://x", "host:80", ""] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_number_that_can_be_kept() {
        assert_eq!([rate("0"), rate("0.5"), rate("14")], [Some(0.0), Some(0.5), Some(14.0)]);
        for text in ["-1", "NaN", "inf", "1e-9", "100001", "1/s", ""] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_what_only_this_machine_reaches() {
        assert!(
            ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST", "a.localhost"].into_iter().all(is_loopback)
        );
        assert!(!["0.0.0.0", "::", "10.0.0.1", "localhost.example.org"].into_iter().any(is_loopback));
    }

    #[test]
    fn local_urls_can_be_opened() {
        assert_eq!(local_url("127.0.0.1", 8000), "http://127.0.0.1:8000");
        assert_eq!(local_url("0.0.0.0", 80), "http://localhost:80");
        assert_eq!(local_url("::1", 80), "http://[::1]:80");
    }

    #[test]
    fn base_urls_have_scheme_and_host_and_nothing_after_the_path() {
        assert_eq!(base_url("https://x.example/app/").as_deref(), Some("https://x.example/app"));
        for text in ["x.example", "ftp://x", "https://", "https://u:p@x", "https://x?a=b", "https://x/#a", "/x"] {
            assert_eq!(base_url(text), None, "{text}");
        }
    }

    #[test]
    fn origins_have_no_path_and_no_star() {
        let two = origins("https://A.example, http://localhost:3000/").expect("two origins");
        assert_eq!(two, ["https://a.example", "http://localhost:3000"]);
        assert_eq!(origins("*"), None);
        assert_eq!(origins("https://a.example/app"), None);
        assert_eq!(origins(""), Some(vec![]));
    }
}
