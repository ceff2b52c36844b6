//! A client that does little else than wait: one request after the other over each of its connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The same requests over and over.
pub(crate) struct Load {
    pub(crate) port: u16,
    /// One for each connection.
    pub(crate) requests: Vec<String>,
}

/// What came of it.
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Load {
    pub(crate) async fn run(&self, time: Duration) -> Figures {
        let begun = Instant::now();
        let start = |request: &String| tokio::spawn(client(self.port, request.clone(), begun + time));
        let clients: Vec<_> = self.requests.iter().map(start).collect();
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.await.expect("a client"));
        }
        let elapsed = begun.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1000.0;
        Figures { per_second: latencies.len() as f64 / elapsed, p50_ms: at(0.5), p99_ms: at(0.99) }
    }
}

async fn client(port: u16, request: String, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(64 * 1024));
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("sent");
        buffer.clear();
        let length = loop {
            assert!(stream.read_buf(&mut buffer).await.expect("an answer") > 0, "the server closed");
            if let Some(length) = length(&buffer) {
                break length;
            }
        };
        while buffer.len() < length {
            assert!(stream.read_buf(&mut buffer).await.expect("an answer") > 0, "the server closed");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&buffer));
        latencies.push(sent.elapsed());
    }
    latencies
}

/// Head and body together, once the head is there.
fn length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).expect("a head in ASCII").to_ascii_lowercase();
    let body = text.split("content-length: ").nth(1).expect("a length").split("\r\n").next().expect("a line");
    Some(head + body.parse::<usize>().expect("a number"))
}
