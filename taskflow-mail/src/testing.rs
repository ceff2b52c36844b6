//! An SMTP server on loopback that fails on demand, for tests on real sockets.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use taskflow_mail::testing::{Fault, SmtpServer, Stage};
//!
//! let server = SmtpServer::builder().pipelining(false).start().await?;
//! server.when_to("nobody@example.org", Stage::Rcpt, Fault::Answer(550));
//! assert_ne!(server.port(), 0);
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```

mod session;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Time for which [`SmtpServer::await_mails`] waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender in MAIL.
    pub from: String,
    /// The recipients in each RCPT that was accepted.
    pub to: Vec<String>,
    /// The mail, its doubled dots single again.
    pub data: Vec<u8>,
    /// Number of the connection on which it came; the first is 1.
    pub connection: usize,
}

/// The first line that a client sent on a connection after the server had kept it waiting there, by [`Fault::Delay`] or
/// [`Fault::Hang`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Number of the connection; the first is 1.
    pub connection: usize,
    /// The delay of the reply; `None` if it never came.
    pub silence: Option<Duration>,
    /// The first line that came then, a command or not.
    pub line: String,
}

/// A stage of the dialogue at which a fault can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A client connected.
    Greeting,
    /// EHLO came.
    Hello,
    /// STARTTLS came.
    StartTls,
    /// AUTH came.
    Auth,
    /// MAIL came.
    Mail,
    /// RCPT came.
    Rcpt,
    /// DATA came.
    Data,
    /// The whole mail came; it is not accepted yet.
    Dot,
    /// The mail is accepted and counts; its sender has not got the reply yet.
    Taken,
}

/// A fault to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This reply instead of the usual one; 421 also closes the connection.
    Answer(u16),
    /// The same with words of its own, as in `550 5.1.1 no such user`.
    Say(&'static str),
    /// No reply, ever.
    Hang,
    /// The usual reply, but later.
    Delay(Duration),
    /// The connection is closed without a word.
    Drop,
}

/// Builder of a server. By default, it is a plain relay for everybody, with PIPELINING, 8BITMIME and SIZE.
#[derive(Clone, Default)]
pub struct SmtpServerBuilder {
    login: Option<(String, String)>,
    mechanisms: Option<String>,
    one_by_one: bool,
    largest: Option<usize>,
    count_only: bool,
    starttls: Option<TlsAcceptor>,
    implicit_tls: Option<TlsAcceptor>,
}

/// A running server. Dropping it ends it and every connection.
pub struct SmtpServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    offers: SmtpServerBuilder,
    rules: Mutex<Rules>,
    mails: Mutex<Vec<Received>>,
    commands: Mutex<Vec<String>>,
    said: Mutex<Vec<Said>>,
    taken: watch::Sender<usize>,
    connections: watch::Sender<usize>,
    /// Every open connection holds it too.
    open: Arc<()>,
}

#[derive(Default)]
struct Rules {
    faults: Vec<Rule>,
    mails_per_connection: Option<usize>,
    most_connections: Option<usize>,
}

struct Rule {
    stage: Stage,
    recipient: Option<String>,
    fault: Fault,
    when: When,
}

enum When {
    Always,
    Once,
    /// The last of that many times; so often it was reached since.
    Every(usize, usize),
}

impl Rule {
    /// Returns whether the rule applies this time.
    fn applies(&mut self) -> bool {
        match &mut self.when {
            When::Always | When::Once => true,
            When::Every(times, reached) => {
                *reached = (*reached + 1) % *times;
                *reached == 0
            }
        }
    }
}

impl SmtpServerBuilder {
    /// Wants this name and password before MAIL; offers AUTH PLAIN and LOGIN.
    #[must_use]
    pub fn login(mut self, username: &str, password: &str) -> Self {
        self.login = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// Offers these mechanisms instead, for example `LOGIN`.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: &str) -> Self {
        self.mechanisms = Some(mechanisms.to_owned());
        self
    }

    /// Sets whether to offer PIPELINING (RFC 2920).
    #[must_use]
    pub fn pipelining(mut self, offered: bool) -> Self {
        self.one_by_one = !offered;
        self
    }

    /// Offers SIZE with this many octets (RFC 1870), instead of 10 MiB.
    #[must_use]
    pub fn largest(mut self, octets: usize) -> Self {
        self.largest = Some(octets);
        self
    }

    /// Counts mails and commands without keeping them, for runs with millions.
    #[must_use]
    pub fn count_only(mut self) -> Self {
        self.count_only = true;
        self
    }

    /// Offers STARTTLS with this certificate and key (PEM).
    ///
    /// # Panics
    ///
    /// They are no certificate and key.
    #[must_use]
    pub fn starttls(mut self, certificate: &str, key: &str) -> Self {
        self.starttls = Some(acceptor(certificate, key));
        self
    }

    /// Speaks TLS from the first byte with this certificate and key (PEM).
    ///
    /// # Panics
    ///
    /// They are no certificate and key.
    #[must_use]
    pub fn implicit_tls(mut self, certificate: &str, key: &str) -> Self {
        self.implicit_tls = Some(acceptor(certificate, key));
        self
    }

    /// Listens on a free port of loopback.
    pub async fn start(self) -> io::Result<SmtpServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let server = SmtpServer {
            address: listener.local_addr()?,
            shared: Arc::new(Shared {
                offers: self,
                rules: Mutex::default(),
                mails: Mutex::default(),
                commands: Mutex::default(),
                said: Mutex::default(),
                taken: watch::Sender::new(0),
                connections: watch::Sender::new(0),
                open: Arc::default(),
            }),
            listening: Mutex::default(),
        };
        server.listen(listener);
        Ok(server)
    }
}

impl SmtpServer {
    /// Starts a plain relay that accepts everything.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Returns a builder, which sets the offered extensions.
    #[must_use]
    pub fn builder() -> SmtpServerBuilder {
        SmtpServerBuilder::default()
    }

    /// Returns its port on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Injects a fault at this stage from now on.
    pub fn when(&self, stage: Stage, fault: Fault) {
        self.rule(Rule { stage, recipient: None, fault, when: When::Always });
    }

    /// Injects a fault at this stage, but only the next time.
    pub fn once(&self, stage: Stage, fault: Fault) {
        self.rule(Rule { stage, recipient: None, fault, when: When::Once });
    }

    /// Injects a fault at this stage every `times` times.
    pub fn every(&self, times: usize, stage: Stage, fault: Fault) {
        self.rule(Rule { stage, recipient: None, fault, when: When::Every(times, 0) });
    }

    /// Injects a fault for mail to this address from now on, from [`Stage::Rcpt`] on.
    pub fn when_to(&self, recipient: &str, stage: Stage, fault: Fault) {
        self.rule(Rule { stage, recipient: Some(recipient.to_owned()), fault, when: When::Always });
    }

    /// Injects a fault for mail to this address, but only the next time.
    pub fn once_to(&self, recipient: &str, stage: Stage, fault: Fault) {
        self.rule(Rule { stage, recipient: Some(recipient.to_owned()), fault, when: When::Once });
    }

    /// Makes a connection reply 421 to the next mail after that many, and closes it.
    pub fn close_after(&self, mails: usize) {
        lock(&self.shared.rules).mails_per_connection = Some(mails);
    }

    /// Greets connections beyond that many at once with 421.
    pub fn most_connections(&self, connections: usize) {
        lock(&self.shared.rules).most_connections = Some(connections);
    }

    /// Removes all faults.
    pub fn obey(&self) {
        *lock(&self.shared.rules) = Rules::default();
    }

    /// Returns the mails accepted so far, in order, so that the one with the reply `taken as 1` is the first; empty
    /// when only counting.
    #[must_use]
    pub fn mails(&self) -> Vec<Received> {
        lock(&self.shared.mails).clone()
    }

    /// Returns the number of accepted mails.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.shared.taken.borrow()
    }

    /// Returns the number of connections made.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Returns every command line of all connections; empty when only counting.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        lock(&self.shared.commands).clone()
    }

    /// Returns the connections on which clients went on after a reply that was late or never came, be it before or
    /// after the reply. What they had sent along with the delayed command does not count, nor do replies less than a
    /// quarter of a second late.
    #[must_use]
    pub fn said_after_silence(&self) -> Vec<Said> {
        lock(&self.shared.said).clone()
    }

    /// Waits until that many mails were accepted, and returns them.
    ///
    /// # Panics
    ///
    /// They do not come within a minute.
    pub async fn await_mails(&self, mails: usize) -> Vec<Received> {
        let mut taken = self.shared.taken.subscribe();
        // What is waited for is locked as long as its guard lives, and whoever takes a mail needs that lock.
        let came = timeout(PATIENCE, taken.wait_for(|taken| *taken >= mails)).await.is_ok();
        assert!(came, "{} of {mails} mails came", self.count());
        self.mails()
    }

    /// Stops listening and cuts every connection, as a crash would.
    pub async fn stop(&self) {
        let listening = lock(&self.listening).take();
        if let Some(listening) = listening {
            listening.abort();
            // The error says only that it was aborted.
            let _ = listening.await;
        }
    }

    /// Listens again on the same port, with all mails it has accepted before.
    pub async fn restart(&self) -> io::Result<()> {
        self.stop().await;
        self.listen(TcpListener::bind(self.address).await?);
        Ok(())
    }

    fn listen(&self, listener: TcpListener) {
        let listening = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
        *lock(&self.listening) = Some(listening);
    }

    fn rule(&self, rule: Rule) {
        lock(&self.shared.rules).faults.push(rule);
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        if let Some(listening) = lock(&self.listening).take() {
            listening.abort();
        }
    }
}

/// Owns the connections: when this ends, they end.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Ok((tcp, _)) = listener.accept() => {
                shared.connections.send_modify(|connections| *connections += 1);
                let number = *shared.connections.borrow();
                sessions.spawn(session::run(tcp, number, Arc::clone(&shared)));
            }
            Some(_) = sessions.join_next() => {}
            else => tokio::task::yield_now().await,
        }
    }
}

fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a private key in PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain.expect("a certificate in PEM"), key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
