//! One connection to the relay: greeting, sign-in, mails. The only place where an answer becomes a verdict.

use std::io;
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::response::Response;
use taskflow_core::ports::{Accepted, MailError, Reply};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::message::{Message, one_line};
use crate::pool::Relay;
use crate::smtp::Login;
use crate::stream::Protection;

/// How long to wait for the answer to QUIT; it decides nothing.
const FAREWELL: Duration = Duration::from_secs(1);

/// Longest answer of a relay that is kept, in characters.
const LONGEST_TEXT: usize = 500;

/// An open connection, signed in if the settings say so.
pub(crate) struct Connection {
    smtp: AsyncSmtpConnection,
    /// What EHLO offered, a line each (RFC 5321 §4.1.1.1).
    offers: Vec<String>,
    pipelining: bool,
    signed_in: bool,
    command_limit: Duration,
    /// How many mails it has carried.
    pub(crate) mails: u32,
}

/// Why a mail was not taken, by what that means for the connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A clean no to MAIL or RCPT: after RSET the connection is as good as before.
    Refused(MailError),
    /// The relay closed the connection, or said that it will, before it answered to MAIL: it has nothing of this mail.
    Gone(String),
    /// Anything else: the connection must not be used again.
    Broken(MailError),
}

/// What the relay answered (RFC 5321 §4.2), whether yes or no.
struct Answer {
    code: u16,
    text: String,
}

/// There was no answer.
enum NoAnswer {
    /// Not in time.
    Silence(Duration),
    /// The connection is gone, or what came is no answer.
    Lost(String),
}

impl Connection {
    /// Connects, greets, begins TLS and signs in. Errors say what went wrong, never a password.
    pub(crate) async fn open(relay: &Relay, deadline: Instant) -> Result<Self, String> {
        let settings = &relay.settings;
        let limit = settings.command_limit;
        let tcp = connect(&settings.host, settings.port, limit, deadline).await?;
        let stream = within(limit, deadline, relay.protection.wrap(tcp)).await?;
        let stream = stream.map_err(|error| format!("TLS failed: {}", root_cause(&error)))?;
        let greeting = within(limit, deadline, AsyncSmtpConnection::connect_with_transport(stream, &settings.hello));
        let mut smtp = greeting.await?.map_err(|error| said(&error))?;
        if let Protection::StartTls(parameters) = &relay.protection {
            if !smtp.can_starttls() {
                return Err("the relay does not offer STARTTLS; nothing was sent in clear".to_owned());
            }
            let upgrade = within(limit, deadline, smtp.starttls(parameters.clone(), &settings.hello));
            upgrade.await?.map_err(|error| format!("STARTTLS failed: {}", said(&error)))?;
        }
        // lettre keeps only the offers it knows itself, and PIPELINING is not among them: ask once more.
        let hello = within(limit, deadline, smtp.command(Ehlo::new(settings.hello.clone())));
        let hello = hello.await?.map_err(|error| said(&error))?;
        let offers: Vec<String> = hello.message().skip(1).map(one_line).collect();
        if let Some(login) = &settings.login {
            within(limit, deadline, sign_in(&mut smtp, login)).await??;
        }
        Ok(Self {
            pipelining: offers.iter().any(|offer| offer.eq_ignore_ascii_case("PIPELINING")),
            offers,
            smtp,
            signed_in: settings.login.is_some(),
            command_limit: limit,
            mails: 0,
        })
    }

    /// What the relay is like, on one line.
    pub(crate) fn description(&self) -> String {
        let signed_in = if self.signed_in { ", signed in" } else { "" };
        let name = one_line(self.smtp.server_info().name());
        shortened(&format!("{name} is ready{signed_in}; it offers {}", self.offers.join(", ")))
    }

    /// Offers one mail. Every step has a limit, so this ends by itself at the deadline.
    pub(crate) async fn offer(&mut self, message: &Message, deadline: Instant) -> Result<Accepted, Refusal> {
        let envelope =
            [format!("MAIL FROM:<{}>\r\n", message.from), format!("RCPT TO:<{}>\r\n", message.to), "DATA\r\n".into()];
        self.envelope(&envelope, deadline).await?;
        // The relay may take its time with the mail itself: only the deadline of the whole ends this.
        let rest = deadline.saturating_duration_since(Instant::now());
        let sent = within_limit(rest, deadline, self.smtp.command(message.dot_stuffed())).await;
        let answer = sent.and_then(answer).map_err(|none| in_doubt(&none, "after the mail was sent"))?;
        match answer.code {
            200..=299 => {
                self.mails += 1;
                Ok(Accepted { reply: answer.to_string() })
            }
            // The relay has seen all of it: whatever it says now is about this mail, also when it hangs up.
            421 => Err(Refusal::Broken(MailError::Transient(Reply { code: Some(421), text: answer.text }))),
            _ => Err(Refusal::Broken(verdict(answer))),
        }
    }

    /// Forgets a mail that was refused; `false` when the relay does not confirm that.
    pub(crate) async fn reset(&mut self, deadline: Instant) -> bool {
        matches!(self.say("RSET\r\n", deadline).await, Ok(Answer { code: 250, .. }))
    }

    /// Takes leave (RFC 5321 §4.1.1.10), briefly.
    pub(crate) async fn quit(mut self) {
        // Whatever comes, the connection is closed by dropping it.
        let _ = timeout(FAREWELL, self.smtp.command("QUIT\r\n")).await;
    }

    /// MAIL, RCPT and DATA: in one write where the relay lets us (RFC 2920), else one by one. `Ok` when the relay waits
    /// for the mail.
    async fn envelope(&mut self, commands: &[String; 3], deadline: Instant) -> Result<(), Refusal> {
        let [mail, rcpt, data] = commands;
        if !self.pipelining {
            accepted(begun(self.say(mail, deadline).await)?)?;
            accepted(self.say(rcpt, deadline).await.map_err(|none| in_doubt(&none, "to RCPT"))?)?;
            let to_data = self.say(data, deadline).await.map_err(|none| in_doubt(&none, "to DATA"))?;
            return if to_data.code == 354 { Ok(()) } else { Err(Refusal::Broken(verdict(to_data))) };
        }
        let to_mail = accepted(begun(self.say(&commands.concat(), deadline).await)?);
        if let Err(refusal @ (Refusal::Gone(_) | Refusal::Broken(_))) = to_mail {
            return Err(refusal);
        }
        // All three answers are read whatever they are, or the next mail would take them for its own.
        let to_rcpt = self.hear(deadline).await;
        let to_data = self.hear(deadline).await;
        let refused = match (to_mail, to_rcpt) {
            (Err(refusal), _) => Some(refusal),
            (Ok(()), Ok(answer)) => accepted(answer).err(),
            (Ok(()), Err(none)) => return Err(in_doubt(&none, "to RCPT")),
        };
        match (refused, to_data) {
            (None, Ok(Answer { code: 354, .. })) => Ok(()),
            (None, Ok(answer)) => Err(Refusal::Broken(verdict(answer))),
            (None, Err(none)) => Err(in_doubt(&none, "to DATA")),
            // RFC 2920 §3.1: a relay that wants the mail although nobody may have it gets an empty one.
            (Some(refusal), Ok(Answer { code: 354, .. })) => match self.say(".\r\n", deadline).await {
                Ok(_) => Err(refusal),
                Err(_) => Err(refusal.and_broken()),
            },
            (Some(refusal), Ok(_)) => Err(refusal),
            (Some(refusal), Err(_)) => Err(refusal.and_broken()),
        }
    }

    async fn say(&mut self, commands: &str, deadline: Instant) -> Result<Answer, NoAnswer> {
        let limit = self.command_limit;
        within_limit(limit, deadline, self.smtp.command(commands)).await.and_then(answer)
    }

    async fn hear(&mut self, deadline: Instant) -> Result<Answer, NoAnswer> {
        let limit = self.command_limit;
        within_limit(limit, deadline, self.smtp.read_response()).await.and_then(answer)
    }
}

impl Refusal {
    fn and_broken(self) -> Self {
        match self {
            Self::Refused(error) => Self::Broken(error),
            Self::Gone(_) | Self::Broken(_) => self,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silence(limit) => write!(f, "no answer within {:.1} s", limit.as_secs_f32()),
            Self::Lost(cause) => f.write_str(cause),
        }
    }
}

/// What an answer other than the one hoped for says about a mail.
fn verdict(answer: Answer) -> MailError {
    match answer.code {
        // 421: the service closes. 530 to 538: it wants another sign-in (RFC 4954 §6). Neither is about this mail.
        421 | 530 | 534 | 535 | 538 => MailError::Unavailable(answer.to_string()),
        400..=499 => MailError::Transient(Reply { code: Some(answer.code), text: answer.text }),
        500..=599 => MailError::Permanent(Reply { code: Some(answer.code), text: answer.text }),
        // An answer to something else: nobody knows what became of the mail.
        _ => MailError::Transient(Reply { code: None, text: format!("unexpected answer: {answer}") }),
    }
}

/// The answer to MAIL, the first of a dialogue: before it nothing was offered.
fn begun(answer: Result<Answer, NoAnswer>) -> Result<Answer, Refusal> {
    match answer {
        Ok(answer) if answer.code == 421 => Err(Refusal::Gone(answer.to_string())),
        Ok(answer) => Ok(answer),
        Err(NoAnswer::Lost(cause)) => Err(Refusal::Gone(cause)),
        Err(none @ NoAnswer::Silence(_)) => Err(Refusal::Broken(MailError::Unavailable(format!("{none} to MAIL")))),
    }
}

/// Whether MAIL or RCPT was accepted.
fn accepted(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        200..=299 => Ok(()),
        _ => Err(match verdict(answer) {
            error @ MailError::Unavailable(_) | error @ MailError::Transient(Reply { code: None, .. }) => {
                Refusal::Broken(error)
            }
            error => Refusal::Refused(error),
        }),
    }
}

fn in_doubt(none: &NoAnswer, place: &str) -> Refusal {
    Refusal::Broken(MailError::Transient(Reply { code: None, text: format!("{none} {place}") }))
}

fn answer(result: Result<Response, smtp::Error>) -> Result<Answer, NoAnswer> {
    match result {
        Ok(response) => {
            let text = response.message().collect::<Vec<_>>().join(" ");
            Ok(Answer { code: response.code().into(), text: shortened(&text) })
        }
        Err(error) => match error.status() {
            Some(code) => Ok(Answer { code: code.into(), text: shortened(&root_cause(&error)) }),
            None => Err(NoAnswer::Lost(format!("the connection was lost ({})", root_cause(&error)))),
        },
    }
}

/// An error in words: the relay's answer if there was one.
fn said(error: &smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("{code} {}", shortened(&root_cause(error))),
        None => shortened(&root_cause(error)),
    }
}

/// The innermost error says it best; for an answer of the relay that is its text.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn shortened(text: &str) -> String {
    one_line(text).chars().take(LONGEST_TEXT).collect()
}

async fn within_limit<T>(limit: Duration, deadline: Instant, step: impl Future<Output = T>) -> Result<T, NoAnswer> {
    let begun = Instant::now();
    let end = deadline.min(begun + limit);
    timeout_at(end, step).await.map_err(|_| NoAnswer::Silence(end.saturating_duration_since(begun)))
}

async fn within<T>(limit: Duration, deadline: Instant, step: impl Future<Output = T>) -> Result<T, String> {
    within_limit(limit, deadline, step).await.map_err(|none| none.to_string())
}

/// Tries every address of the host, each for its share of the time, so that a broken IPv6 does not hide IPv4.
async fn connect(host: &str, port: u16, limit: Duration, deadline: Instant) -> Result<TcpStream, String> {
    let found = within(limit, deadline, lookup_host((host, port))).await?;
    let addresses: Vec<_> = found.map_err(|error| format!("the name cannot be resolved: {error}"))?.collect();
    let share = limit / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut cause = "the name has no address".to_owned();
    for address in addresses {
        let connecting = async {
            let tcp = TcpStream::connect(address).await?;
            // Without this each mail waits 40 ms for a delayed acknowledgement.
            tcp.set_nodelay(true)?;
            Ok::<_, io::Error>(tcp)
        };
        match within(share, deadline, connecting).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => cause = format!("cannot connect: {error}"),
            Err(silence) => cause = format!("cannot connect: {silence}"),
        }
    }
    Err(cause)
}

/// AUTH PLAIN or LOGIN (RFC 4954). What a relay says about a refused password is worth reading, unless it repeats it.
async fn sign_in(smtp: &mut AsyncSmtpConnection, login: &Login) -> Result<(), String> {
    let mechanisms = [Mechanism::Plain, Mechanism::Login];
    if smtp.server_info().get_auth_mechanism(&mechanisms).is_none() {
        return Err("the relay offers no sign-in that we know (AUTH PLAIN or LOGIN)".to_owned());
    }
    let credentials = Credentials::new(login.username.clone(), login.password.clone());
    match answer(smtp.auth(&mechanisms, &credentials).await) {
        Ok(Answer { code: 235, .. }) => Ok(()),
        Ok(answer @ Answer { code: 400..=499 | 530..=539, .. }) if !answer.text.contains(&login.password) => {
            Err(format!("signing in failed: {answer}"))
        }
        // Other answers may quote the command, and with it the password.
        Ok(answer) => Err(format!("signing in failed: {}", answer.code)),
        Err(none) => Err(format!("signing in failed: {none}")),
    }
}
