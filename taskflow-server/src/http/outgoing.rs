//! Answers on their way to clients: they wait in memory until their reader takes them, so they have room of their own, of
//! which each requester has a part.

use std::time::Duration;

use futures_util::stream;
use hyper::body::{Body as _, Bytes};
use poem::http::{HeaderValue, Method, header};
use poem::{Body, Response};

use crate::api::ApiError;
use crate::limits::{Requester, Share, Shares};

const MEGABYTE: usize = 1024 * 1024;
/// Room for the answers of all accounts together, and for those of one account, in bytes. A longer answer waits alone.
const ACCOUNTS: (usize, usize) = (32 * MEGABYTE, 8 * MEGABYTE);
/// The same for requests without a token, and for one address.
const STRANGERS: (usize, usize) = (8 * MEGABYTE, 2 * MEGABYTE);
/// Length up to which an answer needs no room, in bytes.
const FREE: usize = 16 * 1024;
/// Bytes that are handed to a connection at once.
const CHUNK: usize = 32 * 1024;
/// Maximum time for which a response waits for room, while its operation keeps its permit.
const PATIENCE: Duration = Duration::from_secs(8);
/// From one look for room to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    accounts: Shares,
    strangers: Shares,
    /// Maximum time for which a response waits for room.
    patience: Duration,
}

impl Outgoing {
    /// Empty. Unless it is `fair`, one requester may take all of it.
    pub(super) fn new(fair: bool) -> Self {
        let shares = |(total, each)| Shares::new(total, if fair { each } else { total });
        Self { accounts: shares(ACCOUNTS), strangers: shares(STRANGERS), patience: PATIENCE }
    }

    /// Returns the answer once there is room for it. A stream is no answer that waits: it is left as it is.
    ///
    /// # Errors
    ///
    /// When the readers of earlier answers are too slow: [`ApiError::Busy`], and [`ApiError::Overdue`] after something may
    /// have been written.
    pub(super) async fn admit(
        &self,
        requester: Requester,
        method: &Method,
        mut answer: Response,
    ) -> Result<Response, ApiError> {
        let (_, body) = hyper::Response::from(Response::from(answer.take_body())).into_parts();
        let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| *length > FREE) else {
            answer.set_body(body);
            return Ok(answer);
        };
        let (shares, each) = match requester {
            Requester::Account(_) => (&self.accounts, ACCOUNTS.1),
            Requester::Address(_) => (&self.strangers, STRANGERS.1),
        };
        let share = async {
            loop {
                match shares.take(requester, length.min(each)) {
                    Some(share) => return share,
                    None => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        let Ok(share) = tokio::time::timeout(self.patience, share).await else {
            return Err(if method.is_safe() { ApiError::Busy } else { ApiError::Overdue });
        };
        let bytes = Body::from(body).into_bytes().await.map_err(|error| ApiError::Internal(error.into()))?;
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        answer.set_body(in_parts(bytes, share));
        Ok(answer)
    }
}

/// A body that gives its room back once its last part was taken.
fn in_parts(bytes: Bytes, share: Share) -> Body {
    let parts = stream::unfold((bytes, share), |(mut bytes, share)| async move {
        let part = bytes.split_to(bytes.len().min(CHUNK));
        (!part.is_empty()).then_some((Ok::<_, std::io::Error>(part), (bytes, share)))
    });
    Body::from_bytes_stream(parts)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;

    use super::*;

    fn address(n: u32) -> Requester {
        Requester::at(IpAddr::V4(Ipv4Addr::from(n)))
    }

    fn answer(length: usize) -> Response {
        Response::builder().body(vec![b'x'; length])
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_are_bounded_and_others_are_answered() {
        let outgoing = Outgoing { patience: Duration::from_millis(20), ..Outgoing::new(true) };
        let admit = |n, length| outgoing.admit(address(n), &Method::GET, answer(length));
        let first = admit(1, STRANGERS.1 / 2).await.expect("room");
        let second = admit(1, STRANGERS.1 / 2).await.expect("room");
        assert!(matches!(admit(1, STRANGERS.1 / 2).await, Err(ApiError::Busy)));
        let write = outgoing.admit(address(1), &Method::POST, answer(STRANGERS.1 / 2)).await;
        assert!(matches!(write, Err(ApiError::Overdue)));
        assert!(admit(1, FREE).now_or_never().expect("no wait").is_ok(), "a short answer needs no room");
        assert!(admit(2, STRANGERS.1).await.is_ok(), "others have a part of their own");
        drop(first);
        let third = admit(1, STRANGERS.1 / 2).await.expect("the room was given back");
        let length = third.into_body().into_bytes().await.expect("a body").len();
        assert_eq!(length, STRANGERS.1 / 2, "in several parts");
        assert!(admit(1, STRANGERS.1 / 2).now_or_never().expect("no wait").is_ok(), "it was taken");
        drop(second);
    }

    #[tokio::test]
    async fn an_answer_longer_than_its_room_waits_alone() {
        let outgoing = Outgoing::new(true);
        let long = outgoing.admit(address(1), &Method::GET, answer(3 * STRANGERS.1)).await.expect("room");
        assert_eq!(long.headers()[header::CONTENT_LENGTH], (3 * STRANGERS.1).to_string().as_str());
    }
}
