use std::collections::VecDeque;
use std::sync::Arc;

use taskflow_core::{Actor, Error, FeedPage, UserId};

use super::queue::Outlet;
use super::{CloseReason, ConnectionGuard, Live, Message, PAGE, PAUSE, TRIES};
use crate::auth::Verified;

/// Bytes of a page that are kept while the client takes them, but one message at least.
const PAGE_BYTES: usize = 64 * 1024;
/// Reads one feed for one connection: from where the client has stopped, or from now on, without a gap and without saying
/// anything twice.
///
/// It catches up page by page until a page is not full, then asks to be handed what comes, reads what came between, and
/// from then on passes on what it is handed. Falls it behind, it catches up again.
pub(crate) struct Reader {
    seat: ConnectionGuard,
    token: Verified,
    /// Everything up to here was passed on; `None`: the client begins with what is new.
    sent: Option<u64>,
    /// Read and not passed on.
    page: VecDeque<Message>,
    /// What is handed over, and up to where it must be read before.
    live: Option<(Outlet, u64)>,
    /// Entries to ask for next.
    size: u32,
    tries_left: u32,
}

impl Reader {
    /// Reads for `seat` what follows `since`.
    pub(crate) fn new(seat: ConnectionGuard, token: Verified, since: Option<u64>) -> Self {
        Self { seat, token, sent: since, page: VecDeque::new(), live: None, size: PAGE, tries_left: TRIES }
    }

    /// Where the client stands before the first message.
    pub(crate) async fn begin(&mut self) -> Result<u64, CloseReason> {
        // What they claim to know may be of no use.
        while !self.catch_up().await? {}
        Ok(self.sent())
    }

    /// The sequence up to which everything was passed on.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.unwrap_or(0)
    }

    /// What comes next. May be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Result<Message, CloseReason> {
        loop {
            if let Some(ended) = self.seat.has_ended() {
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
                        ended = self.seat.ended() => return Err(ended),
                        message = messages.next() => message,
                    };
                    match message {
                        // Too much was waiting: it goes on by itself.
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

    /// What comes next, if it is here already.
    pub(crate) fn next_now(&mut self) -> Option<Message> {
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

    /// Why the conversation must end, once it must.
    pub(crate) async fn ended(&mut self) -> CloseReason {
        self.seat.ended().await
    }

    /// Goes on with another token.
    pub(crate) fn renew(&mut self, token: Verified) {
        self.seat.renew(token);
        self.token = token;
    }

    fn pass_on(&mut self, message: Message) -> Message {
        if message.seq.is_some() {
            self.sent = message.seq;
        }
        message
    }

    /// Reads a page, or asks to be handed what comes; whether that could be done.
    async fn catch_up(&mut self) -> Result<bool, CloseReason> {
        let found = match self.seat.live.admits(&self.token) {
            Ok(()) => self.find().await?,
            // Nobody can tell for the moment, as when a machine has just woken up.
            Err(CloseReason::Unavailable) => None,
            Err(ended) => return Err(ended),
        };
        let Some(Found { anew, messages, size, live }) = found else { return self.wait().await };
        self.tries_left = TRIES;
        self.size = size;
        if let Some((_, from)) = &live
            && (anew || self.sent.is_none())
        {
            self.page.extend(anew.then(|| Message::resync(*from)));
            self.sent = Some(*from);
        }
        self.page.extend(messages);
        self.live = live.or_else(|| self.live.take());
        Ok(true)
    }

    /// `None`: the store has failed.
    async fn find(&mut self) -> Result<Option<Found>, CloseReason> {
        let live = Arc::clone(&self.seat.live);
        let found = find(live, self.seat.user, self.seat.number, self.sent, self.size, self.live.is_some());
        let found = tokio::select! {
            biased;
            ended = self.seat.ended() => return Err(ended),
            found = found => found,
        };
        let failed = |error| tracing::debug!(error = &error as &dyn std::error::Error, "a feed cannot be read");
        Ok(found.map_err(failed).ok())
    }

    /// Before the next try, if there is one.
    async fn wait(&mut self) -> Result<bool, CloseReason> {
        self.tries_left -= 1;
        if self.tries_left == 0 {
            return Err(CloseReason::Unavailable);
        }
        tokio::select! {
            ended = self.seat.ended() => Err(ended),
            () = tokio::time::sleep(PAUSE) => Ok(false),
        }
    }
}

/// What a look at the feed has brought.
struct Found {
    /// What the client knows is of no use any more.
    anew: bool,
    messages: Vec<Message>,
    /// Entries to ask for next: about as many as are kept.
    size: u32,
    live: Option<(Outlet, u64)>,
}

async fn find(
    live: Arc<Live>,
    user: UserId,
    number: u64,
    sent: Option<u64>,
    size: u32,
    followed: bool,
) -> Result<Found, Error> {
    let _turn = live.catching_up.acquire().await;
    let page = match sent {
        Some(sent) => live.app.feed(Actor::User(user), Some(sent), size).await?,
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
        let message = Message::entry(entry);
        bytes += message.json.len();
        messages.push(message);
    }
    let (kept, all) = (messages.len(), messages.len() == entries.len());
    let reached = all && entries.len() < size as usize;
    let size = if all { PAGE.min(2 * size) } else { u32::try_from(kept).unwrap_or(PAGE) };
    let live = if anew || (reached && !followed) { Some(live.follow(user, number).await?) } else { None };
    Ok(Found { anew, messages, size, live })
}
