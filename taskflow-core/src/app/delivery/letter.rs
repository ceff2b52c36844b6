//! The last look: what a claimed delivery is about now, and whether that is still worth a mail.

use super::App;
use crate::error::{BadRow, StoreError};
use crate::ports::{Claimed, Loaded};
use crate::{
    Delivery, Letter, Locale, Mail, Mailbox, Notice, Outcome, Recipient, Task, TaskId, Timestamp, Topic, User, UserId,
    Zone,
};

/// What a batch of deliveries is about.
pub(super) struct Facts {
    users: Loaded<UserId, User>,
    tasks: Loaded<TaskId, Task>,
}

impl App {
    /// Looks everything up that the batch needs, one read per kind of thing.
    pub(super) async fn load(&self, claims: &[Claimed]) -> Result<Facts, StoreError> {
        let (mut users, mut tasks) = (Vec::new(), Vec::new());
        for Claimed { delivery, .. } in claims {
            if let Recipient::User(id) = delivery.recipient {
                users.push(id);
            }
            if let Ok(Notice::TaskDue { task, .. }) = delivery.notice {
                tasks.push(task);
            }
        }
        users.sort_unstable();
        users.dedup();
        tasks.sort_unstable();
        tasks.dedup();
        Ok(Facts {
            users: if users.is_empty() { Loaded::new() } else { self.store.users(&users).await? },
            tasks: if tasks.is_empty() { Loaded::new() } else { self.store.tasks_by_id(&tasks, None).await? },
        })
    }

    /// The mail of a delivery, or what becomes of it instead.
    pub(super) fn mail(&self, delivery: &Delivery, facts: &Facts, now: Timestamp) -> Result<Mail, Outcome> {
        let (reader, topic) = last_look(delivery, facts, now)?;
        let letter = Letter {
            name: reader.name,
            locale: reader.locale,
            zone: reader.zone,
            public_url: self.public_url.clone(),
            topic,
        };
        let content = self.renderer.render(&letter).map_err(|error| Outcome::Discarded { error: error.to_string() })?;
        Ok(Mail { id: delivery.id, date: delivery.first_claimed_at.unwrap_or(now), to: reader.mailbox, content })
    }
}

/// Who reads the letter.
struct Reader {
    name: String,
    mailbox: Mailbox,
    locale: Locale,
    zone: Zone,
}

fn last_look(delivery: &Delivery, facts: &Facts, now: Timestamp) -> Result<(Reader, Topic), Outcome> {
    if delivery.cancel_requested {
        return Err(cancelled(&delivery.reason));
    }
    let notice = delivery.notice.as_ref().map_err(|error| Outcome::Discarded { error: error.clone() })?;
    if delivery.kind.grace().is_some_and(|grace| now.since(delivery.due_at) > grace) {
        return Err(Outcome::Expired { reason: "it was too late to be of use".to_owned() });
    }
    Ok((reader(&delivery.recipient, facts)?, topic(notice, facts)?))
}

fn reader(recipient: &Recipient, facts: &Facts) -> Result<Reader, Outcome> {
    match recipient {
        Recipient::User(id) => match found(facts.users.get(id))? {
            Some(user) if user.is_active => Ok(Reader {
                name: user.username.to_string(),
                mailbox: Mailbox { name: Some(user.username.to_string()), address: user.email.clone() },
                locale: user.locale.clone(),
                zone: user.time_zone.clone(),
            }),
            Some(_) => Err(cancelled("the account is locked")),
            None => Err(cancelled("the account is gone")),
        },
        Recipient::Address(address) => Ok(Reader {
            name: address.to_string(),
            mailbox: Mailbox { name: None, address: address.clone() },
            locale: Locale::en(),
            zone: Zone::utc(),
        }),
    }
}

fn topic(notice: &Notice, facts: &Facts) -> Result<Topic, Outcome> {
    match notice {
        Notice::Welcome => Ok(Topic::Welcome),
        Notice::PasswordChanged { at } => Ok(Topic::PasswordChanged { at: *at }),
        Notice::TaskDue { task, due_at } => match found(facts.tasks.get(task))? {
            Some(task) if !task.is_open() => Err(cancelled("the task is no longer open")),
            Some(task) if task.due_at != Some(*due_at) => Err(cancelled("the task is due at another time")),
            Some(task) => Ok(Topic::TaskDue { task: task.clone(), due_at: *due_at }),
            None => Err(cancelled("the task is gone")),
        },
    }
}

/// A row that cannot be read discards its own delivery and no other.
fn found<T>(row: Option<&Result<T, BadRow>>) -> Result<Option<&T>, Outcome> {
    row.map(Result::as_ref).transpose().map_err(|bad| Outcome::Discarded { error: bad.to_string() })
}

fn cancelled(reason: &str) -> Outcome {
    Outcome::Cancelled { reason: reason.to_owned() }
}
