use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::Sha256;
use taskflow_core::Timestamp;
use taskflow_core::ports::{Link, LinkPurpose, Links};
use uuid::Uuid;

type HmacSha256 = Hmac<Sha256>;

/// Salt for deriving the keys of links (HKDF, RFC 5869). Tokens of links are invalid for signing in, and the other way
/// round.
const SALT: &[u8] = b"taskflow";
const INFO: &[u8] = b"links in mail, 1";

/// Bytes of a token: key id, what it is for, until when, the version of a meeting if it names one, tag.
const KEY_ID: usize = 4;
const ID: usize = 16;
const EXPIRY: usize = 8;
/// Half of the hash, as RFC 2104 §5 allows: nobody guesses 128 bits.
const TAG: usize = 16;
const VERSION: usize = 8;
/// Without a version.
const LENGTH: usize = KEY_ID + ID + EXPIRY + TAG;

/// Links as HMAC-SHA-256 over purpose, id, expiry and version, under keys derived from `SECRET_KEY`: the row they are about holds
/// no secret, and the same link is always the same text.
#[derive(Clone)]
pub struct SignedLinks {
    base: String,
    /// The one that signs first.
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID],
    mac: HmacSha256,
}

impl SignedLinks {
    /// Links below `base`, the service's public address, signed with `secret`; those that were signed with one of
    /// `previous` are still understood.
    #[must_use]
    pub fn new(base: &str, secret: &SecretString, previous: &[SecretString]) -> Self {
        let keys = std::iter::once(secret).chain(previous).map(Key::derived).collect();
        Self { base: base.trim_end_matches('/').to_owned(), keys }
    }

    fn token(&self, link: &Link) -> Option<String> {
        let key = self.keys.first()?;
        let mut token = Vec::with_capacity(LENGTH + VERSION);
        token.extend_from_slice(&key.id);
        token.extend_from_slice(link.id.as_bytes());
        token.extend_from_slice(&link.expires_at.as_micros().to_be_bytes());
        if let Some(version) = link.version {
            token.extend_from_slice(&version.to_be_bytes());
        }
        let tag = key.mac_over(link.purpose, &token).finalize().into_bytes();
        token.extend_from_slice(&tag[..TAG]);
        Some(URL_SAFE_NO_PAD.encode(token))
    }
}

impl Key {
    fn derived(secret: &SecretString) -> Self {
        let key = Zeroizing::new(derived_key(secret, INFO));
        let [a, b, c, d, ..] = hmac(key.as_ref(), &[b"key id"]);
        Self { id: [a, b, c, d], mac: keyed(key.as_ref()) }
    }

    fn mac_over(&self, purpose: LinkPurpose, signed: &[u8]) -> HmacSha256 {
        // What comes before the purpose has one of two lengths, and a link with a version says so at the end, so that no
        // two links read alike.
        let versioned: &[u8] = if signed.len() == LENGTH - TAG { b"" } else { b"\0version" };
        self.mac.clone().chain_update(signed).chain_update(purpose.as_str().as_bytes()).chain_update(versioned)
    }
}

impl Links for SignedLinks {
    fn url(&self, link: &Link) -> String {
        let word = link.purpose.as_str();
        let page = match link.purpose {
            LinkPurpose::Respond | LinkPurpose::RespondWith(_) => "r",
            LinkPurpose::OpenMeeting => "m",
            LinkPurpose::OpenDay => "d",
            LinkPurpose::Task(_) => "t",
            LinkPurpose::VerifyEmail => "v",
            LinkPurpose::ResetPassword => "p",
            LinkPurpose::Unsubscribe(_) => "u",
            _ => &*word,
        };
        format!("{}/{page}/{}", self.base, self.token(link).unwrap_or_default())
    }

    fn open(&self, purpose: LinkPurpose, token: &str) -> Option<Link> {
        // Longer texts are not even decoded.
        let token = Some(token).filter(|token| token.len() <= 2 * (LENGTH + VERSION))?;
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, tag) = token.split_at_checked(token.len().checked_sub(TAG)?)?;
        if signed.len() != LENGTH - TAG && signed.len() != LENGTH + VERSION - TAG {
            return None;
        }
        let (key_id, rest) = signed.split_at(KEY_ID);
        let (id, rest) = rest.split_at(ID);
        let (expiry, version) = rest.split_at(EXPIRY);
        // Two keys may share their id by chance.
        let mut keys = self.keys.iter().filter(|key| key.id == key_id);
        // The whole tag: what is compared in parts could be guessed in parts.
        let genuine = keys.any(|key| key.mac_over(purpose, signed).verify_truncated_left(tag).is_ok());
        let expires_at = Timestamp::from_micros(i64::from_be_bytes(expiry.try_into().ok()?));
        let version = version.try_into().ok().map(u64::from_be_bytes);
        genuine.then_some(Link { purpose, id: Uuid::from_slice(id).ok()?, expires_at, version })
    }
}

impl std::fmt::Debug for SignedLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedLinks").field("base", &self.base).finish_non_exhaustive()
    }
}

pub(super) fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// A key for one purpose out of `SECRET_KEY` (HKDF, RFC 5869).
pub(super) fn derived_key(secret: &SecretString, info: &[u8]) -> [u8; 32] {
    let prk = Zeroizing::new(hmac(SALT, &[secret.expose_secret().as_bytes()]));
    hmac(prk.as_ref(), &[info, &[1]])
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(keyed(key), Mac::chain_update).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use taskflow_core::{MeetingResponse, TaskAction};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "another secret, just as long as the first";

    fn links(secret: &str, previous: &[&str]) -> SignedLinks {
        let previous: Vec<_> = previous.iter().map(|secret| SecretString::from(*secret)).collect();
        SignedLinks::new("https://tasks.example.org/", &secret.into(), &previous)
    }

    fn link() -> Link {
        let expires_at = "2027-01-01T00:00:00.000001Z".parse().expect("a time");
        Link { purpose: LinkPurpose::Respond, id: Uuid::from_u128(7), expires_at, version: None }
    }

    fn token(url: &str) -> &str {
        url.rsplit('/').next().expect("a token")
    }

    #[test]
    fn a_link_is_the_same_text_each_time_and_leads_to_its_page() {
        let url = links(SECRET, &[]).url(&link());
        assert_eq!(links(SECRET, &[]).url(&link()), url);
        assert!(url.starts_with("https://tasks.example.org/r/") && token(&url).len() == 59, "{url}");
        let verify = Link { purpose: LinkPurpose::VerifyEmail, ..link() };
        assert!(links(SECRET, &[]).url(&verify).contains("/v/"));
        assert!(links(SECRET, &[]).url(&Link { purpose: LinkPurpose::ResetPassword, ..link() }).contains("/p/"));
    }

    #[test]
    fn the_choice_that_a_link_carries_cannot_be_exchanged() {
        let links = links(SECRET, &[]);
        let answers = MeetingResponse::ALL.map(LinkPurpose::RespondWith);
        let actions = TaskAction::ALL.map(LinkPurpose::Task);
        let purposes: Vec<_> = answers.into_iter().chain(actions).chain([LinkPurpose::Respond]).collect();
        for made_for in &purposes {
            let url = links.url(&Link { purpose: *made_for, ..link() });
            for asked in &purposes {
                let opened = links.open(*asked, token(&url)).map(|link| link.purpose);
                assert_eq!(opened, Some(*made_for).filter(|_| made_for == asked), "{made_for:?} as {asked:?}");
            }
        }
        assert!(links.url(&Link { purpose: answers[1], ..link() }).contains("/r/"));
        assert!(links.url(&Link { purpose: actions[1], ..link() }).contains("/t/"));
    }

    #[test]
    fn what_was_made_here_is_read_back_and_nothing_else() {
        let links = links(SECRET, &[]);
        let url = links.url(&link());
        assert_eq!(links.open(LinkPurpose::Respond, token(&url)), Some(link()));
        assert_eq!(links.open(LinkPurpose::VerifyEmail, token(&url)), None);
        for version in [0, 7, u64::MAX] {
            let link = Link { version: Some(version), ..link() };
            let url = links.url(&link);
            assert_eq!(links.open(LinkPurpose::Respond, token(&url)), Some(link));
            assert_eq!(links.open(LinkPurpose::VerifyEmail, token(&url)), None);
        }
        let good = token(&url).to_owned();
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).expect("ASCII");
            assert_eq!(links.open(LinkPurpose::Respond, &bad), None, "{at}");
        }
        for bad in ["", "A", "r/x", "ää", &good[..20], &format!("{good}A"), &format!("{good}="), &"A".repeat(10_000)]
        {
            assert_eq!(links.open(LinkPurpose::Respond, bad), None, "{bad:.80}");
        }
    }

    #[test]
    fn a_previous_key_opens_what_it_signed_until_it_is_gone() {
        let old = links(SECRET, &[]).url(&link());
        let both = links(OTHER, &[SECRET]);
        assert_eq!(both.open(LinkPurpose::Respond, token(&old)), Some(link()));
        assert_ne!(both.url(&link()), old);
        assert_eq!(links(OTHER, &[]).open(LinkPurpose::Respond, token(&old)), None);
    }

    #[test]
    fn keys_do_not_show() {
        assert!(!format!("{:?}", links(SECRET, &[])).contains(SECRET));
    }
}
