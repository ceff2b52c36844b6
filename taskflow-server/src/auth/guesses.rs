//! Strict limits on what lets somebody in or sends mail. Their buckets are in the store, where all nodes share them.

use std::net::IpAddr;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use taskflow_core::ports::{BucketTake, SharedLimits};
use taskflow_core::{EmailAddress, Login, RateLimit, UserId};

use super::links::{derived_key, keyed};
use super::{AuthError, KnownDevice, hex};
use crate::limits::{Exceeded, LimitSettings, Requester};

/// The context from which the key is derived (HKDF, RFC 5869).
const INFO: &[u8] = b"rate limits, 1";

/// Counts guesses and requests for mail, by name and by address.
///
/// A request is counted before the work that it asks for, because parallel ones would pass a check that comes before
/// them. A successful sign-in gives back what it took itself and no more: otherwise an attacker with an account could
/// reset the count. Names that nobody has are counted like others.
#[derive(Clone)]
pub struct GuessLimits {
    buckets: Arc<dyn SharedLimits>,
    settings: LimitSettings,
    key: Hmac<Sha256>,
}

/// The buckets that a request has taken from.
#[derive(Debug, Default)]
#[must_use]
pub struct Taken(Vec<BucketTake>);

impl GuessLimits {
    /// Counts in `buckets`, under hashes that are keyed with `secret`.
    #[must_use]
    pub fn new(buckets: Arc<dyn SharedLimits>, settings: &LimitSettings, secret: &SecretString) -> Self {
        Self { buckets, settings: settings.clone(), key: keyed(&derived_key(secret, INFO)) }
    }

    /// Counts a sign-in. From a known device only that device counts, so that nobody who guesses elsewhere keeps the owner
    /// out.
    pub(super) async fn sign_in(
        &self,
        address: IpAddr,
        login: &Login,
        account: Option<UserId>,
        device: Option<&KnownDevice>,
    ) -> Result<Taken, AuthError> {
        let limits = &self.settings;
        if let Some(device) = device {
            let key = self.hash("device", &[device.id()]);
            return self.take("sign-in", limits.sign_in_device, vec![(key, limits.sign_in_device)]).await;
        }
        // The name and the address of an account are one.
        let name = account.map_or_else(|| name(login), |account| account.to_string());
        let from = counted(address);
        let mut takes = vec![
            (self.hash("name and address", &[name.as_bytes(), from.as_bytes()]), limits.sign_in),
            (self.hash("name", &[name.as_bytes()]), limits.sign_in_name),
            (self.hash("address", &[from.as_bytes()]), limits.sign_in_address),
        ];
        let seen = self.first_guess(&name, &from).await?;
        if !seen.0.is_empty() {
            takes.push((self.hash("names", &[from.as_bytes()]), limits.sign_in_names));
        }
        match self.take("sign-in", limits.sign_in, takes).await {
            Ok(mut taken) => {
                taken.0.extend(seen.0);
                Ok(taken)
            }
            Err(error) => {
                self.give_back(seen).await?;
                Err(error)
            }
        }
    }

    /// Notes that a name was tried from an address. Nothing is taken if it was within the time in which names are
    /// counted: then it is no further name.
    async fn first_guess(&self, name: &str, from: &str) -> Result<Taken, AuthError> {
        let once = RateLimit::new(1, self.settings.sign_in_names.period());
        let Some(limit) = once.filter(|_| self.settings.enabled) else { return Ok(Taken::default()) };
        let key = self.hash("a name from an address", &[name.as_bytes(), from.as_bytes()]);
        let takes = vec![BucketTake { key, limit }];
        let is_first = self.buckets.take(&takes).await?.is_none();
        Ok(Taken(if is_first { takes } else { Vec::new() }))
    }

    /// Counts a guess of the present password by somebody who has an open session.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] when there were too many.
    pub async fn password(&self, account: UserId) -> Result<Taken, AuthError> {
        let key = self.hash("password", &[account.to_string().as_bytes()]);
        self.take("sign-in", self.settings.sign_in, vec![(key, self.settings.sign_in)]).await
    }

    /// Counts a registration.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] when there were too many.
    pub async fn register(&self, address: IpAddr) -> Result<Taken, AuthError> {
        let key = self.hash("register", &[counted(address).as_bytes()]);
        self.take("register", self.settings.register, vec![(key, self.settings.register)]).await
    }

    /// Counts a request for mail to `about`, whether or not an account has that address.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] when there were too many.
    pub async fn mail(&self, kind: &'static str, address: IpAddr, about: &EmailAddress) -> Result<Taken, AuthError> {
        let limits = &self.settings;
        let takes = vec![
            (self.hash(kind, &[about.key().as_bytes()]), limits.mail),
            (self.hash("mail", &[counted(address).as_bytes()]), limits.mail_address),
        ];
        self.take("mail", limits.mail, takes).await
    }

    /// Counts a mail that an account asks for to `about`, whatever address the account has at other times.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] when there were too many.
    pub async fn own_mail(
        &self,
        kind: &'static str,
        account: UserId,
        about: &EmailAddress,
    ) -> Result<Taken, AuthError> {
        let limit = self.settings.mail;
        let takes = vec![
            (self.hash(kind, &[about.key().as_bytes()]), limit),
            (self.hash(kind, &[b"account", account.to_string().as_bytes()]), limit),
        ];
        self.take("mail", limit, takes).await
    }

    /// Counts a sample that an account sends to `to`.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] when there were too many.
    pub async fn sample(&self, account: UserId, to: &EmailAddress) -> Result<Taken, AuthError> {
        let limit = self.settings.mail_address;
        let takes = vec![
            (self.hash("sample", &[to.key().as_bytes()]), limit),
            (self.hash("sample", &[b"account", account.to_string().as_bytes()]), limit),
        ];
        self.take("mail", limit, takes).await
    }

    /// Gives back what was taken.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn give_back(&self, taken: Taken) -> Result<(), AuthError> {
        match taken.0.is_empty() {
            true => Ok(()),
            false => Ok(self.buckets.give_back(&taken.0).await?),
        }
    }

    async fn take(
        &self,
        policy: &'static str,
        limit: RateLimit,
        takes: Vec<(String, RateLimit)>,
    ) -> Result<Taken, AuthError> {
        if !self.settings.enabled {
            return Ok(Taken::default());
        }
        let takes: Vec<_> = takes.into_iter().map(|(key, limit)| BucketTake { key, limit }).collect();
        match self.buckets.take(&takes).await? {
            None => Ok(Taken(takes)),
            Some(retry_after) => Err(AuthError::Limited(Exceeded { policy, limit, retry_after })),
        }
    }

    /// The key of a bucket: neither a name nor an address can be read from it.
    fn hash(&self, kind: &str, values: &[&[u8]]) -> String {
        let mac = values.iter().fold(self.key.clone().chain_update(kind.as_bytes()), |mac, value| {
            mac.chain_update(b"\0").chain_update((value.len() as u64).to_be_bytes()).chain_update(value)
        });
        let tag = mac.finalize().into_bytes();
        hex(tag.get(..16).unwrap_or_default())
    }
}

fn name(login: &Login) -> String {
    match login {
        Login::Username(key) => format!("name {key}"),
        Login::Email(key) => format!("address {key}"),
    }
}

/// The text of what an address is counted by.
fn counted(address: IpAddr) -> String {
    match Requester::at(address) {
        Requester::Address(address) => address.to_string(),
        Requester::Account(account) => account.to_string(),
    }
}
