//! A relay on loopback that takes every mail, counts it and throws it away.
//!
//! It has a thread of its own, as a relay has a process of its own, and holds a few kilobytes per connection. It speaks as
//! much SMTP (RFC 5321) as a sender needs, with PIPELINING (RFC 2920) and 8BITMIME (RFC 6152).

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Maximum number of bytes per read.
const BUFFER: usize = 64 * 1024;

/// The longest beginning of a line that matters.
const VERB: usize = 8;

/// The running relay. Dropping it ends it.
pub(super) struct Sink {
    port: u16,
    counts: Arc<Counts>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Numbers of mails and octets that the sink has accepted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    mails: AtomicU64,
    octets: AtomicU64,
}

impl Counts {
    /// Mails that were answered with 250.
    pub(super) fn mails(&self) -> u64 {
        self.mails.load(Ordering::Relaxed)
    }

    /// Mean size of a mail in octets, as it travelled; `None` before the first.
    pub(super) fn mean_octets(&self) -> Option<u64> {
        self.octets.load(Ordering::Relaxed).checked_div(self.mails())
    }
}

impl Sink {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    ///
    /// No port, no thread or no runtime is to be had.
    pub(super) fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let (counting, stopped) = (Arc::clone(&counts), stop.clone());
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn(move || {
            runtime.block_on(stopped.run_until_cancelled(listen(listener, counting)));
        })?;
        Ok(Self { port, counts, stop, thread: Some(thread) })
    }

    /// Returns the port on loopback on which it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the numbers of mails and octets accepted so far.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.cancel();
        // A panic of its own would have shown as failing connections.
        self.thread.take().map(JoinHandle::join);
    }
}

async fn listen(listener: std::net::TcpListener, counts: Arc<Counts>) {
    // Without a listener every mail fails, and the run with them.
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let counts = Arc::clone(&counts);
        // A connection that breaks is the sender's to notice.
        tokio::spawn(async move { converse(stream, &counts).await.ok() });
    }
}

async fn converse(mut stream: TcpStream, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let (mut session, mut buffer, mut replies) = (Session::default(), vec![0; BUFFER], Vec::new());
    while !session.over {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        session.hear(&buffer[..length], &mut replies);
        counts.mails.fetch_add(std::mem::take(&mut session.mails), Ordering::Relaxed);
        counts.octets.fetch_add(std::mem::take(&mut session.octets), Ordering::Relaxed);
        stream.write_all(&replies).await?;
        replies.clear();
    }
    Ok(())
}

/// One conversation, line by line, however the lines come in.
#[derive(Debug, Default)]
struct Session {
    /// The beginning of the line that is coming in.
    line: Vec<u8>,
    in_mail: bool,
    over: bool,
    /// Mails and their octets that have not been counted yet.
    mails: u64,
    octets: u64,
}

impl Session {
    fn hear(&mut self, mut heard: &[u8], replies: &mut Vec<u8>) {
        while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = heard.split_at(end + 1);
            self.keep(line);
            let reply: &[u8] = if self.in_mail { self.mail_line() } else { self.command() };
            replies.extend_from_slice(reply);
            self.line.clear();
            heard = rest;
        }
        self.keep(heard);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = VERB - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        if self.in_mail {
            self.octets += part.len() as u64;
        }
    }

    fn mail_line(&mut self) -> &'static [u8] {
        if self.line != b".\r\n" {
            return b"";
        }
        self.in_mail = false;
        self.mails += 1;
        b"250 2.0.0 thrown away\r\n"
    }

    fn command(&mut self) -> &'static [u8] {
        let verb = self.line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_slice() {
            b"EHLO" => b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" => b"250 2.0.0 fine\r\n",
            b"DATA" => {
                self.in_mail = true;
                b"354 go ahead\r\n"
            }
            b"QUIT" => {
                self.over = true;
                b"221 2.0.0 bye\r\n"
            }
            _ => b"502 5.5.1 not here\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"a: b\r\n\r\n..\r\ntext\n.\r\n";

    fn dialogue() -> Vec<u8> {
        let envelope = b"MAIL FROM:<a@b.example> BODY=8BITMIME\r\nrcpt to:<c@d.example>\r\nDATA\r\n";
        [&b"EHLO x\r\n"[..], envelope, MAIL, envelope, MAIL, b"QUIT\r\n"].concat()
    }

    #[test]
    fn mails_are_counted_however_the_bytes_come_in() {
        for size in [1, 2, 3, 7, 1_000] {
            let (mut session, mut replies) = (Session::default(), Vec::new());
            for part in dialogue().chunks(size) {
                session.hear(part, &mut replies);
            }
            assert_eq!((session.mails, session.octets), (2, 2 * MAIL.len() as u64), "{size} at once");
            assert!(session.over);
            let codes: Vec<&str> =
                std::str::from_utf8(&replies).expect("ASCII").lines().map(|line| &line[..3]).collect();
            assert_eq!(codes.join(" "), "250 250 250 250 250 354 250 250 250 354 250 221", "{size} at once");
        }
    }

    #[test]
    fn it_ends_when_it_is_dropped() {
        let sink = Sink::start().expect("a port");
        let address = (Ipv4Addr::LOCALHOST, sink.port());
        std::net::TcpStream::connect(address).expect("it listens");
        drop(sink);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
