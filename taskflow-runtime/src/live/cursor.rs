use std::collections::VecDeque;
use std::sync::Arc;

use taskflow_core::{Actor, Error, FeedPage, UserId};
use tokio::sync::OwnedSemaphorePermit;

use super::queue::Receiver;
use super::{ConnectionGuard, Disconnect, Live, Message, PAGE, PAUSE, SessionClaims, TRIES};

/// Bytes of a page that are kept until the client takes them; at least one message is.
const PAGE_BYTES: usize = 64 * 1024;
/// The room that is kept free for a page before it is read, in kilobytes.
const MOST_KILOBYTES: u32 = 2 * PAGE_BYTES as u32 / 1024;

/// Reads one feed for one connection, from a given sequence or from now on, without gaps and repetitions.
///
/// It catches up page by page until a page is not full, subscribes to new entries, reads what was added in between, and
/// from then on passes on what the registry hands it. When it falls behind it catches up again.
pub struct FeedCursor {
    guard: ConnectionGuard,
    token: SessionClaims,
    /// The last sequence passed on; `None` if the client starts with what is new.
    sent: Option<u64>,
    /// Messages that were read and not passed on yet.
    page: VecDeque<Message>,
    /// The room that the page occupies until the next one is read.
    room: Option<OwnedSemaphorePermit>,
    /// The queue of new entries, and the sequence up to which pages must be read before.
    live: Option<(Receiver, u64)>,
    /// The size of the next page.
    size: u32,
    tries_left: u32,
}

impl FeedCursor {
    /// Creates a cursor for the connection of `guard` that starts after `since`.
    #[must_use]
    pub fn new(guard: ConnectionGuard, token: SessionClaims, since: Option<u64>) -> Self {
        Self { guard, token, sent: since, page: VecDeque::new(), room: None, live: None, size: PAGE, tries_left: TRIES }
    }

    /// Reads the first page, and returns the sequence that the client knows before the first message.
    ///
    /// # Errors
    ///
    /// The reason why the connection must close.
    pub async fn begin(&mut self) -> Result<u64, Disconnect> {
        // The sequence of the client may be of no use any more.
        while !self.catch_up().await? {}
        Ok(self.sent())
    }

    /// Returns the sequence up to which everything was passed on.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.unwrap_or(0)
    }

    /// Waits for the next message. Cancel safe.
    ///
    /// # Errors
    ///
    /// The reason why the connection must close.
    pub async fn next(&mut self) -> Result<Message, Disconnect> {
        loop {
            if let Some(ended) = self.guard.has_ended() {
                return Err(ended);
            }
            if let Some(message) = self.page.pop_front() {
                return Ok(self.pass_on(message));
            }
            let sent = self.sent();
            match &mut self.live {
                Some((messages, from)) if sent >= *from => {
                    let message = tokio::select! {
                        biased;
                        ended = self.guard.ended() => return Err(ended),
                        message = messages.next() => message,
                    };
                    match message {
                        // Too much was waiting: the cursor goes on with pages.
                        None => self.live = None,
                        Some(message) if message.seq.is_some_and(|seq| seq <= sent) => {}
                        Some(message) => return Ok(self.pass_on(message)),
                    }
                }
                _ => {
                    self.catch_up().await?;
                }
            }
        }
    }

    /// Returns the next message if it is here already.
    pub fn next_now(&mut self) -> Option<Message> {
        if let Some(message) = self.page.pop_front() {
            return Some(self.pass_on(message));
        }
        let sent = self.sent();
        let (messages, from) = self.live.as_mut()?;
        if sent < *from {
            return None;
        }
        loop {
            let message = messages.next_now()?;
            if message.seq.is_none_or(|seq| seq > sent) {
                return Some(self.pass_on(message));
            }
        }
    }

    /// Waits until the connection must close, and returns why.
    pub async fn ended(&mut self) -> Disconnect {
        self.guard.ended().await
    }

    /// Goes on with another token of the same person.
    pub fn renew(&mut self, token: SessionClaims) {
        self.guard.renew(token);
        self.token = token;
    }

    fn pass_on(&mut self, message: Message) -> Message {
        if message.seq.is_some() {
            self.sent = message.seq;
        }
        message
    }

    /// Reads a page or subscribes to new entries. Returns whether that succeeded.
    async fn catch_up(&mut self) -> Result<bool, Disconnect> {
        self.room = None;
        let found = match self.guard.live.admits(&self.token) {
            Ok(()) => self.find().await?,
            // Nobody can tell for now, for example right after a machine was suspended.
            Err(Disconnect::Unavailable) => None,
            Err(ended) => return Err(ended),
        };
        let Some(Found { anew, messages, size, live, room }) = found else { return self.wait().await };
        self.tries_left = TRIES;
        self.size = size;
        self.room = room;
        if let Some((_, from)) = &live
            && (anew || self.sent.is_none())
        {
            self.page.extend(anew.then(|| self.guard.live.encoder.resync_message(*from)));
            self.sent = Some(*from);
        }
        self.page.extend(messages);
        self.live = live.or_else(|| self.live.take());
        Ok(true)
    }

    /// Returns `None` if the store has failed.
    async fn find(&mut self) -> Result<Option<Found>, Disconnect> {
        let live = Arc::clone(&self.guard.live);
        let found = find(live, self.guard.user, self.guard.number, self.sent, self.size, self.live.is_some());
        let found = tokio::select! {
            biased;
            ended = self.guard.ended() => return Err(ended),
            found = found => found,
        };
        let failed = |error| tracing::debug!(error = &error as &dyn std::error::Error, "a feed cannot be read");
        Ok(found.map_err(failed).ok())
    }

    /// Waits before the next try, if there is one.
    async fn wait(&mut self) -> Result<bool, Disconnect> {
        self.tries_left -= 1;
        if self.tries_left == 0 {
            return Err(Disconnect::Unavailable);
        }
        tokio::select! {
            ended = self.guard.ended() => Err(ended),
            () = tokio::time::sleep(PAUSE) => Ok(false),
        }
    }
}

/// The result of reading the feed.
struct Found {
    /// The entries after the client's sequence are no longer kept.
    anew: bool,
    messages: Vec<Message>,
    /// The size of the next page: about as many entries as are kept of this one.
    size: u32,
    live: Option<(Receiver, u64)>,
    room: Option<OwnedSemaphorePermit>,
}

async fn find(
    live: Arc<Live>,
    user: UserId,
    number: u64,
    sent: Option<u64>,
    size: u32,
    followed: bool,
) -> Result<Found, Error> {
    // Clients that take nothing keep their pages: in sum there is only so much for the connections of one person.
    let room = live.registry().pages_room(user);
    let mut room = match room {
        Some(room) => room.acquire_many_owned(MOST_KILOBYTES).await.ok(),
        None => None,
    };
    let _turn = live.catching_up.acquire().await;
    let page = match sent {
        Some(sent) => live.app.feed().page(Actor::User(user), Some(sent), size).await?,
        None => FeedPage::Entries { entries: Vec::new(), head: 0 },
    };
    let (anew, entries) = match page {
        FeedPage::Entries { entries, .. } => (false, entries),
        FeedPage::Resync { .. } => (true, Vec::new()),
    };
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for entry in entries.iter() {
        if bytes > PAGE_BYTES {
            break;
        }
        let message = live.encoder.entry_message(entry);
        bytes += message.text.len();
        messages.push(message);
    }
    let (kept, all) = (messages.len(), messages.len() == entries.len());
    let reached = all && entries.len() < size as usize;
    let size = if all { PAGE.min(2 * size) } else { u32::try_from(kept).unwrap_or(PAGE) };
    let live = if anew || (reached && !followed) { Some(live.follow(user, number).await?) } else { None };
    let spare = (MOST_KILOBYTES as usize).saturating_sub(bytes.div_ceil(1024));
    drop(room.as_mut().and_then(|room| room.split(spare)));
    Ok(Found { anew, messages, size, live, room })
}
