use secrecy::{ExposeSecret, SecretString};
use taskflow_core::{PasswordHash, Source};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::Score;

use super::argon;

use crate::config::PasswordPolicy;
use crate::limits::{FairQueue, Requester};

/// Maximum number of requests without a token that wait for a permit: in total and from one address. Further ones are
/// told to retry later.
const QUEUE: (usize, usize) = (256, 32);
/// The same for those of accounts, which have permits of their own.
const ACCOUNT_QUEUE: (usize, usize) = (128, 32);
/// Most characters of what a password is compared with when it is estimated, and most parts of it.
const MAX_INPUT: usize = 64;
const MAX_PARTS: usize = 16;

/// A password somebody wants to have: 8 to 128 characters, in one Unicode form, whichever a keyboard makes.
#[derive(Clone)]
pub struct Password(SecretString);

/// An error of hashing or checking a password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already; later it may work.
    #[error("too many passwords are being checked")]
    Busy,
    /// A bug, or a stored hash nobody can read.
    #[error("cannot hash a password")]
    Internal(#[source] Source),
}

/// Hashes and checks passwords: argon2id with the parameters OWASP recommends (19 MiB, two passes), on threads of their
/// own and only a few at a time, because each takes that memory. Requesters take turns.
#[derive(Debug, Clone)]
pub struct Passwords {
    policy: PasswordPolicy,
    strangers: FairQueue,
    /// Of people with a token or a known device: no stranger is ahead of them.
    accounts: FairQueue,
    /// Checked when there is no account, so that an unknown name costs as much as a wrong password.
    dummy: PasswordHash,
}

impl Password {
    /// Fewest and most characters.
    pub const LENGTH: (usize, usize) = (8, 128);

    /// Checks the length.
    ///
    /// # Errors
    ///
    /// Returns the description of an accepted password, to be read after the field's name.
    pub fn new(text: &str) -> Result<Self, String> {
        let (least, most) = Self::LENGTH;
        let prepared = prepared(text);
        if text.chars().count() <= most && prepared.expose_secret().chars().count() >= least {
            Ok(Self(prepared))
        } else {
            Err(format!("must have {least} to {most} characters"))
        }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Passwords {
    /// Accepts what `policy` accepts and runs `permits` hashes (19 MiB each) side by side, at least one, and half as many
    /// beside them for accounts.
    #[must_use]
    pub fn new(policy: PasswordPolicy, permits: usize) -> Self {
        let permits = permits.max(1);
        let dummy = argon::hash_with_salt(b"nobody has this password", b"the salt of none")
            .expect("the default parameters and a salt of 16 bytes fit");
        Self {
            policy,
            strangers: FairQueue::new(permits, permits - 1, QUEUE.0, QUEUE.1),
            accounts: FairQueue::new(permits.div_ceil(2), permits / 2, ACCOUNT_QUEUE.0, ACCOUNT_QUEUE.1),
            dummy: PasswordHash::new(dummy),
        }
    }

    /// Returns the description of an accepted password if the policy refuses `password`. `inputs` are the name and the
    /// address of the requesting user: these and their parts would be guessed first.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] when too many wait.
    pub async fn objection(
        &self,
        password: &Password,
        inputs: Vec<String>,
        requester: Requester,
    ) -> Result<Option<String>, PasswordError> {
        if self.policy == PasswordPolicy::Basic {
            return Ok(None);
        }
        let password = password.clone();
        // Guessing takes milliseconds of pure computation, up to a hundred at first use.
        let work = move || {
            let inputs: Vec<String> = inputs.iter().map(|input| input.chars().take(MAX_INPUT).collect()).collect();
            let parts = inputs.iter().flat_map(|input| input.split(|c: char| !c.is_alphanumeric()).take(MAX_PARTS));
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).chain(parts).collect();
            let text: String = password.0.expose_secret().chars().take(MAX_INPUT).collect();
            Ok(zxcvbn::zxcvbn(SecretString::from(text).expose_secret(), &inputs).score())
        };
        let score = self.run(requester, work).await?;
        let objection = "is too easy to guess: use several words that do not belong together";
        Ok((score < Score::Three).then(|| objection.to_owned()))
    }

    /// The same without a part of the room for each requester.
    #[must_use]
    pub fn first_come_first_served(self, permits: usize) -> Self {
        let permits = permits.max(1);
        let (queue, accounts) = (QUEUE.0, permits.div_ceil(2));
        Self {
            strangers: FairQueue::new(permits, permits, queue, queue),
            accounts: FairQueue::new(accounts, accounts, queue, queue),
            ..self
        }
    }

    /// The hash to keep of a password.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] when too many wait.
    pub async fn hash(&self, password: &Password, requester: Requester) -> Result<PasswordHash, PasswordError> {
        let password = password.clone();
        self.run(requester, move || {
            let hash = argon::hash(password.0.expose_secret().as_bytes()).map_err(internal)?;
            Ok(PasswordHash::new(hash))
        })
        .await
    }

    /// Returns whether `attempt` is the password of `stored`. Without an account it returns `false`, after the same
    /// time.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] when too many wait; `Internal` when the stored hash cannot be read.
    pub async fn verify(
        &self,
        attempt: SecretString,
        stored: Option<PasswordHash>,
        requester: Requester,
    ) -> Result<bool, PasswordError> {
        let exists = stored.is_some();
        let hash = stored.unwrap_or_else(|| self.dummy.clone());
        let attempt = prepared(attempt.expose_secret());
        self.run(requester, move || {
            let right = argon::verify(attempt.expose_secret().as_bytes(), hash.expose()).map_err(internal)?;
            Ok(right && exists)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        requester: Requester,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turns = match requester {
            Requester::Address(_) => &self.strangers,
            Requester::Account(_) => &self.accounts,
        };
        let turn = turns.take(requester).await.ok_or(PasswordError::Busy)?;
        // The turn goes along: a caller who no longer waits must not make room while the hash still runs.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|error| PasswordError::Internal(error.into()))?
    }
}

/// The form in which passwords are hashed and compared (RFC 8265 §4.2.2): the same on every keyboard.
fn prepared(text: &str) -> SecretString {
    const OTHER_SPACES: [char; 4] = ['\u{a0}', '\u{1680}', '\u{202f}', '\u{205f}'];
    let plain = |c| match c {
        '\u{2000}'..='\u{200a}' | '\u{3000}' => ' ',
        c if OTHER_SPACES.contains(&c) => ' ',
        c => c,
    };
    SecretString::from(text.chars().map(plain).nfc().collect::<String>())
}

fn internal(error: argon2::password_hash::Error) -> PasswordError {
    PasswordError::Internal(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn here() -> Requester {
        Requester::at(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    #[tokio::test]
    async fn a_password_is_accepted_only_by_its_own_hash() {
        let passwords = Passwords::new(PasswordPolicy::Basic, 1);
        let hash = passwords.hash(&Password::new("password123").expect("long enough"), here()).await.expect("a hash");
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("password123".into(), Some(hash.clone()), here()).await.expect("checked"));
        assert!(!passwords.verify("password124".into(), Some(hash), here()).await.expect("checked"));
        assert!(!passwords.verify("nobody has this password".into(), None, here()).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_password_is_the_same_on_every_keyboard() {
        let passwords = Passwords::new(PasswordPolicy::Basic, 2);
        let hash =
            passwords.hash(&Password::new("Gr\u{fc}n am See").expect("long enough"), here()).await.expect("a hash");
        for typed in ["Gru\u{308}n am See", "Gr\u{fc}n\u{a0}am\u{3000}See"] {
            assert!(passwords.verify(typed.into(), Some(hash.clone()), here()).await.expect("checked"), "{typed}");
        }
        assert!(Password::new(&"e\u{301}".repeat(7)).is_err(), "seven characters to whoever reads them");
    }

    #[tokio::test]
    async fn the_strict_policy_refuses_what_is_easy_to_guess() {
        let strict = Passwords::new(PasswordPolicy::Strict, 1);
        let objection = async |text| {
            let inputs = vec!["testuser".to_owned(), "test@example.com".to_owned()];
            strict.objection(&Password::new(text).expect("long enough"), inputs, here()).await.expect("an opinion")
        };
        assert!(objection("password123").await.is_some());
        assert!(objection("testuser2026").await.is_some());
        assert!(objection("correct horse battery staple").await.is_none());
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away_and_nobody_else() {
        let passwords = Passwords::new(PasswordPolicy::Basic, 1);
        let verify = |requester| passwords.verify("password123".into(), None, requester);
        let all = futures_util::future::join_all((0..40).map(|_| verify(here()))).await;
        let refused = all.iter().filter(|result| matches!(result, Err(PasswordError::Busy))).count();
        assert_eq!(refused, 40 - 1 - QUEUE.1);
        assert!(verify(here()).await.is_ok());
        let other = Requester::at(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let flood = futures_util::future::join_all((0..40).map(|_| verify(here())));
        let (_, others) = futures_util::future::join(flood, verify(other)).await;
        assert!(others.is_ok());
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(Password::new("äöüäöüä").is_err() && Password::new("äöüäöüäö").is_ok());
        assert!(Password::new(&"x".repeat(128)).is_ok() && Password::new(&"x".repeat(129)).is_err());
    }
}
