//! The bytes below SMTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The protection of connections to one host, ready to be used for each.
pub(crate) enum Protection {
    /// None.
    None,
    /// Begins after STARTTLS.
    StartTls(TlsConnector, ServerName<'static>),
    /// Begins at once.
    Implicit(TlsConnector, ServerName<'static>),
}

impl Protection {
    /// Creates protection by TLS from the first byte. Trusts the certificates of the system and those in `extra_roots`
    /// (PEM).
    pub(crate) fn implicit(host: &str, extra_roots: Option<&[u8]>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name for TLS"))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in extra_roots.map(CertificateDer::pem_slice_iter).into_iter().flatten() {
            let added = certificate.map_err(|e| e.to_string()).and_then(|c| roots.add(c).map_err(|e| e.to_string()));
            added.map_err(|error| format!("the root certificate cannot be read: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Implicit(TlsConnector::from(Arc::new(config)), name))
    }

    /// Creates the same protection for STARTTLS.
    pub(crate) fn starttls(host: &str, extra_roots: Option<&[u8]>) -> Result<Self, String> {
        Ok(match Self::implicit(host, extra_roots)? {
            Self::Implicit(connector, name) => Self::StartTls(connector, name),
            other => other,
        })
    }

    /// Returns the stream for SMTP, after the handshake if TLS comes first, and the bytes to read from it before
    /// anything else. If the relay was greeted in clear, its greeting does not come again.
    pub(crate) async fn wrap(
        &self,
        tcp: TcpStream,
        hello: &str,
    ) -> Result<(Box<dyn AsyncTokioStream>, &'static [u8]), Failed> {
        let mut socket = Socket { tcp, heard: 0 };
        Ok(match self {
            Self::None => (Box::new(socket), b""),
            Self::Implicit(connector, name) => {
                let stream = connector.connect(name.clone(), socket).await;
                (Box::new(Encrypted(stream.map_err(Failed::at("TLS failed"))?)), b"")
            }
            Self::StartTls(connector, name) => {
                ask_for_tls(&mut socket, hello).await?;
                let stream = connector.connect(name.clone(), socket).await;
                (Box::new(Encrypted(stream.map_err(Failed::at("STARTTLS failed"))?)), b"220 encrypted\r\n")
            }
        })
    }
}

/// The reason a connection could not be established.
pub(crate) struct Failed {
    /// The step that failed; empty if the cause says it.
    pub(crate) what: &'static str,
    pub(crate) cause: io::Error,
}

impl Failed {
    fn at(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |cause| Self { what, cause }
    }
}

/// Runs the dialogue that ends with STARTTLS (RFC 3207 §4). It is read byte by byte, so that nothing is read ahead.
/// Otherwise a man in the middle could append replies in clear to the reply to STARTTLS and have them believed inside
/// TLS. Such bytes reach the handshake, which fails.
async fn ask_for_tls(socket: &mut Socket, hello: &str) -> Result<(), Failed> {
    expect(socket, 220).await.map_err(Failed::at(""))?;
    socket.write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(Failed::at(""))?;
    let offers = expect(socket, 250).await.map_err(Failed::at(""))?;
    if !offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS")) {
        let cause = io::Error::other("the relay does not offer STARTTLS; nothing was sent in clear");
        return Err(Failed { what: "", cause });
    }
    socket.write_all(b"STARTTLS\r\n").await.map_err(Failed::at("STARTTLS failed"))?;
    expect(socket, 220).await.map_err(Failed::at("STARTTLS failed"))?;
    Ok(())
}

/// Returns the lines of a reply (RFC 5321 §4.2) without its code, which must be this one.
async fn expect(socket: &mut Socket, code: u16) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.push(socket.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match line.split_at_checked(3) {
            Some((given, rest)) if given.parse() == Ok(code) && (rest.is_empty() || rest.starts_with([' ', '-'])) => {
                lines.push(rest.get(1..).unwrap_or_default().to_owned());
                if !rest.starts_with('-') {
                    return Ok(lines);
                }
            }
            _ => return Err(io::Error::other(line)),
        }
    }
}

/// Maximum number of octets that a relay may send before it is our turn again: more than any reply or handshake needs,
/// and little enough to be kept in memory.
const LONGEST_SPEECH: usize = 256 * 1024;

/// A connection to a relay that is not trusted to be brief.
#[derive(Debug)]
struct Socket {
    tcp: TcpStream,
    /// Number of octets read since the last write.
    heard: usize,
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        self.heard += buf.filled().len() - before;
        if self.heard > LONGEST_SPEECH {
            return Poll::Ready(Err(io::Error::other("the relay does not stop talking")));
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.heard = 0;
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Socket {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }
}

/// TLS from the first byte.
#[derive(Debug)]
struct Encrypted(TlsStream<Socket>);

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.tcp.peer_addr()
    }
}
