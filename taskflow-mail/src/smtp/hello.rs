//! The name that this client gives in EHLO (RFC 5321 section 4.1.1.1).

use std::net::{IpAddr, SocketAddr};

use lettre::transport::smtp::extension::ClientId;

use super::settings::InvalidSettings;

/// The name of this client in EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hello {
    /// This name or address literal, over every connection.
    Named(ClientId),
    /// The address of each connection (RFC 5321 section 4.1.4), because the machine has no full name. Relays refuse a
    /// bare one.
    LocalAddress,
}

impl Hello {
    /// Returns the name of this machine if it is a full one, otherwise the address of each connection.
    pub(crate) fn of_this_machine() -> Self {
        match ClientId::default() {
            ClientId::Domain(name) if name.contains('.') && is_domain(&name) => Self::Named(ClientId::Domain(name)),
            _ => Self::LocalAddress,
        }
    }

    /// Parses a host name, or an address with or without the brackets of a literal.
    ///
    /// # Errors
    ///
    /// Fails if the text is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidSettings> {
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let bare = inside.unwrap_or(text);
        let tagged = bare.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map(|_| &bare[5..]);
        if let Ok(address) = tagged.unwrap_or(bare).parse::<IpAddr>() {
            return Ok(Self::Named(literal(address)));
        }
        // Digits and dots alone are meant as an address, and then they must be one.
        let meant_as_address = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if inside.is_some() || meant_as_address || !is_domain(text) {
            return Err(InvalidSettings(
                "the name for EHLO must be a host name such as mail.example.org or an address such as [192.0.2.1]"
                    .to_owned(),
            ));
        }
        Ok(Self::Named(ClientId::Domain(text.to_owned())))
    }

    /// Returns the name for a connection with this local address.
    pub(crate) fn on(&self, local: SocketAddr) -> ClientId {
        match self {
            Self::Named(name) => name.clone(),
            Self::LocalAddress => literal(local.ip()),
        }
    }
}

fn literal(address: IpAddr) -> ClientId {
    // An IPv4 connection of a dual-stack socket.
    match address.to_canonical() {
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    }
}

/// Returns whether a text is a domain name of letters, digits and hyphens (RFC 5321 section 4.1.2).
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_address_is_said_as_it_is() {
        let said = |text: &str| Hello::parse(text).map(|hello| hello.on(([127, 0, 0, 1], 1).into()).to_string()).ok();
        assert_eq!(said("mail.example.org").as_deref(), Some("mail.example.org"));
        assert_eq!(said("localhost").as_deref(), Some("localhost"));
        assert_eq!(said("192.0.2.1").as_deref(), Some("[192.0.2.1]"));
        assert_eq!(said("[192.0.2.1]").as_deref(), Some("[192.0.2.1]"));
        assert_eq!(said("2001:db8::1").as_deref(), Some("[IPv6:2001:db8::1]"));
        assert_eq!(said("[IPv6:2001:db8::1]").as_deref(), Some("[IPv6:2001:db8::1]"));
        for text in
            ["", "a b", "a\r\nb", "[example.org]", "1.2.3", "-a.example", "a..b", "my_host.example", "é.example"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn a_machine_without_a_full_name_says_the_address_of_the_connection() {
        let said = |ip: &str| Hello::LocalAddress.on(SocketAddr::new(ip.parse().expect("an address"), 25)).to_string();
        assert_eq!(said("10.0.0.7"), "[10.0.0.7]");
        assert_eq!(said("::ffff:10.0.0.7"), "[10.0.0.7]");
        assert_eq!(said("2001:db8::7"), "[IPv6:2001:db8::7]");
        let own = Hello::of_this_machine().on(([192, 0, 2, 1], 25).into()).to_string();
        assert!(own.contains('.'), "{own}");
    }
}
