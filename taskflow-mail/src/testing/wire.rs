//! The bytes of one connection of the test server.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::sleep;

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream that can receive before it is read: input that comes meanwhile is read later, in its turn.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    heard: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), heard: Vec::new() }
    }

    /// Returns the stream itself, for TLS to begin on; nothing may have been received.
    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Returns the bytes that were received and not read yet.
    pub(super) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// Receives input for that long.
    pub(super) async fn hear(&mut self, span: Duration) {
        let mut end = pin!(sleep(span));
        loop {
            tokio::select! {
                () = &mut end => return,
                () = self.hear_more() => {}
            }
        }
    }

    /// Waits until more has come; for ever when the client has gone.
    pub(super) async fn hear_more(&mut self) {
        match self.stream.read_buf(&mut self.heard).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => std::future::pending().await,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.heard.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
            return Poll::Ready(Ok(()));
        }
        let fits = self.heard.len().min(into.remaining());
        into.put_slice(&self.heard[..fits]);
        self.heard.drain(..fits);
        Poll::Ready(Ok(()))
    }
}
