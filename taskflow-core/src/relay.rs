//! Classifies replies of a relay, and decides when a relay counts as unavailable although it replies. Pure.
//!
//! Only a reply about the mailbox counts against a mail, and only a clear one ends it. All other replies concern the
//! relay, our account with it or our reputation, and the mail waits.

use std::collections::HashMap;

use crate::app::SendError;
use crate::ports::{Asked, MailError, Reply};
use crate::suppression::{refuses_the_mailbox, speaks_of_us, status_in};
use crate::{DeliveryId, EmailAddress};

/// The subject of a reply of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The recipient: there is no such mailbox, it is full, or it takes no mail for now.
    Mailbox,
    /// This mail, such as its size or its content.
    Message,
    /// The relay, our account with it, or our standing: it would say the same about any mail.
    Relay,
    /// Unclear: it may be about this mail or about all.
    Unclear,
}

impl Reply {
    /// Returns the subject of this reply, by the command that it replies to, its code (RFC 5321 §4.2) and its status
    /// (RFC 3463, RFC 5248). Words decide only if these say nothing.
    #[must_use]
    pub fn concern(&self) -> Concern {
        let Some(code) = self.code else { return Concern::Unclear };
        let status = status_in(&self.text).and_then(|status| Status::parse(status, code));
        match (code, self.to) {
            // The service is closing, or wants another sign-in (RFC 4954 §6).
            (421 | 432 | 530 | 534 | 535 | 538, _) => Concern::Relay,
            (_, Asked::Nothing) => Concern::Unclear,
            (_, Asked::Sender) => about_a_sender(code, status, &self.text),
            (400..=499, _) => deferral(code, self.to, status, &self.text),
            (500..=599, _) => refusal(code, self.to, status, &self.text),
            _ => Concern::Unclear,
        }
    }
}

/// The subject and the detail of a status (RFC 3463 §3).
#[derive(Clone, Copy)]
struct Status(u16, u16);

impl Status {
    /// Parses a status; one of another class than its code says nothing.
    fn parse(text: &str, code: u16) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        let (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail))) = (numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        (code / 100 == class).then_some(Self(subject, detail))
    }
}

/// Returns the subject of a reply to MAIL, which is about the sender. Only the size of the mail is announced with it
/// (RFC 1870).
fn about_a_sender(code: u16, status: Option<Status>, text: &str) -> Concern {
    match status {
        Some(Status(2, 3) | Status(3, 4)) => Concern::Message,
        None if code == 552 && speaks_of_size(text) => Concern::Message,
        Some(_) | None => Concern::Relay,
    }
}

fn deferral(code: u16, asked: Asked, status: Option<Status>, text: &str) -> Concern {
    match status {
        Some(Status(1, 7 | 8)) => Concern::Relay,
        Some(Status(1 | 2, _)) if names_the_sender(text) => Concern::Relay,
        Some(Status(1 | 2, _)) => Concern::Mailbox,
        Some(Status(3..=7, _)) => Concern::Relay,
        Some(_) | None => match (code, asked) {
            (450, Asked::Recipient) if !names_the_sender(text) && !is_greylisting(text) => Concern::Mailbox,
            (452, Asked::Recipient) if text.to_ascii_lowercase().contains("mailbox") => Concern::Mailbox,
            _ => Concern::Relay,
        },
    }
}

fn refusal(code: u16, asked: Asked, status: Option<Status>, text: &str) -> Concern {
    let about_the_mailbox = asked == Asked::Recipient && refuses_the_mailbox(code, text);
    match status {
        Some(Status(1, 7 | 8)) => Concern::Relay,
        Some(Status(1 | 2, _)) if names_the_sender(text) => Concern::Relay,
        Some(Status(2, 3) | Status(3, 4) | Status(6, _)) => Concern::Message,
        Some(Status(2, 2)) => about_storage(text),
        Some(Status(1, 1..=6 | 10) | Status(2, 1)) => Concern::Mailbox,
        _ if about_the_mailbox => Concern::Mailbox,
        // The relay is out of order (RFC 3463 §3.4), or we are not who it expects.
        Some(Status(3, _)) => Concern::Relay,
        Some(Status(7, 3..=31)) => Concern::Relay,
        None if code == 552 && speaks_of_size(text) && !names_the_sender(text) => Concern::Message,
        None if code == 552 && !names_the_sender(text) => about_storage(text),
        // A command that it does not know, or a transaction out of order.
        None if matches!(code, 500..=504) => Concern::Relay,
        _ if speaks_of_us(text) => Concern::Relay,
        Some(_) | None => Concern::Unclear,
    }
}

/// Returns whether a text speaks of the sender, such as "sender quota exceeded" or "your account".
fn names_the_sender(text: &str) -> bool {
    const WORDS: [&str; 8] =
        ["sender", "sending", "your account", "your quota", "your limit", "outgoing", "outbound", "relay"];
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// Storage that is used up is the recipient's where an answer says so. A bare "quota exceeded" may be ours.
fn about_storage(text: &str) -> Concern {
    const WORDS: [&str; 5] = ["mailbox", "recipient", "inbox", "user is over", "user has exceeded"];
    let text = text.to_ascii_lowercase();
    if WORDS.iter().any(|word| text.contains(word)) { Concern::Mailbox } else { Concern::Unclear }
}

fn speaks_of_size(text: &str) -> bool {
    const WORDS: [&str; 6] = ["size", "too large", "too big", "too long", "larger than", "message exceeds"];
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

fn is_greylisting(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("greylist") || text.contains("graylist")
}

/// Returns the number of equal refusals in a row, with no mail accepted in between, after which they are about the
/// relay, whatever they say.
fn longest_run(concern: Concern) -> u32 {
    match concern {
        Concern::Relay => 2,
        Concern::Unclear => 3,
        Concern::Mailbox | Concern::Message => 25,
    }
}

/// So many recipients one after another may be refused for good, whatever the words, before each needs to be confirmed. What a
/// broken directory says of everybody costs no more mails than that.
const MAX_GONE_IN_A_ROW: u32 = 2;
/// So many may be refused for now. Further refusals use no attempt until the relay takes a mail.
const MAX_DEFERRED_IN_A_ROW: u32 = 5;

/// Most mails that are remembered as refused for a reason that is not clear.
const MOST_SUSPECTS: usize = 10_000;

/// The latest replies of a relay, and the conclusions about it.
#[derive(Debug, Default)]
pub struct RelayWatch {
    /// Number of mails that the relay has accepted.
    accepted: u64,
    /// The last refusal without the parts that differ from mail to mail, and the number of times it came in a row.
    run: Option<(String, u32)>,
    /// The last recipient whose mailbox it refused, and how many different ones in a row, with no mail taken in between.
    mailboxes: Option<(String, u32)>,
    /// The mails whose refusal needs to be confirmed, and how many mails it had taken when it refused them first.
    suspects: HashMap<DeliveryId, u64>,
}

impl RelayWatch {
    /// Records that the relay accepted a mail.
    pub fn accepted(&mut self, id: DeliveryId) {
        self.accepted += 1;
        (self.run, self.mailboxes) = (None, None);
        self.suspects.remove(&id);
    }

    /// Returns the meaning of an error for this mail.
    ///
    /// A refusal for good for an unclear reason ends a mail only if the mail meets it again although the relay accepted
    /// other mail meanwhile. The same holds for refusals of mailboxes once several came in a row.
    pub fn judge(&mut self, id: DeliveryId, to: &EmailAddress, error: MailError) -> SendError {
        let (reply, is_for_good) = match error {
            MailError::Unavailable(cause) => return SendError::Unavailable(cause),
            MailError::Transient(reply) => (reply, false),
            MailError::Permanent(reply) => (reply, true),
        };
        if reply.code.is_none() {
            let text = reply.to_string();
            return match reply.to {
                _ if is_for_good => SendError::Permanent { reply: text, is_gone: false },
                // It had not been handed over yet.
                Asked::Sender | Asked::Recipient => SendError::Deferred(text),
                Asked::Nothing | Asked::Content => SendError::InDoubt(text),
            };
        }
        let (concern, text) = (reply.concern(), reply.to_string());
        let is_run = self.count(signature(&reply, to)) >= longest_run(concern);
        let most = if is_for_good { MAX_GONE_IN_A_ROW } else { MAX_DEFERRED_IN_A_ROW };
        let are_many = concern == Concern::Mailbox && self.count_mailbox(to) > most;
        match concern {
            _ if is_run => SendError::Unavailable(text),
            _ if are_many && !self.is_confirmed(id) => SendError::Deferred(text),
            Concern::Relay if reply.to == Asked::Sender => SendError::Unavailable(text),
            Concern::Relay => SendError::Deferred(text),
            Concern::Unclear if !is_for_good || !self.is_confirmed(id) => SendError::Deferred(text),
            Concern::Mailbox | Concern::Message if !is_for_good => SendError::Transient(text),
            Concern::Mailbox | Concern::Message | Concern::Unclear => {
                self.suspects.remove(&id);
                SendError::Permanent { is_gone: reply.concerns_the_mailbox(), reply: text }
            }
        }
    }

    fn count(&mut self, signature: String) -> u32 {
        let count = self.run.take().filter(|(last, _)| *last == signature).map_or(1, |(_, count)| count + 1);
        self.run = Some((signature, count));
        count
    }

    fn count_mailbox(&mut self, to: &EmailAddress) -> u32 {
        let key = to.key();
        let count = match self.mailboxes.take() {
            None => 1,
            Some((last, count)) if last == key => count,
            Some((_, count)) => count + 1,
        };
        self.mailboxes = Some((key, count));
        count
    }

    fn is_confirmed(&mut self, id: DeliveryId) -> bool {
        if let Some(accepted) = self.suspects.get(&id) {
            return self.accepted > *accepted;
        }
        if self.suspects.len() >= MOST_SUSPECTS {
            self.suspects.clear();
        }
        self.suspects.insert(id, self.accepted);
        false
    }
}

/// Returns a refusal without the parts that differ from mail to mail: addresses, and words with digits such as queue
/// ids.
fn signature(reply: &Reply, to: &EmailAddress) -> String {
    let text = reply.text.replace(to.as_str(), "");
    let same = |word: &&str| !word.contains('@') && !word.contains(|c: char| c.is_ascii_digit());
    let words: Vec<_> = text.split_whitespace().filter(same).collect();
    format!("{:?} {} {}", reply.to, reply.code.unwrap_or_default(), words.join(" "))
}

#[cfg(test)]
mod tests;
