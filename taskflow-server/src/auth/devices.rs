use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use taskflow_core::{Source, Timestamp, UserId};

use super::links::{derived_key, hmac};

/// The context from which the keys are derived (HKDF, RFC 5869).
const INFO: &[u8] = b"known devices, 1";

/// Lifetime of a device token.
const LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Bytes of a token: a random id, the expiry, tag.
const ID: usize = 16;
const EXPIRY: usize = 8;
const TAG: usize = 16;

/// Signs and verifies device tokens. A device gets one when somebody signs in from it, and shows it the next time: guesses
/// from elsewhere then do not count for it. It authorizes nothing.
#[derive(Clone)]
pub struct DeviceTokens {
    /// The present key first, then the previous ones.
    keys: Vec<[u8; 32]>,
}

/// A device from which an account was signed in to before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDevice {
    id: [u8; ID],
}

impl KnownDevice {
    /// Returns the id that distinguishes it from other devices.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.id
    }
}

impl DeviceTokens {
    /// Signs with `secret`; what was signed with one of `previous` is still understood.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString]) -> Self {
        Self { keys: std::iter::once(secret).chain(previous).map(|secret| derived_key(secret, INFO)).collect() }
    }

    /// Returns a token for a device from which `user` has just signed in.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub fn issue(&self, user: UserId, now: Timestamp) -> Result<String, Source> {
        let key = self.keys.first().ok_or("there is no key")?;
        let mut token = vec![0; ID];
        getrandom::fill(&mut token).map_err(|error| error.to_string())?;
        token.extend_from_slice(&(now + LIFETIME).as_micros().to_be_bytes());
        let tag = tag(key, user, &token);
        token.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// Returns the device of a token, if it was issued for `user` and has not expired.
    #[must_use]
    pub fn verify(&self, token: &str, user: UserId, now: Timestamp) -> Option<KnownDevice> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, shown) = token.split_at_checked(ID + EXPIRY)?;
        let (id, expiry) = signed.split_at_checked(ID)?;
        let is_right = |key: &[u8; 32]| {
            let right = tag(key, user, signed);
            right.len() == shown.len() && right.iter().zip(shown).fold(0, |all, (a, b)| all | (a ^ b)) == 0
        };
        let expires_at = i64::from_be_bytes(expiry.try_into().ok()?);
        let is_valid = self.keys.iter().any(is_right) && now.as_micros() < expires_at;
        is_valid.then_some(KnownDevice { id: id.try_into().ok()? })
    }
}

fn tag(key: &[u8; 32], user: UserId, signed: &[u8]) -> [u8; TAG] {
    let hash = hmac(key, &[user.as_uuid().as_bytes(), signed]);
    std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use taskflow_core::ports::{Clock, SystemClock};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_device_is_known_to_one_account_until_its_token_expires() {
        let (old, new) = (SecretString::from("a key ".repeat(8)), SecretString::from("b key ".repeat(8)));
        let before = DeviceTokens::new(&old, &[]);
        let devices = DeviceTokens::new(&new, &[old]);
        let [ada, bob] = [1, 2].map(|n| UserId::from_uuid(Uuid::from_u128(n)));
        let now = SystemClock::new().now();
        let token = before.issue(ada, now).expect("a token");
        let device = devices.verify(&token, ada, now).expect("a known device");
        assert_ne!(devices.verify(&devices.issue(ada, now).expect("a token"), ada, now), Some(device));
        assert_eq!(devices.verify(&token, bob, now), None);
        assert_eq!(devices.verify(&token, ada, now + LIFETIME), None);
        assert_eq!(before.verify(&devices.issue(ada, now).expect("a token"), ada, now), None);
        for broken in ["", "x", &token[1..], &format!("{token}AAAA"), &token.replace(&token[..4], "AAAA")] {
            assert_eq!(devices.verify(broken, ada, now), None, "{broken}");
        }
    }
}
