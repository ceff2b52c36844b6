//! Tracks whose turn it is to speak: counts the replies that the relay owes, so that none is taken for the reply to
//! another command.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest line of a reply, in octets; RFC 5321 §4.5.3.1.5 asks for 512.
const LONGEST_LINE: usize = 4096;

/// The shared state of a connection and its byte stream: whose turn it is.
#[derive(Debug, Clone)]
pub(crate) struct ReplyGuard(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Number of replies that are still to come.
    owed: usize,
    /// Number of additional replies once the next write begins.
    asking: usize,
    /// Number of octets of a mail that are still to be written before its reply may come.
    content: usize,
    /// Whether the connection is being opened: then each write is one command.
    opening: bool,
    out_of_step: bool,
    /// The beginning of the line being received, as far as needed to find its end. `length` counts all of it.
    line: [u8; 4],
    length: usize,
}

impl ReplyGuard {
    /// Creates a guard for a connection that is being opened, on which the relay owes a greeting.
    pub(crate) fn new() -> Self {
        let state =
            State { owed: 1, asking: 0, content: 0, opening: true, out_of_step: false, line: [0; 4], length: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Ends the opening: from now on nothing is asked unless it is announced.
    pub(crate) fn opened(&self) {
        self.lock().opening = false;
    }

    /// Announces that the next write asks for that many replies. The first may not come before the first `content`
    /// octets are written.
    pub(crate) fn ask(&self, answers: usize, content: usize) {
        let mut state = self.lock();
        state.asking = answers;
        state.content = content;
    }

    /// Returns whether the relay has said more than it was asked.
    pub(crate) fn out_of_step(&self) -> bool {
        self.lock().out_of_step
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Receives bytes, and returns how many of them belong to replies that are owed.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (heard, byte) in bytes.iter().enumerate() {
            if self.owed == 0 {
                self.out_of_step = true;
                return Ok(heard);
            }
            if *byte == b'\n' {
                // RFC 5321 §4.2.1: a hyphen behind the code says that another line follows.
                let more = self.length > 3 && self.line[3] == b'-';
                self.owed -= usize::from(!more);
                self.length = 0;
                continue;
            }
            if let Some(place) = self.line.get_mut(self.length) {
                *place = *byte;
            }
            self.length += 1;
            if self.length > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the relay does not stop talking"));
            }
        }
        Ok(bytes.len())
    }

    /// Returns whether anything that the relay says now comes too early.
    fn must_be_silent(&self) -> bool {
        self.owed == 0 || self.content > 0
    }

    fn begin_write(&mut self, bytes: &[u8]) {
        self.owed += std::mem::take(&mut self.asking);
        if self.opening && bytes.ends_with(b"\n") {
            self.owed += 1;
        }
    }
}

fn out_of_step() -> io::Error {
    io::Error::other("out of step: the relay said more than it was asked")
}

/// The bytes of SMTP themselves, above TLS.
#[derive(Debug)]
pub(crate) struct InTurn {
    stream: Box<dyn AsyncTokioStream>,
    /// Bytes that are read before any others.
    first: &'static [u8],
    turns: ReplyGuard,
}

impl InTurn {
    pub(crate) fn new(stream: Box<dyn AsyncTokioStream>, first: &'static [u8], turns: ReplyGuard) -> Self {
        Self { stream, first, turns }
    }

    /// Finds out whether the relay has spoken out of turn. Nothing is lost by reading: it is out of step then.
    fn check_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.turns.lock().must_be_silent() {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            // An end, or an error, is met by who reads next.
            if let Poll::Ready(Ok(())) = Pin::new(&mut self.stream).poll_read(cx, &mut one)
                && !one.filled().is_empty()
            {
                self.turns.lock().out_of_step = true;
            }
        }
        if self.turns.out_of_step() { Err(out_of_step()) } else { Ok(()) }
    }
}

impl AsyncRead for InTurn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.turns.out_of_step() {
            return Poll::Ready(Err(out_of_step()));
        }
        let before = buf.filled().len();
        if self.first.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let fits = self.first.len().min(buf.remaining());
            let (now, later) = self.first.split_at(fits);
            buf.put_slice(now);
            self.first = later;
        }
        let came = buf.filled().len() - before;
        let mut state = self.turns.lock();
        let fits = state.hear(&buf.filled()[before..])?;
        if came > 0 && fits == 0 {
            return Poll::Ready(Err(out_of_step()));
        }
        drop(state);
        buf.set_filled(before + fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for InTurn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_silence(cx)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let mut state = self.turns.lock();
        state.begin_write(bytes);
        state.content = state.content.saturating_sub(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for InTurn {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
