use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use taskflow_core::{SessionId, Source, TokenHash};

/// Random bytes of a token: nobody guesses 256 bits, so a plain hash of them is as good as a slow one.
const BYTES: usize = 32;

/// What keeps a session alive, once: `{session}.{secret}`. The service keeps no more of it than a hash of the secret.
#[derive(Debug)]
pub struct RefreshToken {
    /// Which session it belongs to.
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
        Ok(Self(SecretString::from(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// What is kept of it: its SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::new(super::hex(&Sha256::digest(self.0.expose_secret())))
    }

    /// The token for a session.
    #[must_use]
    pub fn of(self, session: SessionId) -> RefreshToken {
        RefreshToken { session, secret: self }
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

    /// What is kept of its secret.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.secret.hash()
    }

    /// What the client keeps.
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
    fn what_is_no_token_is_none() {
        let id = uuid::Uuid::from_u128(7);
        for text in ["", ".", "x.y", &id.to_string(), &format!("{id}."), &format!("{id}.{}", "x".repeat(1000))] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
