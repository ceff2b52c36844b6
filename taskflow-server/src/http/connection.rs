use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::Request;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::front::Pipeline;
use super::stall::Unstalled;

/// Maximum time from one request to the complete headers of the next.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Maximum time for a client to accept what is written to it, and the time after which the minimum rate applies.
const STALL: Duration = Duration::from_secs(20);
/// Longest request line and headers together, in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// The parts that one connection is served with. HTTP/1.1 only: HTTP/2 and TLS are left to the reverse proxy.
///
/// Hyper itself answers malformed requests (a malformed line, headers that are too many or too long) with 400, 414 or
/// 431 and no body, and does not let the service answer them. Then the connection is closed.
pub(super) struct Connection {
    pub(super) front: Arc<Pipeline>,
    /// Finish the request at hand and close.
    pub(super) stop: CancellationToken,
    /// Close now.
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Serves until the client closes, idles too long, or the server stops.
    pub(super) async fn serve(self, stream: TcpStream) {
        // Otherwise the last part of an answer waits for the acknowledgement of the first (Nagle's algorithm).
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().map(|addr| LocalAddr(addr.into())).unwrap_or_default();
        let remote = stream.peer_addr().map(|addr| RemoteAddr(addr.into())).unwrap_or_default();
        let front = self.front;
        let stream = Unstalled::new(stream, STALL, front.min_rate());
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let front = front.clone();
            let request = Request::from((request, local.clone(), remote.clone(), Scheme::HTTP));
            async move { Ok::<hyper::Response<_>, Infallible>(front.answer(request).await.into()) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let mut stopping = false;
        loop {
            // How a connection ends is the client's affair: errors are resets, time-outs and malformed requests.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = self.cut.cancelled() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
