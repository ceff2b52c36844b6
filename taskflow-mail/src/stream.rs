//! The bytes below SMTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::{AsyncTokioStream, Certificate, TlsParameters};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How connections to one host are protected, ready to be used for each.
pub(crate) enum Protection {
    /// None.
    None,
    /// Begins after STARTTLS; lettre does it.
    StartTls(TlsParameters),
    /// Begins at once.
    Implicit(TlsConnector, ServerName<'static>),
}

impl Protection {
    /// TLS from the first byte, trusting what the system trusts and the certificates in `extra_roots` (PEM).
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

    /// The same for STARTTLS.
    pub(crate) fn starttls(host: &str, extra_roots: Option<&[u8]>) -> Result<Self, String> {
        ServerName::try_from(host).map_err(|_| format!("{host} is no name for TLS"))?;
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(pem) = extra_roots {
            let certificate = Certificate::from_pem(pem);
            builder = builder.add_root_certificate(
                certificate.map_err(|error| format!("the root certificate cannot be read: {error}"))?,
            );
        }
        Ok(Self::StartTls(builder.build_rustls().map_err(|error| error.to_string())?))
    }

    /// What SMTP is spoken over, after the handshake if TLS comes first.
    pub(crate) async fn wrap(&self, tcp: TcpStream) -> io::Result<Box<dyn AsyncTokioStream>> {
        let socket = Socket { tcp, bytewise: matches!(self, Self::StartTls(_)), heard: 0 };
        Ok(match self {
            Self::None | Self::StartTls(_) => Box::new(socket),
            Self::Implicit(connector, name) => Box::new(Encrypted(connector.connect(name.clone(), socket).await?)),
        })
    }
}

/// How much a relay may say before it is our turn again: more than any answer or handshake needs, and little enough to
/// be kept in memory.
const LONGEST_SPEECH: usize = 256 * 1024;

/// The first byte of a TLS handshake record (RFC 8446 §5.1); no SMTP command begins with it.
const HANDSHAKE: u8 = 0x16;

/// A connection to a relay that is not trusted to be brief, nor to be the only one who speaks.
///
/// Before STARTTLS it is read byte by byte: lettre keeps what it has read ahead when TLS begins, so that a man in the
/// middle could append answers in clear to the answer to STARTTLS and have them believed inside TLS. Here nothing is
/// ever read ahead: such bytes meet the handshake, which fails.
#[derive(Debug)]
struct Socket {
    tcp: TcpStream,
    bytewise: bool,
    /// How much was read since the last write.
    heard: usize,
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = if self.bytewise && buf.remaining() > 0 {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            let read = Pin::new(&mut self.tcp).poll_read(cx, &mut one);
            buf.put_slice(one.filled());
            read
        } else {
            Pin::new(&mut self.tcp).poll_read(cx, buf)
        };
        self.heard += buf.filled().len() - before;
        if self.heard > LONGEST_SPEECH {
            return Poll::Ready(Err(io::Error::other("the relay does not stop talking")));
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.bytewise &= buf.first() != Some(&HANDSHAKE);
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
