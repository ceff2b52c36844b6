//! A road to a relay that takes time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// A port from which everything reaches `port` after `delay`, and comes back after as long. It is there as long as the
/// runtime.
pub(crate) async fn road(port: u16, delay: Duration) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let begins = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                // Without it the road would be longer than it says.
                if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
                    return;
                }
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::join!(
                    one_way(&mut from_client, &mut to_server, delay),
                    one_way(&mut from_server, &mut to_client, delay)
                );
            });
        }
    });
    Ok(begins)
}

/// Whatever comes leaves `delay` later, however much is on its way.
async fn one_way(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin), delay: Duration) {
    let (sent, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if sent.send((Instant::now() + delay, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = on_the_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side is told that nothing more comes; it may have gone itself.
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
