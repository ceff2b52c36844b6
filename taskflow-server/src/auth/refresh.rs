use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use taskflow_core::{SessionId, Source, TokenHash};

use super::links::{derived_key, hmac};

/// Random bytes of a token: nobody guesses 256 bits, so a plain hash of them is as good as a slow one.
const BYTES: usize = 32;

/// A token that keeps a session alive and is valid once: `{session}.{secret}`. The service stores only a hash of the
/// secret.
#[derive(Debug)]
pub struct RefreshToken {
    /// The session that the token belongs to.
    pub session: SessionId,
    secret: Secret,
}

/// The part that nobody can guess.
#[derive(Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Longest text of one.
    const LENGTH: usize = BYTES.div_ceil(3) * 4;

    /// A fresh one.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub fn random() -> Result<Self, Source> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(|error| error.to_string())?;
        Ok(Self::from_bytes(&bytes))
    }

    /// Returns the stored form of the secret: its SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::new(super::hex(&Sha256::digest(self.0.expose_secret())))
    }

    /// Takes over 32 bytes that nobody can guess.
    fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        Self(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token for a session.
    #[must_use]
    pub fn of(self, session: SessionId) -> RefreshToken {
        RefreshToken { session, secret: self }
    }
}

/// Derives the successor of a refresh token: HMAC-SHA-256 over the session and the token itself, under a key derived from
/// `SECRET_KEY`. So a client whose answer was lost gets the same successor again, from any node, although nobody keeps it.
/// Neither the database nor the key alone is enough to make one.
#[derive(Clone)]
pub struct Successors {
    /// The present key first, then the previous ones.
    keys: Vec<[u8; BYTES]>,
}

/// Info for deriving the keys (HKDF, RFC 5869).
const INFO: &[u8] = b"refresh tokens, 1";

impl Successors {
    /// Derives with `secret`; a successor that was derived with one of `previous` is still found.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString]) -> Self {
        Self { keys: std::iter::once(secret).chain(previous).map(|secret| derived_key(secret, INFO)).collect() }
    }

    /// The successors of a token, under the present key first.
    #[must_use]
    pub fn of(&self, shown: &RefreshToken) -> Vec<Secret> {
        let (session, secret) = (shown.session.as_uuid(), shown.secret.0.expose_secret().as_bytes());
        let successor = |key: &[u8; BYTES]| Secret::from_bytes(&hmac(key, &[session.as_bytes(), secret]));
        self.keys.iter().map(successor).collect()
    }
}

impl std::fmt::Debug for Successors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successors").finish_non_exhaustive()
    }
}

impl RefreshToken {
    /// Reads what a client shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (session, secret) = text.split_once('.')?;
        let fits = (1..=Secret::LENGTH).contains(&secret.len());
        Some(Self { session: session.parse().ok()?, secret: Secret(SecretString::from(secret)) }).filter(|_| fits)
    }

    /// Returns the stored form of the secret.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.secret.hash()
    }

    /// Returns the text that the client keeps.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.session, self.secret.0.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_never_repeats() {
        let session = SessionId::from_uuid(uuid::Uuid::from_u128(7));
        let token = Secret::random().expect("random").of(session);
        let read = RefreshToken::parse(&token.text()).expect("a token");
        assert_eq!((read.session, read.hash()), (session, token.hash()));
        assert_eq!((token.text().len(), token.hash().as_str().len()), (36 + 1 + 43, 64));
        assert_ne!(Secret::random().expect("random").hash(), token.hash());
        assert!(!format!("{token:?}").contains(token.secret.0.expose_secret()));
    }

    #[test]
    fn a_token_has_one_successor_under_each_key() {
        let (old, new) = (SecretString::from("0".repeat(32)), SecretString::from("1".repeat(32)));
        let session = SessionId::from_uuid(uuid::Uuid::from_u128(7));
        let token = Secret::random().expect("random").of(session);
        let hashes = |successors: &Successors, token: &RefreshToken| {
            successors.of(token).iter().map(Secret::hash).collect::<Vec<_>>()
        };
        let (before, after) = (Successors::new(&old, &[]), Successors::new(&new, std::slice::from_ref(&old)));
        assert_eq!(hashes(&before, &token), hashes(&Successors::new(&old, &[]), &token), "on every node");
        assert_eq!(hashes(&before, &token)[0], hashes(&after, &token)[1], "after a rotation");
        assert_ne!(hashes(&before, &token)[0], hashes(&after, &token)[0]);
        let other = Secret::random().expect("random").of(session);
        assert_ne!(hashes(&before, &token), hashes(&before, &other));
        let elsewhere = RefreshToken { session: SessionId::from_uuid(uuid::Uuid::from_u128(8)), ..other };
        let there = hashes(&before, &elsewhere);
        let back = RefreshToken { session, ..elsewhere };
        assert_ne!(there, hashes(&before, &back));
        assert_eq!(before.of(&token)[0].0.expose_secret().len(), 43);
    }

    #[test]
    fn what_is_no_token_is_none() {
        let id = uuid::Uuid::from_u128(7);
        for text in ["", ".", "x.y", &id.to_string(), &format!("{id}."), &format!("{id}.{}", "x".repeat(1000))] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
