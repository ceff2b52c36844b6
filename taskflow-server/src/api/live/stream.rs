//! The messages of a WebSocket as a stream, for clients without one.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use taskflow_runtime::live::{Disconnect, FeedCursor, Message, SessionClaims, Topics};

use super::{CloseReason, message};
use crate::service::Service;

/// Starts a stream of what a WebSocket would send: first the position of the client, then what follows `since` or is new,
/// and at the end the reason why it ends.
pub(in crate::api) async fn stream(
    service: &Service,
    token: SessionClaims,
    since: Option<u64>,
    topics: Topics,
) -> Result<BoxStream<'static, Message>, Disconnect> {
    let place = Arc::clone(&service.event_streams).try_acquire_owned().map_err(|_| Disconnect::Full)?;
    let mut cursor = FeedCursor::new(service.live.enter(token)?, token, since);
    let ready = message::ready(cursor.begin().await?, token.expires_at, &topics.words());
    let clock = Arc::clone(&service.clock);
    let rest = stream::unfold(Some((cursor, place)), move |going| {
        let (clock, topics) = (Arc::clone(&clock), topics.clone());
        async move {
            let (mut cursor, place) = going?;
            loop {
                let left = token.expires_at.since(clock.now());
                // Otherwise one more message, and one more, while there are some.
                let next = match left.is_zero() {
                    true => Err(CloseReason::Expired),
                    false => match tokio::time::timeout(left, cursor.next()).await {
                        Ok(next) => next.map_err(CloseReason::from),
                        Err(_) => Err(CloseReason::Expired),
                    },
                };
                match next {
                    Ok(message) if !topics.want(message.topic) => {}
                    Ok(message) => return Some((message, Some((cursor, place)))),
                    Err(reason) => return Some((message::closed(reason.code(), reason.reason()), None)),
                }
            }
        }
    });
    Ok(stream::once(async { ready }).chain(rest).boxed())
}
