//! Email addresses, also in the forms in which they are pasted.

use std::fmt;
use std::str::FromStr;

use super::{InvalidValue, PersonName, fingerprint, fold};

/// An address as in RFC 5321 §4.1.2 (`local@domain`), without display name, ASCII only, at most 254 characters.
///
/// Parsing is lenient about the surroundings of a copied address: spaces and invisible characters around it, commas and
/// semicolons at its end, angle brackets and a name before them, `mailto:`. A domain in other scripts becomes A-labels
/// (RFC 5890 §2.3.2.1), so that both forms are one address.
///
/// ```
/// use taskflow_core::EmailAddress;
///
/// let address: EmailAddress = "Ada@Example.org".parse()?;
/// assert_eq!(address.as_str(), "Ada@Example.org");
/// assert_eq!(address.key(), "ada@example.org");
/// assert_eq!(" Ada <ada@example.org>; ".parse::<EmailAddress>()?.as_str(), "ada@example.org");
/// let address: EmailAddress = "ada@b\u{fc}cher.example".parse()?;
/// assert_eq!(address.as_str(), "ada@xn--bcher-kva.example");
/// assert_eq!(address.to_unicode(), "ada@b\u{fc}cher.example");
/// # Ok::<(), taskflow_core::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// The domain of addresses that cannot be read; nobody can have it (RFC 2606 section 2).
const UNREADABLE: &str = "unreadable.invalid";

impl EmailAddress {
    /// Longest address, in characters (RFC 5321 §4.5.3.1.3 less the brackets).
    pub const MAX_LENGTH: usize = 254;

    /// Returns the key by which the address is unique: case does not count, neither before nor after the `@`.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// Returns an address that stands for a stored one that cannot be read. No mail is sent to it.
    #[must_use]
    pub fn from_unreadable(text: &str) -> Self {
        Self(format!("{}@{UNREADABLE}", fingerprint(text)))
    }

    /// Returns whether this stands for a stored address that cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.domain() == UNREADABLE
    }

    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Returns the address with its domain in its native script; for reading only.
    #[must_use]
    pub fn to_unicode(&self) -> String {
        let plain = || self.0.clone();
        let Some((local, domain)) = self.0.rsplit_once('@') else { return plain() };
        if !has_a_label(domain) {
            return plain();
        }
        let (shown, valid) = idna::domain_to_unicode(domain);
        if valid.is_ok() { format!("{local}@{shown}") } else { plain() }
    }

    /// Reads an address that has nothing around it and is ASCII already.
    fn bare(text: &str) -> Option<Self> {
        let options =
            email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
        let plain = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['"', '\\', '(', ')', '<', '>', ',']);
        let parsed = email_address::EmailAddress::parse_with_options(text, options);
        let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain);
        let host = domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        let numeric = domain.rsplit('.').next().is_none_or(|label| label.bytes().all(|b| b.is_ascii_digit()));
        let fits = plain && host && !numeric && text.len() <= Self::MAX_LENGTH && parsed.is_ok();
        fits.then(|| Self(text.to_owned()))
    }

    /// Reads an address that has nothing around it.
    fn read(text: &str) -> Result<Self, InvalidValue> {
        if let Some(address) = Self::bare(text) {
            return Ok(address);
        }
        let invalid =
            |more: &str| InvalidValue::new(format!("must be an e-mail address such as ada@example.org{more}"));
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| invalid(""))?;
        if text.contains(char::is_whitespace) {
            return Err(invalid(", one address without spaces in it"));
        }
        if !local.is_ascii() {
            return Err(invalid(", with ASCII characters only before the @: mail to others cannot be delivered"));
        }
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let domain = match domain.is_ascii() {
            true => domain.to_owned(),
            false => idna::domain_to_ascii_strict(domain)
                .map_err(|_| invalid(", whose domain is one that can exist (RFC 5890)"))?,
        };
        Self::bare(&format!("{local}@{domain}")).ok_or_else(|| invalid(""))
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match Self::bare(text) {
            Some(address) => Ok(address),
            None => text.parse().map(|NamedAddress { address, .. }| address),
        }
    }
}

/// An address with the name that stood before it, as in `Ada Lovelace <ada@example.org>` (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAddress {
    /// The name, if there was one that can be used.
    pub name: Option<PersonName>,
    /// The address.
    pub address: EmailAddress,
}

impl FromStr for NamedAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = trimmed(text);
        let several = || InvalidValue::new("must be one e-mail address such as ada@example.org");
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (trimmed(name), trimmed(address)),
            None => ("", text),
        };
        let address = EmailAddress::read(without_scheme(address))?;
        // A line break in a name is no part of any name: whatever this is, it was not copied from a list of people.
        if name.contains(|c: char| c.is_control() && c != '\t') {
            return Err(several());
        }
        let quoted = name.len() > 1 && name.starts_with(['"', '\'']) && name.ends_with(['"', '\'']);
        let name = if quoted { trimmed(&name[1..name.len() - 1]) } else { name };
        if !quoted && name.contains('@') {
            // Some programs write the address as the name; anything else is a list.
            let same = EmailAddress::read(without_scheme(name)).is_ok_and(|name| name.key() == address.key());
            return if same { Ok(Self { name: None, address }) } else { Err(several()) };
        }
        Ok(Self { name: name.replace("\\\"", "\"").parse().ok(), address })
    }
}

impl From<EmailAddress> for NamedAddress {
    fn from(address: EmailAddress) -> Self {
        Self { name: None, address }
    }
}

texts!(EmailAddress);

/// Returns text without characters that stick to it when it is copied: spaces of every kind, characters that are
/// invisible or only turn the direction, and the separators of lists.
fn trimmed(text: &str) -> &str {
    let sticks = |c: char| {
        let invisible = matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        c.is_whitespace() || invisible || matches!(c, ',' | ';')
    };
    text.trim_matches(sticks)
}

fn without_scheme(text: &str) -> &str {
    const SCHEME: &str = "mailto:";
    match text.get(..SCHEME.len()) {
        Some(start) if start.eq_ignore_ascii_case(SCHEME) => trimmed(&text[SCHEME.len()..]),
        _ => text,
    }
}

fn has_a_label(domain: &str) -> bool {
    domain.split('.').any(|label| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<EmailAddress>().map(|address| address.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_mailable() {
        for bad in [
            "a@1.2.3.4",
            "a@x_y.example",
            "a@b..example",
            "a@b",
            "a@localhost",
            "a@[127.0.0.1]",
            "a@b.example\r\nBcc: x@y.example",
            "a@b.example\r\nBcc: <x@y.example>",
            "\u{e9}@b.example",
            "a b@c.example",
            "a@b.example, c@d.example",
            "a@b.example, C <c@d.example>",
            "a@b .example",
            "a\u{200b}a@b.example",
            "a@b\u{fffd}.example",
            "a@-\u{fc}.example",
            "\"a b\"@c.example",
            "@b.example",
            "<>",
            "",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
        for good in ["a@b.example", "first.last+tag@sub.domain.example", "o'brien@b.example"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        let long = format!("{}@{}.example", "a".repeat(64), "b.".repeat(100).trim_end_matches('.'));
        assert!(read(&long).is_err());
        assert!(read("j\u{fc}rgen@b.example").unwrap_err().contains("before the @"));
    }

    #[test]
    fn what_is_pasted_along_is_trimmed() {
        for pasted in [
            " guest@example.org",
            "guest@example.org\t\r\n",
            "\u{a0}guest@example.org\u{a0}",
            "\u{200b}guest@example.org\u{feff}",
            "\u{202a}guest@example.org\u{202c}",
            "guest@example.org,",
            "guest@example.org ; ",
            "guest@example.org.",
            "<guest@example.org>",
            "<guest@example.org>,",
            "mailto:guest@example.org",
            "MailTo:guest@example.org",
            "Guest <guest@example.org>",
            "Guest <mailto:guest@example.org>",
            "Guest < guest@example.org >",
            "guest@example.org <guest@example.org>",
            "\"Person, Guest\" <guest@example.org>",
            "\"g@x.example\" <guest@example.org>",
            "Person, Guest <guest@example.org>",
        ] {
            assert_eq!(read(pasted).as_deref(), Ok("guest@example.org"), "{pasted:?}");
        }
    }

    #[test]
    fn a_name_before_an_address_is_kept() {
        for (text, name) in [
            ("guest@example.org", None),
            ("guest@example.org <guest@example.org>", None),
            ("Guest <guest@example.org>", Some("Guest")),
            (" \"Person, Guest\" <guest@example.org>;", Some("Person, Guest")),
            ("'Guest' <guest@example.org>", Some("Guest")),
            ("\"The \\\"Guest\\\"\" <guest@example.org>", Some("The \"Guest\"")),
        ] {
            let read: NamedAddress = text.parse().unwrap();
            assert_eq!(read.name.as_ref().map(PersonName::as_str), name, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_mailable_and_stays_what_it_is(
            name in "(\\PC{0,8} ?<)?", local in "[a-z\\PC]{1,8}", domain in "[a-zé.\\PC]{0,12}", end in "(>|\\PC|[,; \r\n]){0,3}"
        ) {
            if let Ok(address) = format!("{name}{local}@{domain}.example{end}").parse::<EmailAddress>() {
                proptest::prop_assert!(address.as_str().bytes().all(|b| b.is_ascii_graphic()));
                proptest::prop_assert_eq!(address.as_str().matches('@').count(), 1);
                proptest::prop_assert_eq!(&read(address.as_str()), &Ok(address.to_string()));
                let shown: EmailAddress = address.to_unicode().parse().expect("the same address");
                proptest::prop_assert_eq!(shown.key(), address.key());
            }
        }
    }

    #[test]
    fn both_forms_of_a_domain_are_one_address() {
        let ascii: EmailAddress = "guest@xn--bcher-kva.example".parse().unwrap();
        for text in ["guest@b\u{fc}cher.example", "Guest@B\u{dc}CHER.example", "guest@bu\u{308}cher\u{3002}example"] {
            let address: EmailAddress = text.parse().unwrap();
            assert_eq!(address.key(), ascii.key(), "{text}");
        }
        assert_eq!(ascii.to_unicode(), "guest@b\u{fc}cher.example");
        assert_eq!("a@b.example".parse::<EmailAddress>().unwrap().to_unicode(), "a@b.example");
        assert_eq!("a@xn--0.example".parse::<EmailAddress>().unwrap().to_unicode(), "a@xn--0.example");
    }
}
