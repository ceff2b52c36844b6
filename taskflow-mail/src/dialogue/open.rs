//! Opens a connection: TCP, TLS, greeting, offered extensions, sign-in.

use std::io;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use super::verdict::{Answer, answer, root_cause, said, told};
use super::within_limit;
use crate::message::one_line;
use crate::pool::Relay;
use crate::secrets::Secrets;
use crate::smtp::Login;
use crate::turns::{InTurn, ReplyGuard};

/// The extensions that the relay offered in reply to EHLO (RFC 5321 §4.1.1.1).
pub(super) struct Offers {
    /// A line each.
    pub(super) lines: Vec<String>,
    /// Commands may follow each other without waiting (RFC 2920).
    pub(super) pipelining: bool,
    /// Whether MAIL may state the size (RFC 1870).
    pub(super) size: bool,
    /// Longest mail the relay takes, in octets; `None`: it does not say.
    pub(super) longest: Option<u64>,
}

/// Connects, greets, begins TLS and signs in. Errors describe the failure, never a password.
pub(super) async fn open(
    relay: &Relay,
    deadline: Instant,
) -> Result<(AsyncSmtpConnection, ReplyGuard, Offers), String> {
    let settings = &relay.settings;
    let limit = settings.command_limit;
    let tcp = connect(&settings.host, settings.port, limit, deadline).await?;
    let secrets = &relay.secrets;
    let local = tcp.local_addr().map_err(|error| error.to_string())?;
    let name = settings.hello.as_ref().map_err(ToString::to_string)?.on(local);
    let greeted = name.to_string();
    let (stream, first) =
        within(limit * 3, deadline, relay.protection.wrap(tcp, &greeted)).await?.map_err(|failed| {
            let cause = told(&root_cause(&failed.cause), secrets);
            if failed.what.is_empty() { cause } else { format!("{}: {cause}", failed.what) }
        })?;
    let turns = ReplyGuard::new();
    let stream = Box::new(InTurn::new(stream, first, turns.clone()));
    let greeting = within(limit, deadline, AsyncSmtpConnection::connect_with_transport(stream, &name));
    let mut smtp = greeting.await?.map_err(|error| said(&error, secrets))?;
    // lettre keeps only the offers it knows itself, and neither PIPELINING nor SIZE is among them: ask once more.
    let hello = within(limit, deadline, smtp.command(Ehlo::new(name.clone())));
    let hello = hello.await?.map_err(|error| said(&error, secrets))?;
    let offers = Offers::read(hello.message().skip(1).map(one_line).collect());
    if let Some(login) = &settings.login {
        within(limit, deadline, sign_in(&mut smtp, login, secrets)).await??;
    }
    turns.opened();
    Ok((smtp, turns, offers))
}

impl Offers {
    fn read(lines: Vec<String>) -> Self {
        let words = || lines.iter().map(|line| line.split_once(' ').unwrap_or((line, "")));
        let offer = |name: &str| words().find(|(word, _)| word.eq_ignore_ascii_case(name));
        let size = offer("SIZE");
        Self {
            pipelining: offer("PIPELINING").is_some(),
            size: size.is_some(),
            // RFC 1870 §3: 0 is no limit.
            longest: size.and_then(|(_, most)| most.trim().parse().ok()).filter(|most| *most > 0),
            lines,
        }
    }
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

/// Signs in with AUTH PLAIN or LOGIN (RFC 4954). The reply to a refused password is worth reading even if it repeats
/// the password, which is hidden.
async fn sign_in(smtp: &mut AsyncSmtpConnection, login: &Login, secrets: &Secrets) -> Result<(), String> {
    let mechanisms = [Mechanism::Plain, Mechanism::Login];
    if smtp.server_info().get_auth_mechanism(&mechanisms).is_none() {
        return Err("the relay offers no sign-in that we know (AUTH PLAIN or LOGIN)".to_owned());
    }
    let credentials = Credentials::new(login.username.clone(), login.password.clone());
    match answer(smtp.auth(&mechanisms, &credentials).await, secrets) {
        Ok(Answer { code: 235, .. }) => Ok(()),
        Ok(answer @ Answer { code: 400..=499 | 530..=539, .. }) => Err(format!("signing in failed: {answer}")),
        // Other answers may quote the command, and with it the password.
        Ok(answer) => Err(format!("signing in failed: {}", answer.code)),
        Err(none) => Err(format!("signing in failed: {none}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_any_case_and_nonsense_is_no_limit() {
        let read = |lines: &[&str]| Offers::read(lines.iter().map(|line| (*line).to_owned()).collect());
        let offers = read(&["pipelining", "Size 1000", "8BITMIME"]);
        assert!(offers.pipelining && offers.size);
        assert_eq!(offers.longest, Some(1000));
        for line in ["SIZE", "SIZE 0", "SIZE many"] {
            let offers = read(&[line]);
            assert_eq!((offers.size, offers.longest, offers.pipelining), (true, None, false), "{line}");
        }
        assert!(!read(&["SIZES 10", "XPIPELINING"]).size);
    }
}
