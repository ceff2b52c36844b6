use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream whose writes fail when the other side takes nothing for too long, or too little in all, so that whoever asks
/// and hardly listens does not hold a connection and an answer for ever. Reads have deadlines elsewhere.
///
/// The other side has a credit of time. Waiting for it costs that time, and each byte that it takes earns the time in
/// which the minimum rate allows for it, up to the credit at the beginning.
pub(super) struct Unstalled<S> {
    stream: S,
    patience: Duration,
    /// Time that a byte earns.
    earning: Duration,
    credit: Duration,
    /// Since when the other side is waited for, and the end of its credit.
    stalled: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Unstalled<S> {
    /// Waits for `patience` at first and whenever so much was earned. `rate` is the fewest bytes a second; 0: any.
    pub(super) fn new(stream: S, patience: Duration, rate: u32) -> Self {
        let earning = Duration::from_secs(1).checked_div(rate).unwrap_or(patience);
        Self { stream, patience, earning, credit: patience, stalled: None }
    }

    /// Takes note of a write of so many bytes, or of one that has to wait.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(result) = &progress {
            if let Some((since, _)) = self.stalled.take() {
                self.credit = self.credit.saturating_sub(since.elapsed());
            }
            let bytes = result.as_ref().map_or(0, taken);
            let earned = self.earning.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX));
            self.credit = self.credit.saturating_add(earned).min(self.patience);
            return progress;
        }
        let credit = self.credit;
        let (_, end) = self.stalled.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(credit))));
        ready!(end.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, progress, |bytes| *bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, progress, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, progress, |()| 0)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, progress, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut stream = Unstalled::new(ours, Duration::from_millis(20), 0);
        let error = stream.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// Writes for a reader that takes a byte every few milliseconds, and returns whether it was given up.
    async fn is_given_up(rate: u32) -> bool {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut stream = Unstalled::new(ours, Duration::from_millis(100), rate);
        let reader = tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        });
        let result = stream.write_all(&[0; 60]).await;
        reader.abort();
        result.is_err()
    }

    #[tokio::test]
    async fn a_reader_that_takes_less_than_the_minimum_rate_is_given_up() {
        assert!(is_given_up(10_000).await);
        assert!(!is_given_up(0).await, "any rate will do");
        assert!(!is_given_up(20).await, "it takes more than that");
    }
}
