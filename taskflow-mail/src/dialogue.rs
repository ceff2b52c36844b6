//! One connection to the relay, and the mails that pass over it.
//!
//! If the relay offers PIPELINING (RFC 2920), MAIL, RCPT and DATA are sent in one write. The write of the mail itself
//! also contains the envelope of the next mail, if there is one: one round trip per mail. Every reply is matched with
//! its command, in order. If one is missing, superfluous or too early (see [`ReplyGuard`]), the connection ends, so
//! that no mail counts as sent, or as refused, because of the reply to another.

mod open;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::response::Response;
use taskflow_core::ports::{Accepted, MailError, Reply};
use tokio::time::{Instant, timeout, timeout_at};

use self::open::Offers;
pub(crate) use self::verdict::Refusal;
use self::verdict::{
    Answer, NoAnswer, answer, in_doubt, lost_envelope, out_of_step, to_content, to_data, to_mail, to_rcpt, told,
};
use crate::message::{Message, one_line};
use crate::pool::Relay;
use crate::turns::ReplyGuard;

/// Time to wait for the reply to QUIT, which decides nothing.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open connection, signed in if the settings say so.
pub(crate) struct Connection {
    smtp: AsyncSmtpConnection,
    turns: ReplyGuard,
    offers: Offers,
    relay: Arc<Relay>,
    /// Number of envelopes that the relay has replied to.
    pub(crate) mails: u32,
    /// Its clones count open connections.
    _open: Arc<()>,
}

/// A batch of bytes that is sent in one write.
pub(crate) struct DataBatch {
    bytes: String,
    /// Number of its bytes that belong to the mail itself, including the final dot.
    mail: usize,
    /// Number of replies that it asks for.
    answers: usize,
}

impl Connection {
    /// Connects, greets, begins TLS and signs in. Errors describe the failure, never a password.
    pub(crate) async fn open(relay: Arc<Relay>, deadline: Instant) -> Result<Self, String> {
        let (smtp, turns, offers) = open::open(&relay, deadline).await?;
        let open = Arc::clone(&relay.open);
        Ok(Self { smtp, turns, offers, relay, mails: 0, _open: open })
    }

    /// Returns a description of the relay on one line.
    pub(crate) fn description(&self) -> String {
        let signed_in = if self.relay.settings.login.is_some() { ", signed in" } else { "" };
        let name = one_line(self.smtp.server_info().name());
        told(&format!("{name} is ready{signed_in}; it offers {}", self.offers.lines.join(", ")), &self.relay.secrets)
    }

    /// Returns whether the connection may be used for one more mail.
    pub(crate) fn has_room_for_more(&self) -> bool {
        !self.turns.out_of_step() && self.mails < self.relay.settings.mails_per_connection
    }

    /// Returns whether the envelope of a mail may be sent before the reply to the previous mail.
    pub(crate) fn takes_riders(&self) -> bool {
        self.offers.pipelining && self.has_room_for_more()
    }

    /// Refuses a mail that the relay has announced to refuse, before it is sent (RFC 1870 §6.1).
    pub(crate) fn check_size(&self, message: &Message) -> Result<(), MailError> {
        let size = message.source.len();
        match self.offers.longest {
            Some(longest) if size as u64 > longest => Err(MailError::Permanent(Reply::none(format!(
                "the mail has {size} octets, and the relay takes at most {longest}"
            )))),
            Some(_) | None => Ok(()),
        }
    }

    /// Offers a mail; `Ok` when the relay waits for it. Every step has a limit, so this ends by itself at the deadline.
    pub(crate) async fn offer(&mut self, message: &Message, deadline: Instant) -> Result<(), Refusal> {
        let envelope = self.envelope(message);
        if self.offers.pipelining {
            self.turns.ask(3, 0);
            let limit = self.command_limit();
            let to_first = within_limit(limit, deadline, self.smtp.command(envelope.concat())).await;
            let to_first = self.heard(to_first);
            return self.hear_rest(to_first, deadline).await;
        }
        let [mail, rcpt, data] = envelope;
        let said = to_mail(self.say(&mail, deadline).await);
        self.count(&said);
        if let Err(Refusal::Refused(MailError::Permanent(_))) = &said {
            // What came too late to be noticed may look like an answer to MAIL. Nothing follows here that could show it,
            // so the relay is asked for what only one answer fits to (RFC 5321 §4.1.1.10).
            return match self.say("QUIT\r\n", deadline.min(Instant::now() + FAREWELL)).await {
                Ok(answer) if answer.code != 221 => Err(out_of_step(&answer)),
                Ok(_) | Err(_) => said.map_err(|refusal| refusal.and_broken(&NoAnswer::Lost(String::new()))),
            };
        }
        said?;
        to_rcpt(self.say(&rcpt, deadline).await.map_err(|none| lost_envelope(&none, "to RCPT"))?)?;
        to_data(self.say(&data, deadline).await.map_err(|none| lost_envelope(&none, "to DATA"))?)
    }

    /// Reads the replies to an envelope that was sent behind a mail.
    pub(crate) async fn hear_envelope(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let to_first = self.hear(deadline).await;
        self.hear_rest(to_first, deadline).await
    }

    /// Returns everything that is sent in one write for a mail that the relay waits for: the mail itself, and the
    /// envelope of the mail that is pipelined behind it (RFC 2920 §3.1).
    pub(crate) fn parcel(&self, message: &Message, rider: Option<&Message>) -> DataBatch {
        let mut bytes = message.dot_stuffed();
        let mail = bytes.len();
        bytes.extend(rider.map(|rider| self.envelope(rider)).into_iter().flatten());
        DataBatch { bytes, mail, answers: if rider.is_some() { 4 } else { 1 } }
    }

    /// Sends the mail that was offered. The replies to a pipelined envelope are left to
    /// [`hear_envelope`](Self::hear_envelope).
    pub(crate) async fn hand_over(&mut self, parcel: DataBatch, deadline: Instant) -> Result<Accepted, Refusal> {
        let DataBatch { bytes, mail, answers } = parcel;
        self.turns.ask(answers, mail);
        // The relay may take its time with the mail itself: only the deadline of the whole ends this.
        let rest = deadline.saturating_duration_since(Instant::now());
        let sent = within_limit(rest, deadline, self.smtp.command(bytes)).await;
        let answer = self.heard(sent).map_err(|none| in_doubt(&none, "after the mail was sent"))?;
        let reply = answer.to_string();
        to_content(answer).map(|()| Accepted { reply })
    }

    /// Forgets a mail that was refused; `false` when the relay does not confirm that.
    pub(crate) async fn reset(&mut self, deadline: Instant) -> bool {
        matches!(self.say("RSET\r\n", deadline).await, Ok(Answer { code: 250, .. }))
    }

    /// Takes leave (RFC 5321 §4.1.1.10), briefly.
    pub(crate) async fn quit(mut self) {
        // Whatever comes, the connection is closed by dropping it.
        self.turns.ask(1, 0);
        let _ = timeout(FAREWELL, self.smtp.command("QUIT\r\n")).await;
    }

    fn envelope(&self, message: &Message) -> [String; 3] {
        let size = if self.offers.size { format!(" SIZE={}", message.source.len()) } else { String::new() };
        let mail = format!("MAIL FROM:<{}>{size}\r\n", message.from);
        [mail, format!("RCPT TO:<{}>\r\n", message.to), "DATA\r\n".to_owned()]
    }

    /// Reads the remaining replies after the reply to MAIL when all three commands were sent at once.
    async fn hear_rest(&mut self, to_first: Result<Answer, NoAnswer>, deadline: Instant) -> Result<(), Refusal> {
        let mail = to_mail(to_first);
        self.count(&mail);
        if mail.as_ref().is_err_and(|refusal| !refusal.is_clean()) {
            return mail;
        }
        // All three answers are read whatever they are, or the next mail would take them for its own.
        let second = self.hear(deadline).await;
        let to_last = self.hear(deadline).await;
        // No relay says 2yz to DATA: what looks like the answers to this envelope began with one to something else.
        if let Ok(answer @ Answer { code: 200..=299, .. }) = &to_last {
            return Err(out_of_step(answer));
        }
        let refused = match (mail, second) {
            (Err(refusal), _) => Some(refusal),
            (Ok(()), Ok(answer)) => to_rcpt(answer).err(),
            (Ok(()), Err(none)) => return Err(lost_envelope(&none, "to RCPT")),
        };
        match (refused, to_last) {
            (None, Ok(answer)) => to_data(answer),
            (None, Err(none)) => Err(lost_envelope(&none, "to DATA")),
            (Some(refusal @ Refusal::Broken(_)), _) => Err(refusal),
            // RFC 2920 §3.1: a relay that wants the mail although nobody may have it gets an empty one.
            (Some(refusal), Ok(Answer { code: 354, .. })) => match self.say(".\r\n", deadline).await {
                Ok(_) => Err(refusal),
                Err(none) => Err(refusal.and_broken(&none)),
            },
            (Some(refusal), Ok(_)) => Err(refusal),
            (Some(refusal), Err(none)) => Err(refusal.and_broken(&none)),
        }
    }

    /// Counts an envelope with a reply, which shows that the connection works.
    fn count(&mut self, to_mail: &Result<(), Refusal>) {
        let answered = to_mail.as_ref().err().is_none_or(Refusal::is_clean);
        self.mails += u32::from(answered);
    }

    async fn say(&mut self, command: &str, deadline: Instant) -> Result<Answer, NoAnswer> {
        self.turns.ask(1, 0);
        let limit = self.command_limit();
        let came = within_limit(limit, deadline, self.smtp.command(command)).await;
        self.heard(came)
    }

    async fn hear(&mut self, deadline: Instant) -> Result<Answer, NoAnswer> {
        let limit = self.command_limit();
        let came = within_limit(limit, deadline, self.smtp.read_response()).await;
        self.heard(came)
    }

    fn heard(&self, came: Result<Result<Response, smtp::Error>, NoAnswer>) -> Result<Answer, NoAnswer> {
        came.and_then(|response| answer(response, &self.relay.secrets))
    }

    fn command_limit(&self) -> Duration {
        self.relay.settings.command_limit
    }
}

async fn within_limit<T>(limit: Duration, deadline: Instant, step: impl Future<Output = T>) -> Result<T, NoAnswer> {
    let begun = Instant::now();
    let end = deadline.min(begun + limit);
    timeout_at(end, step).await.map_err(|_| NoAnswer::Silence(end.saturating_duration_since(begun)))
}
