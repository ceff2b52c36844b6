//! Clients that follow along: over a WebSocket (RFC 6455), and by server-sent events.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::Server;

/// Nobody waits longer than that for something to be said.
const PATIENCE: Duration = Duration::from_secs(20);

/// The code of a connection that was cut without a word (RFC 6455 §7.4.1).
pub const CUT: u16 = 1006;

/// A handshake that is not made yet.
#[derive(Debug)]
pub struct Handshake {
    port: u16,
    request: Request,
    window: Option<u32>,
}

impl Handshake {
    /// One that says nothing but the path, with its query.
    pub fn of(server: &Server, path: &str) -> Self {
        let request = format!("ws://127.0.0.1:{}{path}", server.port).into_client_request();
        Self { port: server.port, request: request.expect("a URI"), window: None }
    }

    /// One more header, also where there is one of this name.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a value");
        self.request.headers_mut().append(HeaderName::from_static(name), value);
        self
    }

    /// A token, as clients show it that can set headers.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// About how many bytes may come before they are read.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = Some(bytes);
        self
    }

    /// Makes it; the status when there is no WebSocket.
    pub async fn make(self) -> Result<Socket, u16> {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = self.window {
            socket.set_recv_buffer_size(bytes).expect("a small buffer");
        }
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        match timeout(PATIENCE, client_async(self.request, stream)).await.expect("an answer to the handshake") {
            Ok((stream, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|name| name.to_str().expect("a name").to_owned());
                Ok(Socket { stream, protocol })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("the handshake failed: {error}"),
        }
    }

    /// Makes it, and expects a WebSocket.
    pub async fn open(self) -> Socket {
        self.make().await.unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// Makes it, and expects that the conversation ends before anything is said; tells the code.
    pub async fn refused(self) -> u16 {
        self.open().await.next().await.expect_err("nothing is said")
    }
}

/// One end of a conversation over a WebSocket. Dropping it closes the connection without a word.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The subprotocol that was agreed on.
    pub protocol: Option<String>,
}

impl Socket {
    /// Follows everything with this token; tells after which sequence.
    pub async fn follow(server: &Server, token: &str) -> (Self, u64) {
        let mut socket = Handshake::of(server, "/ws").token(token).open().await;
        let ready = socket.said().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        (socket, ready["seq"].as_u64().expect("a sequence"))
    }

    /// Follows everything with this token after a sequence that is known.
    pub async fn follow_since(server: &Server, token: &str, since: u64) -> Self {
        let (socket, seq) = Self::claim(server, token, since).await;
        assert_eq!(seq, since);
        socket
    }

    /// Claims to know everything up to a sequence; tells after which one it goes on.
    pub async fn claim(server: &Server, token: &str, since: u64) -> (Self, u64) {
        let mut socket = Handshake::of(server, &format!("/ws?since={since}")).token(token).open().await;
        let ready = socket.said().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        (socket, ready["seq"].as_u64().expect("a sequence"))
    }

    /// Returns the next message, or the code with which the session was closed.
    pub async fn next(&mut self) -> Result<Value, u16> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("something is heard in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(CUT),
                Some(Ok(other)) => panic!("only text is said, not {other:?}"),
            }
        }
    }

    /// Returns the next message.
    pub async fn said(&mut self) -> Value {
        self.next().await.unwrap_or_else(|code| panic!("it was closed with {code}"))
    }

    /// Waits for the end, whatever is said before, and tells its code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// Waits for the end however long that takes, answering pings meanwhile, and tells its code.
    pub async fn outlast(&mut self) -> u16 {
        while let Some(Ok(frame)) = self.stream.next().await {
            if let Message::Close(Some(frame)) = frame {
                return frame.code.into();
            }
        }
        CUT
    }

    /// Says something, if there is still somebody to say it to.
    pub async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends any message, if there is still somebody to send it to.
    pub async fn send(&mut self, message: Message) {
        let _ = timeout(PATIENCE, self.stream.send(message)).await.expect("it is taken in time");
    }

    /// Asks up to which sequence everything was said, and expects that nothing else is said before the answer.
    pub async fn ping(&mut self) -> u64 {
        self.say(json!({ "type": "ping" })).await;
        let pong = self.said().await;
        assert_eq!(pong["type"], "pong", "{pong}");
        pong["seq"].as_u64().expect("a sequence")
    }

    /// Reads what comes without answering pings, as a client does whose machine hangs; tells the code of the end.
    pub async fn hang(mut self) -> u16 {
        let wire = self.stream.get_mut();
        loop {
            // Frames of a server are not masked (RFC 6455 §5.2).
            let (Ok(opcode), Ok(short)) = (wire.read_u8().await, wire.read_u8().await) else { return CUT };
            let length = match short {
                126 => wire.read_u16().await.map(u64::from),
                127 => wire.read_u64().await,
                short => Ok(short.into()),
            };
            let mut payload = vec![0; length.expect("a length") as usize];
            wire.read_exact(&mut payload).await.expect("a frame");
            if let (0x88, [high, low, ..]) = (opcode, &*payload) {
                return u16::from_be_bytes([*high, *low]);
            }
        }
    }

    /// Leaves with a close frame, and waits until the other end has let go.
    pub async fn leave(mut self) {
        let _ = self.stream.close(None).await;
        while !matches!(timeout(PATIENCE, self.stream.next()).await.expect("it lets go"), None | Some(Err(_))) {}
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    answer: Response,
    unread: Vec<u8>,
    /// The `id` that came last: where a browser goes on.
    pub last: Option<u64>,
}

impl Events {
    /// Follows with this token, and expects that it may.
    pub async fn follow(server: &Server, token: &str, query: &str) -> Self {
        let request = server.request(Method::GET, &format!("/api/events{query}")).bearer_auth(token);
        Self::of(request).await
    }

    /// Follows by a request of one's own.
    pub async fn of(request: RequestBuilder) -> Self {
        let answer = timeout(PATIENCE, request.send()).await.expect("an answer in time").expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers()["content-type"].to_str().expect("ASCII").starts_with("text/event-stream"));
        Self { answer, unread: Vec::new(), last: None }
    }

    /// Returns the next message; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                if let Some(message) = self.read(std::str::from_utf8(&event).expect("UTF-8")) {
                    return Some(message);
                }
            }
            let chunk = timeout(PATIENCE, self.answer.chunk()).await.expect("something is heard in time");
            self.unread.extend_from_slice(&chunk.ok().flatten()?);
        }
    }

    /// Returns the next message.
    pub async fn said(&mut self) -> Value {
        self.next().await.expect("the stream goes on")
    }

    /// Waits for the end, whatever is said before, and tells its code; [`CUT`] when it was not told.
    pub async fn closed(&mut self) -> u16 {
        let mut code = CUT;
        while let Some(message) = self.next().await {
            assert_eq!(code, CUT, "something was said after the end");
            if message["type"] == "closed" {
                code = message["code"].as_u64().and_then(|code| code.try_into().ok()).expect("a code");
            }
        }
        code
    }

    /// The message of an event; comments and empty events have none.
    fn read(&mut self, event: &str) -> Option<Value> {
        let mut data = String::new();
        for line in event.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.last = Some(value.parse().expect("a sequence")),
                "data" => data.push_str(value),
                _ => {}
            }
        }
        (!data.is_empty()).then(|| serde_json::from_str(&data).expect("JSON"))
    }
}

/// Asks for a stream, and reads no more of the answer than where it begins.
pub async fn deaf_stream(server: &Server, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port))).await.expect("a connection");
    let head = format!("GET /api/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("a request");
    let mut begin = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut begin)).await.expect("an answer in time").expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200");
    stream
}

/// Returns the memory that a server uses now, in bytes.
pub fn memory(server: &Server) -> u64 {
    status(server, "VmRSS:")
}

/// The most memory that a server ever had, in bytes.
pub fn peak_memory(server: &Server) -> u64 {
    status(server, "VmHWM:")
}

fn status(server: &Server, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).expect("its memory");
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kibibytes * 1024
}
