//! What a person's screens follow: everything that happened to what is theirs, in one order without gaps.

use crate::{Event, UserId};

/// One event in the feed of one person. Sequences begin at 1 and have no gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Its place in the feed.
    pub seq: u64,
    /// What was committed.
    pub event: Event,
}

/// Where somebody stands who follows a feed: what came up to this sequence is known to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    /// Whose feed.
    pub owner: UserId,
    /// The last sequence they know; 0: none.
    pub after: u64,
}

/// What a follower is told next.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedPage {
    /// What comes right after what they know, in order; empty: they know everything.
    Entries {
        /// In order, without a gap.
        entries: Vec<FeedEntry>,
        /// The end of the feed when it was read, or a later one: there is more while it lies ahead of the last entry.
        head: u64,
    },
    /// What follows is no longer kept, or they claim to know what never was: they read everything anew and go on after
    /// `head`.
    Resync {
        /// The end of the feed when it was read.
        head: u64,
    },
}

impl FeedPage {
    /// What follows `after`, of a feed that ended at `head` before `entries` behind `after` were read from it.
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
