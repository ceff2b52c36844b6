//! The same messages one after the other, for who has no WebSocket.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use taskflow_core::ports::Clock;

use super::{CloseReason, Live, Message, Reader, Topics};
use crate::auth::Verified;

impl Live {
    /// What a socket would be told: first where the client stands, then what follows `since`, or what is new; at the end why it
    /// ends.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        token: Verified,
        since: Option<u64>,
        topics: Topics,
    ) -> Result<BoxStream<'static, Message>, CloseReason> {
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| CloseReason::Full)?;
        let mut reader = Reader::new(self.enter(token)?, token, since);
        let ready = Message::ready(reader.begin().await?, token.expires_at, &topics.words());
        let clock = Arc::clone(clock);
        let rest = stream::unfold(Some((reader, place)), move |going| {
            let (clock, topics) = (Arc::clone(&clock), topics.clone());
            async move {
                let (mut reader, place) = going?;
                loop {
                    let left = token.expires_at.since(clock.now());
                    // Otherwise one more message, and one more, while there are some.
                    let next = match left.is_zero() {
                        true => Err(CloseReason::Expired),
                        false => tokio::time::timeout(left, reader.next()).await.unwrap_or(Err(CloseReason::Expired)),
                    };
                    match next {
                        Ok(message) if !topics.want(message.topic) => {}
                        Ok(message) => return Some((message, Some((reader, place)))),
                        Err(ending) => return Some((Message::closed(ending.code(), ending.reason()), None)),
                    }
                }
            }
        });
        Ok(stream::once(async { ready }).chain(rest).boxed())
    }
}
