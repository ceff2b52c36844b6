//! The feed of a user: every event that concerns them, in one sequence without gaps.

use crate::{Event, UserId};

/// One event in the feed of a user. Sequences begin at 1 and have no gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Its place in the feed.
    pub seq: u64,
    /// The committed event.
    pub event: Event,
}

/// The position of a client that follows a feed: it knows every entry up to this sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    /// The user whose feed is followed.
    pub owner: UserId,
    /// The last sequence they know; 0: none.
    pub after: u64,
}

/// The next page for a follower.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedPage {
    /// The entries right after the follower's position, in order; empty if it knows everything.
    Entries {
        /// The entries in order, without a gap.
        entries: Vec<FeedEntry>,
        /// The end of the feed when it was read, or a later one: there is more while it lies ahead of the last entry.
        head: u64,
    },
    /// The next entries are no longer kept, or the follower claims a position that never existed. The follower reads
    /// everything again and continues after `head`.
    Resync {
        /// The end of the feed when it was read.
        head: u64,
    },
}

impl FeedPage {
    /// Returns the page after `after` of a feed that ended at `head` before `entries` were read from it.
    #[must_use]
    pub fn after(after: u64, head: u64, entries: Vec<FeedEntry>) -> Self {
        match entries.first() {
            Some(first) if first.seq != after + 1 => Self::Resync { head: last(&entries).max(head) },
            None if after != head => Self::Resync { head },
            _ => Self::Entries { head: last(&entries).max(head), entries },
        }
    }
}

fn last(entries: &[FeedEntry]) -> u64 {
    entries.last().map_or(0, |entry| entry.seq)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::{Entity, EventId, EventKind, TaskId, Timestamp};

    fn entries(seqs: impl IntoIterator<Item = u64>) -> Vec<FeedEntry> {
        let event = Event {
            id: EventId::from_uuid(Uuid::nil()),
            at: Timestamp::from_micros(0),
            actor: None,
            entity: Entity::Task(TaskId::from_uuid(Uuid::nil())),
            kind: EventKind::TaskCreated,
            data: Value::Null,
        };
        seqs.into_iter().map(|seq| FeedEntry { seq, event: event.clone() }).collect()
    }

    #[test]
    fn what_follows_is_told_without_a_gap() {
        for (after, head, seqs, end) in
            [(0, 0, 0..0, 0), (0, 2, 1..3, 2), (5, 9, 6..8, 9), (9, 9, 0..0, 9), (4, 5, 5..8, 7)]
        {
            let page = FeedPage::after(after, head, entries(seqs.clone()));
            assert_eq!(page, FeedPage::Entries { entries: entries(seqs), head: end }, "{after} of {head}");
        }
    }

    #[test]
    fn whoever_missed_what_is_gone_begins_anew() {
        for (after, head, seqs, end) in [(0, 9, 4..10, 9), (3, 9, 0..0, 9), (10, 9, 0..0, 9), (2, 3, 5..7, 6)] {
            assert_eq!(
                FeedPage::after(after, head, entries(seqs)),
                FeedPage::Resync { head: end },
                "{after} of {head}"
            );
        }
    }
}
