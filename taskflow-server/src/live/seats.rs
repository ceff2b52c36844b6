use std::collections::{HashMap, HashSet};

use taskflow_core::{Follower, UserId};
use tokio::sync::oneshot;

use super::queue::{Inlet, Outlet, queue};
use super::{CloseReason, Message};
use crate::auth::Verified;

/// Connections on this node.
const MOST: usize = 10_000;
/// Connections of one person on this node.
const MOST_OF_ONE: usize = 1_000;

/// Who is connected, and up to where each feed was handed out.
#[derive(Default)]
pub(super) struct ConnectionRegistry {
    people: HashMap<UserId, Person>,
    /// Whose feeds may have grown.
    stale: HashSet<UserId>,
    taken: usize,
    last: u64,
}

#[derive(Default)]
struct Person {
    /// The last sequence that was handed to everybody who follows; `None`: not known yet.
    head: Option<u64>,
    /// Where the feed ended when that was last looked up.
    end: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    token: Verified,
    /// Absent as long as it catches up by itself.
    queue: Option<Inlet>,
    /// Taken when it is told to end.
    end: Option<oneshot::Sender<CloseReason>>,
}

impl ConnectionRegistry {
    /// How many there are.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Lets somebody in, and gives them a number.
    pub(super) fn take(&mut self, token: Verified, end: oneshot::Sender<CloseReason>) -> Result<u64, CloseReason> {
        if self.taken >= MOST {
            return Err(CloseReason::Full);
        }
        let person = self.people.entry(token.user).or_default();
        if person.connections.len() >= MOST_OF_ONE {
            return Err(CloseReason::TooMany);
        }
        self.taken += 1;
        self.last += 1;
        person.connections.insert(self.last, Connection { token, queue: None, end: Some(end) });
        Ok(self.last)
    }

    /// Somebody has left.
    pub(super) fn leave(&mut self, user: UserId, number: u64) {
        let Some(person) = self.people.get_mut(&user) else { return };
        if person.connections.remove(&number).is_some() {
            self.taken -= 1;
        }
        if person.connections.is_empty() {
            self.people.remove(&user);
        }
    }

    /// Another token for a connection.
    pub(super) fn renew(&mut self, number: u64, token: Verified) {
        let connection = self.people.get_mut(&token.user).and_then(|person| person.connections.get_mut(&number));
        if let Some(connection) = connection {
            connection.token = token;
        }
    }

    /// Hands a connection everything after the sequence that is returned, if that one is known already.
    pub(super) fn follow(&mut self, user: UserId, number: u64) -> Option<(Outlet, u64)> {
        let person = self.people.get_mut(&user)?;
        let head = person.head?;
        let (inlet, outlet) = queue();
        person.connections.get_mut(&number)?.queue = Some(inlet);
        Some((outlet, head))
    }

    /// Where the feed of somebody ended when nobody had followed it here; it may have grown since.
    pub(super) fn compare_first(&mut self, user: UserId, head: u64) {
        if let Some(person) = self.people.get_mut(&user) {
            person.head.get_or_insert(head);
            self.stale.insert(user);
        }
    }

    /// Everybody whose feed is followed here.
    pub(super) fn followed(&self) -> Vec<UserId> {
        self.people.iter().filter(|(_, person)| person.head.is_some()).map(|(owner, _)| *owner).collect()
    }

    /// Finds out by their ends which feeds have grown.
    pub(super) fn compare(&mut self, heads: &HashMap<UserId, u64>) {
        for (owner, head) in heads {
            if let Some(person) = self.people.get_mut(owner)
                && person.head.is_some_and(|known| known < *head)
            {
                person.end = *head;
                self.stale.insert(*owner);
            }
        }
    }

    /// The feeds of these people may have grown; whether anybody here follows one of them.
    pub(super) fn mark<'a>(&mut self, owners: impl IntoIterator<Item = &'a UserId>) -> bool {
        let followed = |owner: &&UserId| self.people.get(owner).is_some_and(|person| person.head.is_some());
        let before = self.stale.len();
        self.stale.extend(owners.into_iter().filter(followed));
        self.stale.len() > before
    }

    /// Up to `most` feeds to read, and from where on.
    pub(super) fn stale(&mut self, most: usize) -> Vec<Follower> {
        let owners: Vec<UserId> = self.stale.iter().take(most).copied().collect();
        for owner in &owners {
            self.stale.remove(owner);
        }
        let head = |owner| self.people.get(&owner)?.head.map(|after| Follower { owner, after });
        owners.into_iter().filter_map(head).collect()
    }

    /// Whether there are feeds to read.
    pub(super) fn is_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// Hands out what was read of a feed, in its order, after the ends of feeds were looked up last; `more`: there may be more
    /// to read.
    pub(super) fn advance(
        &mut self,
        Follower { owner, after }: Follower,
        admitted: impl Fn(&Verified) -> bool,
        mut news: Vec<Message>,
        more: bool,
    ) {
        let Some(person) = self.people.get_mut(&owner).filter(|person| person.head == Some(after)) else { return };
        let first = news.first().and_then(|message| message.seq).unwrap_or(person.end + 1);
        if first > after + 1 {
            // What this node has slept through is no longer kept.
            news.insert(0, Message::resync(first - 1));
        }
        let Some(last) = news.last().and_then(|message| message.seq) else { return };
        person.head = Some(last);
        if more {
            self.stale.insert(owner);
        }
        self.hand(owner, admitted, &news);
    }

    /// Hands messages to everybody who follows along for `owner`. For whom too much waits already is handed nothing any more:
    /// they read the feed as fast as they can take it, until they have caught up.
    pub(super) fn hand(&mut self, owner: UserId, admitted: impl Fn(&Verified) -> bool, messages: &[Message]) {
        let Some(person) = self.people.get_mut(&owner) else { return };
        for connection in person.connections.values_mut() {
            let Some(queue) = &connection.queue else { continue };
            if !admitted(&connection.token) {
                connection.end(CloseReason::SignedOut);
                continue;
            }
            if !messages.iter().all(|message| queue.put(message)) {
                connection.queue = None;
            }
        }
    }

    /// Ends the connections of somebody for which there is a reason.
    pub(super) fn end_of(&mut self, user: UserId, why: impl Fn(&Verified) -> Option<CloseReason>) {
        for connection in self.people.get_mut(&user).into_iter().flat_map(|person| person.connections.values_mut()) {
            if let Some(ending) = why(&connection.token) {
                connection.end(ending);
            }
        }
    }

    /// Ends all connections for which there is a reason.
    pub(super) fn end(&mut self, why: impl Fn(&Verified) -> Option<CloseReason>) {
        for connection in self.people.values_mut().flat_map(|person| person.connections.values_mut()) {
            if let Some(ending) = why(&connection.token) {
                connection.end(ending);
            }
        }
    }
}

impl Connection {
    /// It may have left already.
    fn end(&mut self, ending: CloseReason) {
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

    fn token() -> Verified {
        let session = SessionId::from_uuid(Uuid::from_u128(8));
        Verified { user: ada(), session, issued_at: Timestamp::from_micros(0), expires_at: Timestamp::MAX }
    }

    fn message(seq: u64) -> Message {
        Message { seq: Some(seq), topic: None, json: format!("{seq}").into() }
    }

    /// Somebody who follows after `head`.
    fn followed(seats: &mut ConnectionRegistry, head: u64) -> (Outlet, oneshot::Receiver<CloseReason>, u64) {
        let (end, ended) = oneshot::channel();
        let number = seats.take(token(), end).expect("a seat");
        seats.compare_first(ada(), head);
        let (outlet, from) = seats.follow(ada(), number).expect("the end of the feed is known");
        assert_eq!(from, head);
        (outlet, ended, number)
    }

    fn read(seats: &mut ConnectionRegistry, seqs: &[u64]) {
        for follower in seats.stale(10) {
            seats.advance(follower, |_| true, seqs.iter().copied().map(message).collect(), false);
        }
    }

    fn handed(outlet: &mut Outlet) -> Vec<String> {
        std::iter::from_fn(|| outlet.next_now()).map(|message| message.json.to_string()).collect()
    }

    #[test]
    fn what_follows_is_handed_to_everybody_once() {
        let mut seats = ConnectionRegistry::default();
        let (mut one, _one, _) = followed(&mut seats, 3);
        let (mut other, _other, _) = followed(&mut seats, 3);
        read(&mut seats, &[4, 5]);
        assert_eq!(
            (handed(&mut one), handed(&mut other)),
            (vec!["4".into(), "5".into()], vec!["4".into(), "5".into()])
        );
        assert!(!seats.is_stale() && seats.mark(&[ada()]));
        // Read by somebody else in the meantime, or anew: it does not follow any more.
        seats.advance(Follower { owner: ada(), after: 3 }, |_| true, vec![message(4)], false);
        read(&mut seats, &[]);
        assert!(handed(&mut one).is_empty());
        assert_eq!(seats.stale(10), []);
    }

    #[test]
    fn what_was_slept_through_and_is_gone_is_to_be_read_anew() {
        let mut seats = ConnectionRegistry::default();
        let (mut outlet, _ended, _) = followed(&mut seats, 3);
        read(&mut seats, &[7, 8]);
        assert_eq!(handed(&mut outlet), [r#"{"seq":6,"type":"resync"}"#, "7", "8"]);
        // Also when nothing is left that could tell.
        seats.compare(&HashMap::from([(ada(), 12)]));
        read(&mut seats, &[]);
        assert_eq!(handed(&mut outlet), [r#"{"seq":12,"type":"resync"}"#]);
        seats.compare(&HashMap::from([(ada(), 12)]));
        assert!(!seats.is_stale());
    }

    #[test]
    fn whoever_falls_behind_catches_up_alone_and_whoever_is_signed_out_is_told_to_end() {
        let mut seats = ConnectionRegistry::default();
        let (mut slow, mut stays, _) = followed(&mut seats, 0);
        for seq in 1..=256 {
            seats.mark(&[ada()]);
            read(&mut seats, &[seq]);
        }
        let (mut outlet, mut goes_on, number) = followed(&mut seats, 256);
        seats.mark(&[ada()]);
        read(&mut seats, &[257]);
        assert_eq!((handed(&mut slow).len(), handed(&mut outlet)), (256, vec!["257".to_owned()]));
        assert!(slow.is_closed() && stays.try_recv().is_err() && goes_on.try_recv().is_err());
        seats.hand(ada(), |_| false, &[message(258)]);
        assert_eq!((goes_on.try_recv(), handed(&mut outlet)), (Ok(CloseReason::SignedOut), vec![]));
        seats.leave(ada(), number);
        assert_eq!(seats.taken(), 1);
    }

    #[test]
    fn there_are_no_more_seats_than_there_may_be() {
        let mut seats = ConnectionRegistry::default();
        let ends: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| {
                let (end, ended) = oneshot::channel();
                (seats.take(token(), end).expect("a seat"), ended)
            })
            .collect();
        let (end, _ended) = oneshot::channel();
        assert_eq!(seats.take(token(), end), Err(CloseReason::TooMany));
        seats.leave(ada(), ends[0].0);
        let (end, _ended) = oneshot::channel();
        assert!(seats.take(token(), end).is_ok());
        seats.taken = MOST;
        let (end, _ended) = oneshot::channel();
        let bob = Verified { user: UserId::from_uuid(Uuid::from_u128(9)), ..token() };
        assert_eq!(seats.take(bob, end), Err(CloseReason::Full));
    }
}
