use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use poem::Body;
use poem::http::HeaderMap;
use poem::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::{ApiError, MAX_BODY};

/// How long a body may take to arrive: a slow link brings a megabyte in that time.
const DEADLINE: Duration = Duration::from_secs(25);
/// How much of a body that is too large is read and dropped, so that its sender gets to read the answer.
const MAX_DRAIN: usize = 32 * 1024 * 1024;
/// How long that may take.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// What all bodies together may take while their requests are at work, in bytes.
const ALL_BODIES: usize = 64 * MAX_BODY;

/// Room for bodies.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A whole body, and its part of the room.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Empty.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES)))
    }

    /// Room for `more` bytes on top of what is held; nobody waits for it.
    fn take(&self, held: &mut Option<OwnedSemaphorePermit>, more: usize) -> Result<(), ApiError> {
        let more = u32::try_from(more).map_err(|_| ApiError::TooLarge)?;
        let more = self.0.clone().try_acquire_many_owned(more).map_err(|_| ApiError::Busy)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// Whether the body has a content coding (RFC 9110 section 8.4); `identity` is none.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// The whole body, within its bounds, however it is framed.
///
/// # Errors
///
/// [`ApiError::UnsupportedCoding`], [`ApiError::TooLarge`], [`ApiError::TooSlow`], [`ApiError::Busy`] when there is no room, or [`ApiError::Malformed`] when
/// it broke off.
pub(super) async fn read(room: &Room, headers: &HeaderMap, body: Body) -> Result<Whole, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut chunks = body.into_bytes_stream();
    let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(64 * 1024));
    let mut held = None;
    let gathered = tokio::time::timeout(DEADLINE, async {
        if declared != Some(0) && is_coded(headers) {
            return match chunks.next().await {
                Some(_) => Err(ApiError::UnsupportedCoding),
                None => Ok(()),
            };
        }
        if declared.is_some_and(|length| length > MAX_BODY) {
            return Err(ApiError::TooLarge);
        }
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::Malformed("the body broke off"))?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(ApiError::TooLarge);
            }
            room.take(&mut held, chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    });
    let result = gathered.await.unwrap_or(Err(ApiError::TooSlow));
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
        let _ = tokio::time::timeout(DRAIN_DEADLINE, drain).await;
    }
    result.map(|()| Whole { bytes, held })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_there_is_no_room_somebody_is_asked_to_come_back_and_room_is_given_back() {
        let room = Room::new();
        let headers = HeaderMap::new();
        let read = || read(&room, &headers, Body::from(vec![0; MAX_BODY]));
        let mut all = Vec::new();
        for _ in 0..ALL_BODIES / MAX_BODY {
            all.push(read().await.expect("room"));
        }
        assert!(matches!(read().await, Err(ApiError::Busy)));
        all.pop();
        assert!(read().await.is_ok());
    }
}
