//! Who asks: passwords, sessions, access tokens and the person behind a request.

mod argon;
mod caller;
mod links;
mod passwords;
mod refresh;
mod revoked;
mod sign_in;
mod tokens;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub(crate) use caller::bearer;
pub use caller::{Caller, SignedIn};
pub use links::SignedLinks;
pub use passwords::{Password, PasswordError, Passwords};
pub use refresh::{RefreshToken, Secret, Successors};
pub use revoked::{Blind, RevocationBus, RevocationList};
pub use sign_in::{Grant, refresh, sign_in};
pub use tokens::{AccessToken, Tokens, Verified};

/// Whether somebody shows the right secret; takes the same time wherever the two differ.
pub(crate) fn same_secret(shown: &str, right: &SecretString) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let (shown, right) = (digest(shown), digest(right.expose_secret()));
    shown.iter().zip(right).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
