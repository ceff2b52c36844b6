//! A road to a database that can be slow, or lead nowhere for a while.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// The treatment of passing data.
#[derive(Debug, Clone, Copy, Default)]
struct Road {
    frozen: bool,
    delay: Duration,
}

/// Passes on what goes to and comes from the socket of a server. Ends when it is dropped, or with the runtime.
pub struct Proxy {
    port: u16,
    road: watch::Sender<Road>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts on a free port, before the socket of a server.
    pub async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let (road, on_road) = watch::channel(Road::default());
        let socket = Arc::new(socket);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, on_road) = (socket.clone(), on_road.clone());
                tokio::spawn(async move {
                    let _ = pass(client, &socket, on_road).await;
                });
            }
        });
        Self { port, road, accepting }
    }

    /// Returns the URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Connections stay open, and nothing passes until it thaws.
    pub fn freeze(&self, frozen: bool) {
        self.road.send_modify(|road| road.frozen = frozen);
    }

    /// Delays everything on its way to the server.
    pub fn delay(&self, delay: Duration) {
        self.road.send_modify(|road| road.delay = delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(client: TcpStream, socket: &PathBuf, road: watch::Receiver<Road>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket).await?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let there = one_way(&mut from_client, &mut to_server, road.clone(), true);
    let back = one_way(&mut from_server, &mut to_client, road, false);
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
    }
}

async fn one_way(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut road: watch::Receiver<Road>,
    delayed: bool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *road.wait_for(|road| !road.frozen).await.map_err(std::io::Error::other)?;
        if delayed && !now.delay.is_zero() {
            // The delay is what it is for.
            tokio::time::sleep(now.delay).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
