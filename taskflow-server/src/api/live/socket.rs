//! Feeds over a WebSocket (RFC 6455).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use poem::http::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use poem::web::websocket::{CloseCode, Message as Frame, WebSocket, WebSocketStream};
use poem::{FromRequest, IntoResponse, Request as HttpRequest, RequestBody, Response};
use taskflow_runtime::Live;
use taskflow_runtime::live::{FeedCursor, Message, SessionClaims, Topics};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tungstenite::protocol::WebSocketConfig;

use super::request::Request;
use super::{CloseReason, message};
use crate::api::feed::following;
use crate::api::{ApiError, bearer};
use crate::auth::AuthError;
use crate::limits::{Client, Requester, Share, Shares};
use crate::service::Service;

/// Delay between attempts to verify a token while that is impossible; below, the number of attempts.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 4;
/// Maximum time for a client to authenticate.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Connections that have not said yet who they are, in all and from one address.
const STRANGERS: (usize, usize) = (1_000, 200);
/// From one ping to the next.
const PING: Duration = Duration::from_secs(30);
/// Maximum time without anything from a client, including answers to pings.
const SILENCE: Duration = Duration::from_secs(75);
/// Maximum time for a client to accept what is written to it.
const STALL: Duration = Duration::from_secs(10);
/// Maximum time for a client to close after it was asked to. A client that must first read earlier messages gets the
/// same time.
const FAREWELL: Duration = Duration::from_secs(2);
const LONG_FAREWELL: Duration = Duration::from_secs(7);
/// Largest message of a client, in bytes.
const LARGEST: usize = 16 * 1024;
/// Messages of a client at once, and from then on for each second.
const TALK: (f64, f64) = (60.0, 10.0);
/// Bytes written before they are sent off.
const BATCH: usize = 16 * 1024;
/// The subprotocol by which browsers, which cannot set headers, show a token: `Sec-WebSocket-Protocol: bearer, <token>`.
const PROTOCOL: &str = "bearer";

/// Takes up conversations over WebSockets.
pub(crate) struct Sockets {
    service: Arc<Service>,
    strangers: Shares,
}

/// The start of a session.
struct Opening {
    /// The token of the handshake; it need not be good.
    token: Option<String>,
    /// The user whose updates the path asks for.
    of: Option<String>,
    since: Option<u64>,
    topics: Topics,
    stranger: Option<Share>,
}

impl Sockets {
    /// Nobody is connected yet.
    pub(crate) fn new(service: Arc<Service>) -> Self {
        let (total, each) = STRANGERS;
        let each = if service.config.limits.enabled { each } else { total };
        Self { service, strangers: Shares::new(total, each) }
    }

    /// Answers the handshake. Who it is and what may be seen is said by close codes afterwards, since clients in browsers
    /// learn nothing of an answer that is no handshake.
    pub(crate) async fn open(&self, request: HttpRequest, client: Client, of: Option<&str>) -> Response {
        match self.upgrade(request, client, of).await {
            Ok(response) => response,
            Err(error) => poem::Error::from(error).into_response(),
        }
    }

    async fn upgrade(&self, request: HttpRequest, client: Client, of: Option<&str>) -> Result<Response, ApiError> {
        if !request.headers().contains_key(UPGRADE) {
            return Err(ApiError::UpgradeRequired);
        }
        if !has_key(&request) {
            return Err(ApiError::Malformed("Sec-WebSocket-Key must be 16 bytes in Base64"));
        }
        let (since, topics) = following(request.uri().query().unwrap_or_default())?;
        let token = bearer(&request).map(str::to_owned).or_else(|| offered(&request));
        // Whoever shows who they are waits behind no stranger.
        let stranger = match &token {
            Some(token) if verified(&self.service, token).await.is_ok() => None,
            _ => Some(self.strangers.take(Requester::at(client.address), 1).ok_or(ApiError::Busy)?),
        };
        let opening = Opening { token, of: of.map(str::to_owned), since, topics, stranger };
        let socket = WebSocket::from_request(&request, &mut RequestBody::default()).await;
        let socket = socket.map_err(|_| ApiError::UpgradeRequired)?;
        let service = Arc::clone(&self.service);
        let running = service.live.hold_open();
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(4 * 1024)
            .max_write_buffer_size(2 * 1024 * 1024)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let conversation = move |stream| async move {
            let mut conversation = Conversation { stream, heard: Instant::now(), talk: Talk::new() };
            let ending = conversation.hold(&service, opening).await;
            tracing::debug!(code = ending.code(), reason = ending.reason(), "a conversation is over");
            conversation.close(ending, &service.live).await;
            drop(running);
        };
        Ok(socket.config(config).protocols([PROTOCOL]).on_upgrade(conversation).into_response())
    }
}

/// The token among the subprotocols that a client offers: the one after `bearer`.
fn offered(request: &HttpRequest) -> Option<String> {
    let offers = request.headers().get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let mut offers = offers.split(',').map(str::trim);
    offers.find(|offer| *offer == PROTOCOL)?;
    offers.next().map(str::to_owned)
}

/// One client.
struct Conversation {
    stream: WebSocketStream,
    /// The time at which a frame was last received.
    heard: Instant,
    talk: Talk,
}

impl Conversation {
    /// Talks until one of the two has a reason to end.
    async fn hold(&mut self, service: &Service, opening: Opening) -> CloseReason {
        match self.talk(service, opening).await {
            Ok(never) => match never {},
            Err(ending) => ending,
        }
    }

    async fn talk(&mut self, service: &Service, opening: Opening) -> Result<std::convert::Infallible, CloseReason> {
        let Opening { token, of, since, mut topics, stranger } = opening;
        let token = match token {
            Some(token) => token,
            None => self.introduction(&service.live).await?,
        };
        let mut token = verified_soon(service, &token).await?;
        drop(stranger);
        if of.is_some_and(|of| of.parse().ok() != Some(token.user)) {
            return Err(CloseReason::Forbidden);
        }
        let mut cursor = FeedCursor::new(service.live.enter(token)?, token, since);
        let seq = cursor.begin().await?;
        self.send(&mut cursor, message::ready(seq, token.expires_at, &topics.words())).await?;
        let mut ping = Instant::now() + PING;
        loop {
            let now = service.clock.now();
            if token.expires_at <= now {
                return Err(CloseReason::Expired);
            }
            // Of a token that outlives the next ping it is asked then.
            let wake = ping.min(self.heard + SILENCE).min(Instant::now() + token.expires_at.since(now));
            tokio::select! {
                message = cursor.next() => self.pass_on(&mut cursor, &topics, message?).await?,
                frame = self.stream.next() => {
                    let Some(request) = self.heed(frame)? else { continue };
                    match request {
                        Ok(Request::Ping) => {
                            let pong = message::pong(cursor.sent(), service.clock.now());
                            self.send(&mut cursor, pong).await?;
                        }
                        Ok(Request::Auth { token: other }) => {
                            let other = verified_soon(service, &other).await?;
                            if other.user != token.user {
                                return Err(CloseReason::Forbidden);
                            }
                            cursor.renew(other);
                            token = other;
                            let ready = message::ready(cursor.sent(), token.expires_at, &topics.words());
                            self.send(&mut cursor, ready).await?;
                        }
                        Ok(Request::Subscribe(chosen)) => {
                            topics.subscribe(&chosen);
                            self.send(&mut cursor, message::topics(&topics.words())).await?;
                        }
                        Ok(Request::Unsubscribe(chosen)) => {
                            topics.unsubscribe(&chosen);
                            self.send(&mut cursor, message::topics(&topics.words())).await?;
                        }
                        Err(detail) => self.send(&mut cursor, message::error(&detail)).await?,
                    }
                }
                () = sleep_until(wake) => {
                    if self.heard.elapsed() >= SILENCE {
                        return Err(CloseReason::Silent);
                    }
                    if Instant::now() >= ping {
                        ping += PING;
                        self.write(&mut cursor, [Frame::Ping(Vec::new())]).await?;
                    }
                }
            }
        }
    }

    /// The token of the first message.
    async fn introduction(&mut self, live: &Live) -> Result<String, CloseReason> {
        let deadline = Instant::now() + INTRODUCTION;
        loop {
            let frame = tokio::select! {
                () = live.closing() => return Err(CloseReason::GoingAway),
                frame = timeout_at(deadline, self.stream.next()) => frame.map_err(|_| CloseReason::NotSignedIn)?,
            };
            match self.heed(frame)? {
                None => {}
                Some(Ok(Request::Auth { token })) => return Ok(token),
                Some(_) => return Err(CloseReason::NotSignedIn),
            }
        }
    }

    /// Returns the request in a frame; `None` if the frame needs no response.
    fn heed(&mut self, frame: Option<io::Result<Frame>>) -> Result<Option<Result<Request, String>>, CloseReason> {
        self.heard = Instant::now();
        if !self.talk.one_more() {
            return Err(CloseReason::RateLimited);
        }
        match frame {
            Some(Ok(Frame::Text(text))) => Ok(Some(Request::parse(&text))),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(None),
            Some(Ok(Frame::Binary(_))) => Err(CloseReason::NotText),
            Some(Err(error)) => Err(broken(&error)),
            Some(Ok(Frame::Close(_))) | None => Err(CloseReason::Left),
        }
    }

    /// Sends a message and what else is here already, as far as it is wanted.
    async fn pass_on(&mut self, cursor: &mut FeedCursor, topics: &Topics, first: Message) -> Result<(), CloseReason> {
        let (mut frames, mut bytes, mut next) = (Vec::new(), 0, Some(first));
        while let Some(message) = next {
            if topics.want(message.topic) {
                bytes += message.text.len();
                frames.push(Frame::Text(message.text.to_string()));
            }
            next = if bytes < BATCH { cursor.next_now() } else { None };
        }
        self.write(cursor, frames).await
    }

    async fn send(&mut self, cursor: &mut FeedCursor, message: Message) -> Result<(), CloseReason> {
        self.write(cursor, [Frame::Text(message.text.to_string())]).await
    }

    async fn write(
        &mut self,
        cursor: &mut FeedCursor,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<(), CloseReason> {
        let stream = &mut self.stream;
        let writing = async {
            for frame in frames {
                stream.feed(frame).await?;
            }
            stream.flush().await
        };
        tokio::select! {
            biased;
            ended = cursor.ended() => Err(ended.into()),
            written = timeout(STALL, writing) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(CloseReason::Left),
                Err(_) => Err(CloseReason::TooSlow),
            },
        }
    }

    /// Says why, and waits for the client to close as well.
    async fn close(mut self, ending: CloseReason, live: &Live) {
        let close = Frame::Close(Some((CloseCode::from(ending.code()), ending.reason().to_owned())));
        let farewell = async {
            if ending == CloseReason::Left {
                // What it said is answered (RFC 6455 §5.5.1) by what waits to be written.
                return self.stream.close().await;
            }
            self.stream.send(close).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok(())
        };
        let patience = async {
            if ending == CloseReason::TooSlow {
                let _ = timeout(LONG_FAREWELL - FAREWELL, live.closing()).await;
            }
            sleep(FAREWELL).await;
        };
        tokio::select! {
            _ = farewell => {}
            () = patience => {}
        }
    }
}

/// Verifies a token.
async fn verified(service: &Service, token: &str) -> Result<SessionClaims, CloseReason> {
    service.auth.admit(token).await.map_err(|error| match error {
        AuthError::Unavailable(_) | AuthError::UseCase(_) => CloseReason::Unavailable,
        _ => CloseReason::BadToken,
    })
}

/// Verifies a token, with a few tries while nobody can tell which sessions have ended.
async fn verified_soon(service: &Service, token: &str) -> Result<SessionClaims, CloseReason> {
    for _ in 1..TRIES {
        match verified(service, token).await {
            Err(CloseReason::Unavailable) => sleep(PAUSE).await,
            known => return known,
        }
    }
    verified(service, token).await
}

/// Converts an error of the connection into the reason for closing it. Poem passes on the errors of tungstenite as
/// text.
fn broken(error: &io::Error) -> CloseReason {
    let text = error.to_string();
    match error.kind() {
        io::ErrorKind::Other if text.starts_with("Space limit exceeded") => CloseReason::TooLarge,
        io::ErrorKind::Other if text.starts_with("UTF-8") => CloseReason::NotUtf8,
        io::ErrorKind::Other if text.contains("without closing handshake") => CloseReason::Left,
        io::ErrorKind::Other if text.starts_with("WebSocket protocol error") => CloseReason::Malformed,
        _ => CloseReason::Left,
    }
}

/// Returns whether the handshake has a valid key of 16 bytes (RFC 6455 §4.1).
fn has_key(request: &HttpRequest) -> bool {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| STANDARD.decode(key.as_bytes()));
    matches!(key, Some(Ok(key)) if key.len() == 16)
}

/// Rate limit of a client's frames.
struct Talk {
    left: f64,
    since: Instant,
}

impl Talk {
    fn new() -> Self {
        Self { left: TALK.0, since: Instant::now() }
    }

    fn one_more(&mut self) -> bool {
        let now = Instant::now();
        let gained = now.duration_since(self.since).as_secs_f64() * TALK.1;
        self.left = (self.left + gained).min(TALK.0) - 1.0;
        self.since = now;
        self.left >= 0.0
    }
}
