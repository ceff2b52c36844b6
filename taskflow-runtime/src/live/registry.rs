use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use taskflow_core::{Follower, UserId};
use tokio::sync::{Semaphore, oneshot};

use super::queue::{Receiver, Sender, queue};
use super::{Disconnect, Message, SessionClaims};

/// Most connections of a node.
const MOST: usize = 10_000;
/// Most connections of one person to a node.
const MOST_OF_ONE: usize = 1_000;

/// Room for the pages that the connections of one person have read and their clients have not taken, in kilobytes.
const PAGES_ROOM: usize = 4 * 1024;

/// The connections, and the sequence up to which each feed was handed out.
#[derive(Default)]
pub(super) struct ConnectionRegistry {
    people: HashMap<UserId, Person>,
    /// The people whose feeds may have grown.
    dirty: HashSet<UserId>,
    taken: usize,
    last: u64,
}

struct Person {
    /// The last sequence handed to all followers; `None` if it is not known yet.
    head: Option<u64>,
    /// The end of the feed when it was last read.
    end: u64,
    connections: HashMap<u64, Connection>,
    /// [`PAGES_ROOM`].
    room: Arc<Semaphore>,
}

impl Default for Person {
    fn default() -> Self {
        let room = Arc::new(Semaphore::new(PAGES_ROOM));
        Self { head: None, end: 0, connections: HashMap::new(), room }
    }
}

struct Connection {
    token: SessionClaims,
    /// Absent while the connection catches up by itself.
    queue: Option<Sender>,
    /// Taken when the connection is told to close.
    end: Option<oneshot::Sender<Disconnect>>,
}

impl ConnectionRegistry {
    /// Returns the number of connections.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Adds a connection and returns its number.
    pub(super) fn take(&mut self, token: SessionClaims, end: oneshot::Sender<Disconnect>) -> Result<u64, Disconnect> {
        if self.taken >= MOST {
            return Err(Disconnect::Full);
        }
        let person = self.people.entry(token.user).or_default();
        if person.connections.len() >= MOST_OF_ONE {
            return Err(Disconnect::TooMany);
        }
        self.taken += 1;
        self.last += 1;
        person.connections.insert(self.last, Connection { token, queue: None, end: Some(end) });
        Ok(self.last)
    }

    /// Returns the room for pages of a person, in kilobytes; `None` without a connection.
    pub(super) fn pages_room(&self, user: UserId) -> Option<Arc<Semaphore>> {
        self.people.get(&user).map(|person| Arc::clone(&person.room))
    }

    /// Removes a connection.
    pub(super) fn leave(&mut self, user: UserId, number: u64) {
        let Some(person) = self.people.get_mut(&user) else { return };
        if person.connections.remove(&number).is_some() {
            self.taken -= 1;
        }
        if person.connections.is_empty() {
            self.people.remove(&user);
        }
    }

    /// Replaces the token of a connection.
    pub(super) fn renew(&mut self, number: u64, token: SessionClaims) {
        let connection = self.people.get_mut(&token.user).and_then(|person| person.connections.get_mut(&number));
        if let Some(connection) = connection {
            connection.token = token;
        }
    }

    /// Subscribes a connection to everything after the returned sequence; `None` if that is not known yet.
    pub(super) fn follow(&mut self, user: UserId, number: u64) -> Option<(Receiver, u64)> {
        let person = self.people.get_mut(&user)?;
        let head = person.head?;
        let (sender, receiver) = queue();
        person.connections.get_mut(&number)?.queue = Some(sender);
        Some((receiver, head))
    }

    /// Sets the end of a feed that nobody here had followed; it may have grown since.
    pub(super) fn compare_first(&mut self, user: UserId, head: u64) {
        if let Some(person) = self.people.get_mut(&user) {
            person.head.get_or_insert(head);
            self.dirty.insert(user);
        }
    }

    /// Returns the owners of all followed feeds.
    pub(super) fn followed(&self) -> Vec<UserId> {
        self.people.iter().filter(|(_, person)| person.head.is_some()).map(|(owner, _)| *owner).collect()
    }

    /// Marks the feeds whose ends show that they have grown.
    pub(super) fn compare(&mut self, heads: &HashMap<UserId, u64>) {
        for (owner, head) in heads {
            if let Some(person) = self.people.get_mut(owner)
                && person.head.is_some_and(|known| known < *head)
            {
                person.end = *head;
                self.dirty.insert(*owner);
            }
        }
    }

    /// Marks feeds that may have grown. Returns whether one of them is followed here and was not marked before.
    pub(super) fn mark<'a>(&mut self, owners: impl IntoIterator<Item = &'a UserId>) -> bool {
        let followed = |owner: &&UserId| self.people.get(owner).is_some_and(|person| person.head.is_some());
        let before = self.dirty.len();
        self.dirty.extend(owners.into_iter().filter(followed));
        self.dirty.len() > before
    }

    /// Takes up to `most` marked feeds, each with the sequence to read after.
    pub(super) fn take_dirty(&mut self, most: usize) -> Vec<Follower> {
        let owners: Vec<UserId> = self.dirty.iter().take(most).copied().collect();
        for owner in &owners {
            self.dirty.remove(owner);
        }
        let head = |owner| self.people.get(&owner)?.head.map(|after| Follower { owner, after });
        owners.into_iter().filter_map(head).collect()
    }

    /// Returns whether there are feeds to read.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Hands out what was read of a feed, in its order. `more` says that there may be more to read.
    pub(super) fn advance(
        &mut self,
        Follower { owner, after }: Follower,
        admitted: impl Fn(&SessionClaims) -> bool,
        resync: impl FnOnce(u64) -> Message,
        mut messages: Vec<Message>,
        more: bool,
    ) {
        let Some(person) = self.people.get_mut(&owner).filter(|person| person.head == Some(after)) else { return };
        let first = messages.first().and_then(|message| message.seq).unwrap_or(person.end + 1);
        if first > after + 1 {
            // What was added while this node was suspended is no longer kept.
            messages.insert(0, resync(first - 1));
        }
        let Some(last) = messages.last().and_then(|message| message.seq) else { return };
        person.head = Some(last);
        if more {
            self.dirty.insert(owner);
        }
        self.hand(owner, admitted, &messages);
    }

    /// Hands messages to all followers of `owner`. A connection with a full queue is unsubscribed: its cursor reads the
    /// feed at the pace of its client until it has caught up.
    pub(super) fn hand(&mut self, owner: UserId, admitted: impl Fn(&SessionClaims) -> bool, messages: &[Message]) {
        let Some(person) = self.people.get_mut(&owner) else { return };
        for connection in person.connections.values_mut() {
            let Some(queue) = &connection.queue else { continue };
            if !admitted(&connection.token) {
                connection.end(Disconnect::SignedOut);
                continue;
            }
            if !messages.iter().all(|message| queue.send(message)) {
                connection.queue = None;
            }
        }
    }

    /// Closes the connections of a person for which there is a reason.
    pub(super) fn end_of(&mut self, user: UserId, why: impl Fn(&SessionClaims) -> Option<Disconnect>) {
        for connection in self.people.get_mut(&user).into_iter().flat_map(|person| person.connections.values_mut()) {
            if let Some(ending) = why(&connection.token) {
                connection.end(ending);
            }
        }
    }

    /// Closes all connections for which there is a reason.
    pub(super) fn end(&mut self, why: impl Fn(&SessionClaims) -> Option<Disconnect>) {
        for connection in self.people.values_mut().flat_map(|person| person.connections.values_mut()) {
            if let Some(ending) = why(&connection.token) {
                connection.end(ending);
            }
        }
    }
}

impl Connection {
    /// Tells the connection to close; it may be gone already.
    fn end(&mut self, ending: Disconnect) {
        self.queue = None;
        if let Some(end) = self.end.take() {
            let _ = end.send(ending);
        }
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::{SessionId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn ada() -> UserId {
        UserId::from_uuid(Uuid::from_u128(7))
    }

    fn token() -> SessionClaims {
        let session = SessionId::from_uuid(Uuid::from_u128(8));
        SessionClaims { user: ada(), session, issued_at: Timestamp::from_micros(0), expires_at: Timestamp::MAX }
    }

    fn message(seq: u64) -> Message {
        Message { seq: Some(seq), topic: None, text: format!("{seq}").into() }
    }

    fn resync(seq: u64) -> Message {
        Message { seq: Some(seq), topic: None, text: format!("resync {seq}").into() }
    }

    /// A connection that follows after `head`.
    fn followed(registry: &mut ConnectionRegistry, head: u64) -> (Receiver, oneshot::Receiver<Disconnect>, u64) {
        let (end, ended) = oneshot::channel();
        let number = registry.take(token(), end).expect("a place");
        registry.compare_first(ada(), head);
        let (receiver, from) = registry.follow(ada(), number).expect("the end of the feed is known");
        assert_eq!(from, head);
        (receiver, ended, number)
    }

    fn read(registry: &mut ConnectionRegistry, seqs: &[u64]) {
        for follower in registry.take_dirty(10) {
            registry.advance(follower, |_| true, resync, seqs.iter().copied().map(message).collect(), false);
        }
    }

    fn handed(receiver: &mut Receiver) -> Vec<String> {
        std::iter::from_fn(|| receiver.next_now()).map(|message| message.text.to_string()).collect()
    }

    #[test]
    fn what_follows_is_handed_to_everybody_once() {
        let mut registry = ConnectionRegistry::default();
        let (mut one, _one, _) = followed(&mut registry, 3);
        let (mut other, _other, _) = followed(&mut registry, 3);
        read(&mut registry, &[4, 5]);
        assert_eq!(
            (handed(&mut one), handed(&mut other)),
            (vec!["4".into(), "5".into()], vec!["4".into(), "5".into()])
        );
        assert!(!registry.is_dirty() && registry.mark(&[ada()]));
        // Read by somebody else in the meantime, or anew: it does not follow any more.
        registry.advance(Follower { owner: ada(), after: 3 }, |_| true, resync, vec![message(4)], false);
        read(&mut registry, &[]);
        assert!(handed(&mut one).is_empty());
        assert_eq!(registry.take_dirty(10), []);
    }

    #[test]
    fn what_was_slept_through_and_is_gone_is_to_be_read_anew() {
        let mut registry = ConnectionRegistry::default();
        let (mut receiver, _ended, _) = followed(&mut registry, 3);
        read(&mut registry, &[7, 8]);
        assert_eq!(handed(&mut receiver), ["resync 6", "7", "8"]);
        // Also when nothing is left that could tell.
        registry.compare(&HashMap::from([(ada(), 12)]));
        read(&mut registry, &[]);
        assert_eq!(handed(&mut receiver), ["resync 12"]);
        registry.compare(&HashMap::from([(ada(), 12)]));
        assert!(!registry.is_dirty());
    }

    #[test]
    fn whoever_falls_behind_catches_up_alone_and_whoever_is_signed_out_is_told_to_end() {
        let mut registry = ConnectionRegistry::default();
        let (mut slow, mut stays, _) = followed(&mut registry, 0);
        for seq in 1..=256 {
            registry.mark(&[ada()]);
            read(&mut registry, &[seq]);
        }
        let (mut receiver, mut goes_on, number) = followed(&mut registry, 256);
        registry.mark(&[ada()]);
        read(&mut registry, &[257]);
        assert_eq!((handed(&mut slow).len(), handed(&mut receiver)), (256, vec!["257".to_owned()]));
        assert!(slow.is_closed() && stays.try_recv().is_err() && goes_on.try_recv().is_err());
        registry.hand(ada(), |_| false, &[message(258)]);
        assert_eq!((goes_on.try_recv(), handed(&mut receiver)), (Ok(Disconnect::SignedOut), vec![]));
        registry.leave(ada(), number);
        assert_eq!(registry.taken(), 1);
    }

    #[test]
    fn there_are_no_more_connections_than_there_may_be() {
        let mut registry = ConnectionRegistry::default();
        let ends: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| {
                let (end, ended) = oneshot::channel();
                (registry.take(token(), end).expect("a place"), ended)
            })
            .collect();
        let (end, _ended) = oneshot::channel();
        assert_eq!(registry.take(token(), end), Err(Disconnect::TooMany));
        registry.leave(ada(), ends[0].0);
        let (end, _ended) = oneshot::channel();
        assert!(registry.take(token(), end).is_ok());
        registry.taken = MOST;
        let (end, _ended) = oneshot::channel();
        let bob = SessionClaims { user: UserId::from_uuid(Uuid::from_u128(9)), ..token() };
        assert_eq!(registry.take(bob, end), Err(Disconnect::Full));
    }
}
