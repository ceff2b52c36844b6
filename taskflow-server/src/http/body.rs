use std::time::Duration;

use futures_util::StreamExt;
use poem::Body;
use poem::http::HeaderMap;
use poem::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::time::{Instant, timeout};

use crate::api::{ApiError, MAX_BODY};
use crate::limits::{LimitSettings, Requester, Share, Shares};

/// Maximum time for a body to arrive. Bodies of requests without a token are short.
const DEADLINE: Duration = Duration::from_secs(25);
const STRANGERS_DEADLINE: Duration = Duration::from_secs(12);
/// The time after which a body must have arrived at the minimum rate.
const GRACE: Duration = Duration::from_secs(5);
/// Maximum number of bytes of a too large body that are read and dropped, so that its sender can read the response.
const MAX_DRAIN: usize = 32 * 1024 * 1024;
/// Maximum time for dropping the rest of a body.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Maximum total size, in bytes, of the bodies of requests in progress: of all accounts together, and of one account.
const ALL_BODIES: (usize, usize) = (32 * MAX_BODY, 8 * MAX_BODY);
/// The same for requests without a token, and for one address.
const STRANGERS_BODIES: (usize, usize) = (16 * MAX_BODY, 4 * MAX_BODY);
/// The part of each body that needs no room, in bytes: whoever signs in sends no more, and is never refused for want of it.
const FREE: usize = 4 * 1024;

/// Room for bodies, of which each requester has a part.
#[derive(Debug, Clone)]
pub(super) struct BodyBudget {
    accounts: Shares,
    strangers: Shares,
    /// Fewest bytes a second; 0: any.
    min_rate: u32,
    /// The time after which that counts.
    grace: Duration,
}

/// A whole body, and its part of the room.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Option<Share>,
}

impl BodyBudget {
    /// Empty. Unless limits are on, one requester may take all of it.
    pub(super) fn new(limits: &LimitSettings) -> Self {
        let shares = |(total, each)| Shares::new(total, if limits.enabled { each } else { total });
        let (accounts, strangers) = (shares(ALL_BODIES), shares(STRANGERS_BODIES));
        Self { accounts, strangers, min_rate: limits.min_rate, grace: GRACE }
    }

    /// Returns how long the next part of a body may take that has brought `length` bytes in `spent`.
    fn patience(&self, requester: Requester, length: usize, spent: Duration) -> Duration {
        let deadline = match requester {
            Requester::Account(_) => DEADLINE,
            Requester::Address(_) => STRANGERS_DEADLINE,
        };
        let earned = Duration::from_secs(length as u64).checked_div(self.min_rate).unwrap_or(deadline);
        deadline.min(self.grace + earned).saturating_sub(spent)
    }

    /// Room for a body that has grown to `length` bytes; nobody waits for it.
    fn grow(&self, requester: Requester, held: &mut Option<Share>, length: usize) -> Result<(), ApiError> {
        let more = length.saturating_sub(FREE) - held.as_ref().map_or(0, Share::units);
        if more == 0 {
            return Ok(());
        }
        let shares = match requester {
            Requester::Account(_) => &self.accounts,
            Requester::Address(_) => &self.strangers,
        };
        let more = shares.take(requester, more).ok_or(ApiError::Busy)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// Returns whether the body has a content coding (RFC 9110 section 8.4) other than `identity`.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// The whole body of at most so many bytes, however it is framed.
///
/// # Errors
///
/// [`ApiError::UnsupportedCoding`], [`ApiError::TooLarge`], [`ApiError::TooSlow`], [`ApiError::Busy`] when there is no room,
/// or [`ApiError::Malformed`] when it broke off.
pub(super) async fn read(
    room: &BodyBudget,
    requester: Requester,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Whole, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut chunks = body.into_bytes_stream();
    let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(FREE));
    let mut held = None;
    let began = Instant::now();
    let gathered = async {
        let patience = |length| room.patience(requester, length, began.elapsed());
        if declared != Some(0) && is_coded(headers) {
            return match timeout(patience(0), chunks.next()).await {
                Ok(Some(_)) => Err(ApiError::UnsupportedCoding),
                Ok(None) => Ok(()),
                Err(_) => Err(ApiError::TooSlow),
            };
        }
        if declared.is_some_and(|length| length > most) {
            return Err(ApiError::TooLarge);
        }
        loop {
            let chunk = timeout(patience(bytes.len()), chunks.next()).await.map_err(|_| ApiError::TooSlow)?;
            let Some(chunk) = chunk else { return Ok(()) };
            let chunk = chunk.map_err(|_| ApiError::Malformed("the body broke off"))?;
            if bytes.len() + chunk.len() > most {
                return Err(ApiError::TooLarge);
            }
            room.grow(requester, &mut held, bytes.len() + chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
    };
    let result = gathered.await;
    if matches!(result, Err(ApiError::TooLarge | ApiError::Busy | ApiError::UnsupportedCoding)) {
        let mut dropped = 0;
        let drain = async {
            while let Some(Ok(chunk)) = chunks.next().await {
                dropped += chunk.len();
                if dropped > MAX_DRAIN {
                    break;
                }
            }
        };
        let _ = timeout(DRAIN_DEADLINE, drain).await;
    }
    result.map(|()| Whole { bytes, held })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(n: u32) -> Requester {
        Requester::at(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[tokio::test]
    async fn one_address_cannot_take_the_room_of_others_and_room_is_given_back() {
        let (room, headers) = (BodyBudget::new(&crate::config::Config::for_tests().limits), HeaderMap::new());
        let read = |n, size| read(&room, address(n), &headers, Body::from(vec![0; size]), MAX_BODY);
        let mut all = Vec::new();
        for _ in 0..STRANGERS_BODIES.1 / MAX_BODY {
            all.push(read(1, MAX_BODY).await.expect("room"));
        }
        assert!(matches!(read(1, MAX_BODY).await, Err(ApiError::Busy)));
        assert!(read(2, MAX_BODY).await.is_ok(), "another address has a part of its own");
        all.pop();
        assert!(read(1, MAX_BODY).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_signs_in_finds_room_whatever_others_send() {
        let (room, headers) = (BodyBudget::new(&crate::config::Config::for_tests().limits), HeaderMap::new());
        let read = |n, size| read(&room, address(n), &headers, Body::from(vec![0; size]), MAX_BODY);
        let mut all = Vec::new();
        for n in 0..17 {
            all.extend(read(n, MAX_BODY).await);
        }
        assert!(matches!(read(100, MAX_BODY).await, Err(ApiError::Busy)), "there is no room left");
        assert!(read(100, FREE).await.is_ok());
    }

    #[test]
    fn a_body_must_come_at_the_minimum_rate_after_a_while() {
        let room = |min_rate| BodyBudget::new(&LimitSettings { min_rate, ..crate::config::Config::for_tests().limits });
        let seconds = Duration::from_secs;
        let patience = |min_rate, length, spent| room(min_rate).patience(address(1), length, seconds(spent));
        assert_eq!(patience(1_000, 0, 0), GRACE);
        assert_eq!(patience(1_000, 999, 5), Duration::from_millis(999));
        assert_eq!(patience(1_000, 3_000, 9), Duration::ZERO, "3 bytes a second less than the minimum");
        assert_eq!(patience(1_000, 1_000_000, 11), seconds(1), "the deadline stands");
        assert_eq!(patience(0, 0, 11), seconds(1), "any rate will do");
    }

    #[tokio::test]
    async fn a_body_that_comes_too_slowly_is_given_up() {
        let limits = LimitSettings { min_rate: 1, ..crate::config::Config::for_tests().limits };
        let mut room = BodyBudget::new(&limits);
        room.grace = Duration::from_millis(20);
        let never = Body::from_bytes_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let slow = read(&room, address(1), &HeaderMap::new(), never, MAX_BODY).await;
        assert!(matches!(slow, Err(ApiError::TooSlow)), "{slow:?}");
    }
}
