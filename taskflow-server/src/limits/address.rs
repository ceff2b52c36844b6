//! The address of a client, also behind proxies.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use poem::http::HeaderMap;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The header by which proxies tell where a request comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy`.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239).
    Forwarded,
}

/// The proxies that are believed, and the header that they write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Networks of the proxies.
    pub networks: Vec<Network>,
    /// Header that the proxies write. Any other header may come from anyone.
    pub header: ForwardedHeader,
}

impl Network {
    /// Returns whether the network contains an address.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(drop)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            Some(text) => Some(text).filter(is_number).and_then(|text| text.parse().ok()).ok_or(())?,
            None => longest,
        };
        (prefix <= longest).then_some(Self { address, prefix }).ok_or(())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl ForwardedHeader {
    /// Its name, as in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

impl TrustedProxies {
    /// Returns whether an address is that of a trusted proxy.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Returns the address of the client of a request that `peer` sent: `peer` itself unless it is trusted, and otherwise
    /// the last address of the header that is not a trusted proxy's. What stands before that, anybody may have written. A
    /// word that is no address stands for the proxy that wrote it.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        // From the last line to the first, and in each from the last word to the first: as if they were one line.
        let lines: Vec<_> = headers.get_all(self.header.as_str()).iter().collect();
        let lines = lines.into_iter().rev().map(|line| String::from_utf8_lossy(line.as_bytes()));
        for line in lines {
            for hop in line.rsplit(',') {
                if !self.trust(client) {
                    return client;
                }
                match self.address_of(hop) {
                    Some(address) => client = address,
                    None => return client,
                }
            }
        }
        client
    }

    fn address_of(&self, hop: &str) -> Option<IpAddr> {
        match self.header {
            ForwardedHeader::XForwardedFor => node(hop.trim()),
            ForwardedHeader::Forwarded => {
                let mut pairs = hop.split(';').filter_map(|pair| pair.split_once('='));
                let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
                node(value.trim().trim_matches('"'))
            }
        }
    }
}

/// Reads an address, with or without a port.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':').unwrap_or(port)))?,
        None => text.split_once(':')?,
    };
    let is_port = port.is_empty() || port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let host: IpAddr = host.parse().ok()?;
    is_port.then(|| host.to_canonical())
}

/// Returns what an address is counted by: itself, or the network of 64 bits that one customer has at least in IPv6.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn proxies(networks: &str, header: ForwardedHeader) -> TrustedProxies {
        TrustedProxies { networks: networks.split(' ').map(|text| text.parse().expect("a network")).collect(), header }
    }

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(proxies.header.as_str(), HeaderValue::from_bytes(line.as_bytes()).expect("a value"));
        }
        proxies.client(ip(peer), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        let nobody = TrustedProxies::default();
        assert_eq!(client(&nobody, "127.0.0.1", &["9.9.9.9"]), "127.0.0.1");
        assert_eq!(client(&nobody, "::ffff:10.0.0.1", &["9.9.9.9"]), "10.0.0.1");
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let trusted = proxies("127.0.0.0/8 10.0.0.0/8 fd00::/8", ForwardedHeader::XForwardedFor);
        for (peer, lines, expected) in [
            ("10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["1.1.1.1, 203.0.113.7, 10.0.0.2 ,127.0.0.1"], "203.0.113.7"),
            ("10.0.0.1", vec!["1.1.1.1", "203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            ("::ffff:10.0.0.1", vec!["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", vec!["203.0.113.7:5678"], "203.0.113.7"),
            ("203.0.113.9", vec!["1.1.1.1"], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(client(&trusted, peer, &lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_word_that_is_no_address_stands_for_the_proxy_that_wrote_it() {
        let trusted = proxies("10.0.0.0/8", ForwardedHeader::XForwardedFor);
        for line in ["1.1.1.1, unknown", "1.1.1.1,", "1.1.1.1, 300.1.1.1", "1.1.1.1, [::1", "1.1.1.1, 2.2.2.2:x", ","] {
            assert_eq!(client(&trusted, "10.0.0.1", &[line]), "10.0.0.1", "{line}");
        }
        assert_eq!(client(&trusted, "10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn the_standard_header_is_read_when_it_is_the_one_that_proxies_write() {
        let trusted = proxies("10.0.0.0/8", ForwardedHeader::Forwarded);
        for (line, expected) in [
            ("for=1.1.1.1, for=203.0.113.7;proto=https", "203.0.113.7"),
            ("proto=https;For=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=\"evil, for=203.0.113.7", "203.0.113.7"),
            ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, "10.0.0.1", &[line]), expected, "{line}");
        }
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("9.9.9.9"));
        assert_eq!(trusted.client(ip("10.0.0.1"), &headers), ip("10.0.0.1"), "the other header comes from anybody");
    }

    #[test]
    fn networks_are_read_and_contain_what_their_prefix_says() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "::1", "1.1.1.1"),
        ] {
            let network: Network = network.parse().expect("a network");
            assert!(network.contains(ip(inside)) && !network.contains(ip(outside)), "{network}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "::/129", "example.org", "*"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_of_ipv6_is_counted_by_its_network() {
        assert_eq!(counted(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(counted(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(counted(ip("192.0.2.1")), ip("192.0.2.1"));
    }
}
