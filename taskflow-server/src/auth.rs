//! Passwords, sessions, and the tokens and links that are signed.

mod argon;
mod authenticator;
mod devices;
mod guesses;
mod known;
mod links;
mod passwords;
mod proof;
mod refresh;
mod revoked;
mod tokens;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub use authenticator::{AuthError, Authenticator, Grant, SignIn};
pub use devices::{DeviceTokens, KnownDevice};
pub use guesses::{GuessLimits, Taken};
pub use known::KnownSessions;
pub use links::SignedLinks;
pub use passwords::{Password, PasswordError, Passwords};
pub use refresh::{RefreshToken, Secret, Successors};
pub use revoked::{RevocationBus, RevocationList};
pub use tokens::{AccessToken, Tokens};

/// Compares two secrets, in the same time wherever they differ.
pub(crate) fn same_secret(shown: &str, right: &SecretString) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let (shown, right) = (digest(shown), digest(right.expose_secret()));
    shown.iter().zip(right).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// Writes bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
