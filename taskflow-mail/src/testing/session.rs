//! One connection of the test server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

use super::wire::Wire;
use super::{Fault, Received, Said, Shared, Stage, When, lock};

/// Time within which everything arrives that a client sends along with a command that gets no reply.
const ALONG: Duration = Duration::from_millis(250);

struct Session {
    wire: BufReader<Wire>,
    /// Answers that wait until everything that came was read, as RFC 2920 §3.2 wants.
    answers: Vec<u8>,
    shared: Arc<Shared>,
    number: usize,
    mails: usize,
    encrypted: bool,
    signed_in: bool,
    from: Option<String>,
    to: Vec<String>,
    silence: Option<Silence>,
}

/// The server has kept its client waiting, and the client has sent nothing since.
struct Silence {
    /// `None`: for ever.
    span: Option<Duration>,
    /// Octets that came along with the command without a reply, and have not been read yet.
    along: usize,
}

pub(super) async fn run(tcp: TcpStream, number: usize, shared: Arc<Shared>) {
    // An error is a client that went away, or a fault that closed the connection.
    let _ = session(tcp, number, shared).await;
}

async fn session(tcp: TcpStream, number: usize, shared: Arc<Shared>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let encrypted = shared.offers.implicit_tls.is_some();
    let wire = match &shared.offers.implicit_tls {
        Some(acceptor) => Wire::new(acceptor.accept(tcp).await?),
        None => Wire::new(tcp),
    };
    let wire = BufReader::new(wire);
    let mut session = Session {
        wire,
        answers: Vec::new(),
        signed_in: shared.offers.login.is_none(),
        shared,
        number,
        mails: 0,
        encrypted,
        from: None,
        to: Vec::new(),
        silence: None,
    };
    let _open = Arc::clone(&session.shared.open);
    // The server holds one of them itself.
    let open = Arc::strong_count(&session.shared.open) - 1;
    if lock(&session.shared.rules).most_connections.is_some_and(|most| open > most) {
        session.answer("421 4.7.0 too many connections");
        return session.close().await;
    }
    session.answer_unless(Stage::Greeting, "220 test.example ESMTP").await?;
    while let Some(line) = session.line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" if session.goes_well(Stage::Hello).await? => session.ehlo(),
            "STARTTLS" if session.shared.offers.starttls.is_some() && !session.encrypted => {
                if session.goes_well(Stage::StartTls).await? {
                    session = session.start_tls().await?;
                }
            }
            "AUTH" if session.goes_well(Stage::Auth).await? => session.auth(&line).await?,
            "EHLO" | "AUTH" => {}
            "MAIL" => session.mail(&line).await?,
            "RCPT" => session.rcpt(&line).await?,
            "DATA" => session.data().await?,
            "RSET" => {
                session.forget();
                session.answer("250 2.0.0 forgotten");
            }
            "NOOP" => session.answer("250 2.0.0 ok"),
            "QUIT" => {
                session.answer("221 2.0.0 bye");
                return session.flush().await;
            }
            _ => session.answer("500 5.5.2 what?"),
        }
    }
    Ok(())
}

impl Session {
    /// Returns the next command; `None` if the client has gone.
    async fn line(&mut self) -> io::Result<Option<String>> {
        if self.wire.buffer().is_empty() {
            self.flush().await?;
        }
        let mut line = Vec::new();
        if self.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !self.shared.offers.count_only {
            lock(&self.shared.commands).push(line.clone());
        }
        Ok(Some(line))
    }

    /// Reads up to the end of a line, which is appended; 0 if the client has gone.
    async fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let read = self.wire.read_until(b'\n', line).await?;
        match &mut self.silence {
            Some(silence) if silence.along > 0 => silence.along = silence.along.saturating_sub(read),
            Some(_) if read > 0 => self.note(line),
            Some(_) | None => {}
        }
        Ok(read)
    }

    /// Receives input without a reply, for that long or for ever.
    async fn keep_silent(&mut self, span: Option<Duration>) {
        let shortly = span.map_or(ALONG, |span| span.min(ALONG));
        self.wire.get_mut().hear(shortly).await;
        let along = self.wire.buffer().len() + self.wire.get_ref().heard().len();
        match span {
            // Nobody loses patience so soon.
            Some(span) if span == shortly => {}
            Some(rest) => {
                self.silence = Some(Silence { span, along });
                self.wire.get_mut().hear(rest - shortly).await;
            }
            None => {
                self.silence = Some(Silence { span, along });
                let heard = self.wire.get_ref().heard().len();
                self.wire.get_mut().hear_more().await;
                let more = self.wire.get_ref().heard()[heard..].to_vec();
                self.note(&more);
                std::future::pending::<()>().await;
            }
        }
    }

    /// Records that a client goes on after it was kept waiting.
    fn note(&mut self, said: &[u8]) {
        if let Some(Silence { span: silence, .. }) = self.silence.take() {
            let line = String::from_utf8_lossy(said).lines().next().unwrap_or_default().to_owned();
            lock(&self.shared.said).push(Said { connection: self.number, silence, line });
        }
    }

    fn answer(&mut self, line: &str) {
        self.answers.extend_from_slice(line.as_bytes());
        self.answers.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> io::Result<()> {
        let answers = std::mem::take(&mut self.answers);
        self.wire.get_mut().write(&answers).await
    }

    /// Replies `usual`, unless a fault applies at this stage. Returns whether it was the usual reply.
    async fn answer_unless(&mut self, stage: Stage, usual: &str) -> io::Result<bool> {
        let well = self.goes_well(stage).await?;
        if well {
            self.answer(usual);
        }
        Ok(well)
    }

    /// Applies the fault of this stage, if there is one: an error closes the connection, `false` means that the reply
    /// was given.
    async fn goes_well(&mut self, stage: Stage) -> io::Result<bool> {
        match self.fault(stage) {
            None => Ok(true),
            Some(Fault::Delay(span)) => {
                self.keep_silent(Some(span)).await;
                Ok(true)
            }
            Some(Fault::Hang) => {
                self.flush().await?;
                self.keep_silent(None).await;
                Ok(true)
            }
            Some(Fault::Drop) => self.close().await,
            Some(Fault::Answer(code)) => self.answer_instead(&format!("{code} as the test wishes")).await,
            Some(Fault::Say(answer)) => self.answer_instead(answer).await,
        }
    }

    async fn answer_instead(&mut self, answer: &str) -> io::Result<bool> {
        self.answer(answer);
        if answer.starts_with("421") { self.close().await } else { Ok(false) }
    }

    async fn close<T>(&mut self) -> io::Result<T> {
        self.flush().await?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn fault(&self, stage: Stage) -> Option<Fault> {
        let mut rules = lock(&self.shared.rules);
        let found = rules.faults.iter_mut().position(|rule| {
            let concerned = || rule.recipient.as_ref().is_none_or(|recipient| self.to.contains(recipient));
            rule.stage == stage && concerned() && rule.applies()
        })?;
        let fault = rules.faults[found].fault;
        if matches!(rules.faults[found].when, When::Once) {
            rules.faults.remove(found);
        }
        Some(fault)
    }

    fn ehlo(&mut self) {
        let offers = self.shared.offers.clone();
        let mut lines = vec!["test.example".to_owned(), "8BITMIME".to_owned()];
        if !offers.one_by_one {
            lines.push("PIPELINING".to_owned());
        }
        if offers.starttls.is_some() && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if offers.login.is_some() {
            lines.push(format!("AUTH {}", offers.mechanisms.as_deref().unwrap_or("PLAIN LOGIN")));
        }
        for line in lines {
            self.answer(&format!("250-{line}"));
        }
        let largest = offers.largest.unwrap_or(10 << 20);
        self.answer(&format!("250 SIZE {largest}"));
    }

    async fn start_tls(mut self) -> io::Result<Self> {
        self.answer("220 2.0.0 go ahead");
        self.flush().await?;
        let acceptor = self.shared.offers.starttls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let encrypted = acceptor.accept(self.wire.into_inner().into_stream()).await?;
        Ok(Self { wire: BufReader::new(Wire::new(encrypted)), encrypted: true, ..self })
    }

    async fn auth(&mut self, line: &str) -> io::Result<()> {
        let Some((username, password)) = self.shared.offers.login.clone() else {
            self.answer("503 5.5.1 nobody signs in here");
            return Ok(());
        };
        let right = if line.eq_ignore_ascii_case("AUTH LOGIN") {
            self.answer("334 VXNlcm5hbWU6");
            let given = self.line().await?.unwrap_or_default();
            self.answer("334 UGFzc3dvcmQ6");
            let secret = self.line().await?.unwrap_or_default();
            given == base64(username.as_bytes()) && secret == base64(password.as_bytes())
        } else {
            let whole = base64(format!("\0{username}\0{password}").as_bytes());
            line.strip_prefix("AUTH PLAIN ").is_some_and(|given| given == whole)
        };
        self.signed_in |= right;
        self.answer(if right { "235 2.7.0 welcome" } else { "535 5.7.8 wrong name or password" });
        Ok(())
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        let full = lock(&self.shared.rules).mails_per_connection.is_some_and(|most| self.mails >= most);
        if full {
            self.answer("421 4.3.2 enough for one connection");
            return self.close().await;
        }
        if !self.signed_in {
            self.answer("530 5.7.0 sign in first");
        } else if self.from.is_some() {
            self.answer("503 5.5.1 one mail at a time");
        } else if self.answer_unless(Stage::Mail, "250 2.1.0 ok").await? {
            self.from = Some(address(line));
        }
        Ok(())
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        if self.from.is_none() {
            self.answer("503 5.5.1 MAIL first");
            return Ok(());
        }
        self.to.push(address(line));
        if !self.answer_unless(Stage::Rcpt, "250 2.1.5 ok").await? {
            self.to.pop();
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            self.answer("554 5.5.1 no valid recipients");
            return Ok(());
        }
        if !self.answer_unless(Stage::Data, "354 end with a lone dot").await? {
            return Ok(());
        }
        self.flush().await?;
        let Some(data) = self.lines_to_the_dot().await? else { return Ok(()) };
        if self.goes_well(Stage::Dot).await? {
            let reply = format!("250 2.0.0 taken as {}", self.take(data));
            self.answer_unless(Stage::Taken, &reply).await?;
        }
        self.forget();
        Ok(())
    }

    /// Returns the lines after DATA, without the lone dot; empty when only counting.
    async fn lines_to_the_dot(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            if line == b".\r\n" {
                return Ok(Some(data));
            }
            if !self.shared.offers.count_only {
                data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    /// Counts a mail and returns the count.
    fn take(&mut self, data: Vec<u8>) -> usize {
        self.mails += 1;
        // Held until the mail is counted, so that the count is its place among them.
        let mut mails = lock(&self.shared.mails);
        if !self.shared.offers.count_only {
            let from = self.from.clone().unwrap_or_default();
            mails.push(Received { from, to: self.to.clone(), data, connection: self.number });
        }
        self.shared.taken.send_modify(|taken| *taken += 1);
        *self.shared.taken.borrow()
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// Returns the text between the angle brackets.
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(address, _)| address.to_owned())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 0x3f;
            text.push(if place <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}
