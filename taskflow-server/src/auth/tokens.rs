use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use taskflow_core::{SessionId, Timestamp, UserId};
use taskflow_runtime::live::SessionClaims;
use uuid::Uuid;

/// Issuer and audience of the tokens: this service, in both cases.
const ISSUER: &str = "taskflow";
const AUDIENCE: &str = "taskflow-api";
/// The media type of access tokens (RFC 9068 §2.1): no other kind of token is taken for one.
const TYPE: &str = "at+jwt";
/// No token of ours is longer; longer ones are not even decoded.
const MAX_LENGTH: usize = 1024;
/// Maximum time by which another node's clock may be ahead of ours.
const MAX_AHEAD: Duration = Duration::from_secs(5);

/// Makes and checks access tokens: JWT (RFC 7519) signed with HMAC-SHA-256, and no other algorithm.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    key_id: String,
    /// By key id; the one that signs first.
    checking: Vec<(String, DecodingKey)>,
    validation: Validation,
    lifetime: Duration,
}

/// A fresh access token.
#[derive(Clone)]
pub struct AccessToken {
    /// The token that the client sends back as `Authorization: Bearer …`.
    pub text: String,
    /// Time for which the token is valid.
    pub lifetime: Duration,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    jti: Uuid,
    iat: i64,
    exp: i64,
    /// `iat` has whole seconds by custom; this has the microseconds, so that signing in right after a password change
    /// counts as after it.
    iat_us: i64,
    /// A token that is brought may say that it is not valid yet (RFC 7519 section 4.1.5); ours say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
}

impl Tokens {
    /// Signs with `secret`, which has at least 32 bytes (RFC 7518 §3.2), and accepts what was signed with one of
    /// `previous` as well; tokens are good for `access_lifetime`.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString], access_lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Expiry is ours to judge: by the injected clock and without leeway.
        validation.validate_exp = false;
        let checking = |secret: &SecretString| {
            let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
            (key_id(secret), key)
        };
        Self {
            signing: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            key_id: key_id(secret),
            checking: std::iter::once(secret).chain(previous).map(checking).collect(),
            validation,
            lifetime: access_lifetime,
        }
    }

    /// A token for a person's session, good from `issued_at` on.
    ///
    /// # Errors
    ///
    /// Only when the claims cannot be written as JSON, which is a bug.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        issued_at: Timestamp,
    ) -> Result<AccessToken, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_string(),
            sid: session.to_string(),
            jti: Uuid::new_v4(),
            iat: seconds(issued_at),
            exp: seconds(issued_at + self.lifetime),
            iat_us: issued_at.as_micros(),
            nbf: None,
        };
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(self.key_id.clone()), ..Header::new(Algorithm::HS256) };
        let text = jsonwebtoken::encode(&header, &claims, &self.signing)?;
        Ok(AccessToken { text, lifetime: self.lifetime })
    }

    /// Returns the content of `token`, or `None` if it is malformed, forged, expired, from the future or not for us.
    #[must_use]
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<SessionClaims> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        // The header is not trusted yet: it only tells which of our keys to try.
        let named = jsonwebtoken::decode_header(token).ok()?.kid?;
        let (_, key) = self.checking.iter().find(|(id, _)| *id == named)?;
        let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        let (header, claims) = (data.header, data.claims);
        let ours = header.typ.as_deref() == Some(TYPE);
        let issued_at = Timestamp::from_micros(claims.iat_us);
        let in_time = seconds(now) < claims.exp && issued_at <= now + MAX_AHEAD && claims.iat == seconds(issued_at);
        let latest = (now + MAX_AHEAD).as_micros() as f64 / 1e6;
        let in_time = in_time && claims.nbf.is_none_or(|not_before| not_before <= latest);
        let (user, session) = (claims.sub.parse().ok()?, claims.sid.parse().ok()?);
        let expires_at = Timestamp::from_micros(claims.exp.checked_mul(1_000_000)?);
        (ours && in_time).then_some(SessionClaims { user, session, issued_at, expires_at })
    }
}

/// Returns the id of a key in the tokens it signed. The id reveals nothing about the key.
fn key_id(secret: &SecretString) -> String {
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    let digest =
        jsonwebtoken::crypto::sign(b"taskflow key id", &key, Algorithm::HS256).expect("HMAC takes keys of any length");
    digest.chars().take(12).collect()
}

/// NumericDate (RFC 7519 §2), in whole seconds.
fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("key_id", &self.key_id).field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(1800);

    fn tokens() -> Tokens {
        Tokens::new(&SECRET.into(), &[], LIFETIME)
    }

    fn ada() -> SessionClaims {
        SessionClaims {
            user: UserId::from_uuid(Uuid::from_u128(7)),
            session: SessionId::from_uuid(Uuid::from_u128(8)),
            issued_at: now(),
            expires_at: "2026-11-22T10:30:00Z".parse().expect("a time"),
        }
    }

    fn issue(tokens: &Tokens) -> String {
        tokens.issue(ada().user, ada().session, now()).expect("a token").text
    }

    fn now() -> Timestamp {
        "2026-11-22T10:00:00.123456Z".parse().expect("a time")
    }

    fn forged(header: &Header, change: impl FnOnce(&mut Claims), secret: &str) -> String {
        let mut claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: ada().user.to_string(),
            sid: ada().session.to_string(),
            jti: Uuid::nil(),
            iat: seconds(now()),
            exp: seconds(now()) + 60,
            iat_us: now().as_micros(),
            nbf: None,
        };
        change(&mut claims);
        jsonwebtoken::encode(header, &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("encodes")
    }

    fn header() -> Header {
        Header { typ: Some(TYPE.to_owned()), kid: Some(tokens().key_id), ..Header::new(Algorithm::HS256) }
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_is_good_from_the_time_that_it_names() {
        let from = |seconds: f64| forged(&header(), |claims| claims.nbf = Some(seconds), SECRET);
        let at = now().as_micros() as f64 / 1e6;
        assert!(tokens().verify(&from(at - 60.0), now()).is_some());
        assert!(tokens().verify(&from(at + 4.5), now()).is_some(), "clocks may differ a little");
        assert!(tokens().verify(&from(at + 6.0), now()).is_none());
        assert!(tokens().verify(&from(at + 6.0), now() + Duration::from_secs(2)).is_some());
        assert!(tokens().verify(&from(f64::MAX), now()).is_none());
    }

    #[test]
    fn a_token_is_good_until_the_second_it_expires() {
        let token = issue(&tokens());
        assert_eq!(tokens().verify(&token, now()), Some(ada()));
        assert!(tokens().verify(&token, now() + LIFETIME - Duration::from_secs(1)).is_some());
        assert!(tokens().verify(&token, now() + LIFETIME).is_none());
        assert!(tokens().verify(&token, now() - Duration::from_secs(6)).is_none());
    }

    #[test]
    fn what_is_forged_or_not_for_us_is_refused() {
        assert!(tokens().verify(&forged(&header(), |_| (), SECRET), now()).is_some());
        let cases = [
            forged(&header(), |_| (), "another secret, just as long as the first"),
            forged(&Header { alg: Algorithm::HS512, ..header() }, |_| (), SECRET),
            forged(&Header { typ: Some("JWT".to_owned()), ..header() }, |_| (), SECRET),
            forged(&Header { kid: None, ..header() }, |_| (), SECRET),
            forged(&header(), |claims| claims.aud = "other".to_owned(), SECRET),
            forged(&header(), |claims| claims.iss = "other".to_owned(), SECRET),
            forged(&header(), |claims| claims.sub = "7".to_owned(), SECRET),
            forged(&header(), |claims| claims.sid = String::new(), SECRET),
            forged(&header(), |claims| claims.iat -= 1, SECRET),
            String::new(),
            "a.b.c".to_owned(),
            "eyJhbGciOiJub25lIn0.e30.".to_owned(),
            "x".repeat(MAX_LENGTH + 1),
        ];
        for token in cases {
            assert_eq!(tokens().verify(&token, now()), None, "{token}");
        }
    }

    #[test]
    fn what_a_previous_key_signed_is_accepted_until_that_key_is_gone() {
        let old = issue(&tokens());
        let next = SecretString::from("another secret, just as long as the first");
        let both = Tokens::new(&next, &[SECRET.into()], LIFETIME);
        assert_eq!(both.verify(&old, now()), Some(ada()));
        let new = issue(&both);
        assert!(tokens().verify(&new, now()).is_none());
        let only = Tokens::new(&next, &[], LIFETIME);
        assert_eq!((only.verify(&old, now()), only.verify(&new, now())), (None, Some(ada())));
    }
}
