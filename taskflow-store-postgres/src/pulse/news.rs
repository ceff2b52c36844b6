//! Updates that other nodes have yet to be notified of, in bounded memory.

use std::collections::HashSet;

use taskflow_core::UserId;
use taskflow_core::ports::{ReminderSent, Signal};

/// The most owners that are remembered by name.
const OWNERS: usize = 4096;
/// Reminders that are remembered.
const REMINDERS: usize = 1024;

/// Updates that other nodes have yet to be notified of.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Owners whose feeds have grown.
    pub(super) owners: HashSet<UserId>,
    /// Sessions have ended. Whose is not said: nobody would believe it.
    pub(super) ended: bool,
    /// Reminders that were sent. Those beyond the limit are dropped: nobody can look them up, and nothing depends on
    /// them.
    pub(super) reminders: Vec<ReminderSent>,
    /// More has happened than was remembered: they shall look for themselves.
    pub(super) everything: bool,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.owners.is_empty() && !self.ended && self.reminders.is_empty() && !self.everything
    }

    /// Remembers what others must know of a signal.
    pub(super) fn note(&mut self, signal: &Signal) {
        match signal {
            Signal::Announced(announcement) => self.grew(announcement.audience.iter().copied()),
            Signal::SessionsEnded { .. } => self.ended = true,
            Signal::ReminderSent(reminder) => self.reminded(*reminder),
            // Other nodes say themselves what happened there; the rest concerns this node only.
            _ => {}
        }
    }

    /// Remembers again what could not be told, as far as there is room beside what has come since.
    pub(super) fn put_back(&mut self, untold: Self) {
        let newer = std::mem::replace(self, untold);
        self.everything |= newer.everything;
        self.ended |= newer.ended;
        self.grew(newer.owners);
        newer.reminders.into_iter().for_each(|reminder| self.reminded(reminder));
        if self.everything {
            self.owners = HashSet::new();
        }
    }

    fn grew(&mut self, owners: impl IntoIterator<Item = UserId>) {
        for owner in owners {
            if self.everything {
                return;
            }
            self.owners.insert(owner);
            if self.owners.len() > OWNERS {
                self.everything = true;
                self.owners = HashSet::new();
            }
        }
    }

    fn reminded(&mut self, reminder: ReminderSent) {
        if self.reminders.len() < REMINDERS {
            self.reminders.push(reminder);
        }
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::{Entity, TaskId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn people(range: std::ops::Range<usize>) -> impl Iterator<Item = UserId> {
        range.map(|n| UserId::from_uuid(Uuid::from_u128(n as u128)))
    }

    fn ended(user: UserId) -> Signal {
        Signal::SessionsEnded { user, only: None, at: Timestamp::from_micros(0) }
    }

    fn reminder(user: UserId) -> ReminderSent {
        ReminderSent { user, about: Entity::Task(TaskId::from_uuid(Uuid::nil())), at: Timestamp::from_micros(0) }
    }

    #[test]
    fn an_owner_is_remembered_once_and_too_many_become_everything() {
        let mut news = News::default();
        assert!(news.is_empty());
        news.grew(people(0..OWNERS).chain(people(0..OWNERS)));
        assert_eq!((news.owners.len(), news.everything), (OWNERS, false));
        news.grew(people(OWNERS..OWNERS + 50_000));
        assert_eq!((news.owners.capacity(), news.everything), (0, true));
        news.grew(people(0..1));
        assert!(news.owners.is_empty());
    }

    #[test]
    fn of_sessions_is_only_told_that_some_have_ended_and_reminders_beyond_a_number_are_dropped() {
        let mut news = News::default();
        people(0..2 * REMINDERS).for_each(|user| news.reminded(reminder(user)));
        assert_eq!((news.reminders.len(), news.ended, news.everything), (REMINDERS, false, false));
        people(0..10_000).for_each(|user| news.note(&ended(user)));
        assert_eq!((news.ended, news.everything), (true, false));
        let mut news = News::default();
        news.note(&Signal::SessionsEndedElsewhere);
        assert!(news.is_empty(), "others said so themselves");
    }

    #[test]
    fn what_could_not_be_told_comes_back_beside_what_is_new() {
        let mut untold = News::default();
        untold.grew(people(0..2));
        untold.note(&ended(UserId::from_uuid(Uuid::nil())));
        let mut news = News::default();
        news.grew(people(1..4));
        news.put_back(untold);
        assert_eq!((news.owners.len(), news.ended, news.everything), (4, true, false));
        let everything = News { everything: true, ..News::default() };
        news.put_back(everything);
        assert_eq!((news.owners.len(), news.ended, news.everything), (0, true, true));
        let mut named = News::default();
        named.grew(people(0..2));
        named.put_back(News { owners: people(0..OWNERS).collect(), ..News::default() });
        assert_eq!((named.owners.len(), named.everything), (OWNERS, false));
        named.put_back(News { owners: people(OWNERS..OWNERS + 1).collect(), ..News::default() });
        assert!(named.everything);
    }
}
