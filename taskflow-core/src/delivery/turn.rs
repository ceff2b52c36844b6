//! The order in which what is due leaves: by class, and within a class fairly between those who caused it.
//!
//! Deliveries that one account causes and that are due in one minute take turns (start-time fair queuing): the k-th is in lap
//! `log2(k)`. A claim takes lap after lap, each in the order of due times. So the first delivery of anybody leaves before the
//! second of anybody else, and whoever causes thousands waits for themselves. What nobody caused, such as the service's own
//! digests, is in the first lap.

use std::collections::{BTreeSet, HashMap};

use crate::{ChannelKind, Priority, Timestamp, UserId};

/// The classes of what is due, first to last. What the clock makes due never waits for what somebody causes by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryClass {
    /// Accounts and alerts.
    Security,
    /// Reminders of meetings and tasks that have come due.
    Reminder,
    /// Summaries.
    Summary,
    /// What somebody causes by hand: invitations, changes, reminders sent by hand and letters.
    ByHand,
}

impl DeliveryClass {
    /// Returns the class of a notice by its priority, and by whether the clock makes it due or somebody by hand.
    #[must_use]
    pub fn of(priority: Priority, is_by_hand: bool) -> Self {
        match priority {
            Priority::Security => Self::Security,
            _ if is_by_hand => Self::ByHand,
            Priority::Meeting | Priority::Task => Self::Reminder,
            Priority::Digest => Self::Summary,
        }
    }

    /// Returns what stores keep as its priority among mail. A process of an earlier release goes by that alone.
    fn priority(self) -> i16 {
        match self {
            Self::Security => 0,
            Self::Reminder => 1,
            Self::Summary | Self::ByHand => 3,
        }
    }

    /// Returns its first lap as stores keep it.
    fn first_lap(self) -> i16 {
        match self {
            Self::Security | Self::Reminder | Self::Summary => 0,
            Self::ByHand => LAPS,
        }
    }
}

/// Laps of a class. In the last one is whatever comes after the 32,767th.
const LAPS: i16 = 16;

/// Laps of accounts and alerts that leave before reminders: 15 mails a minute and causer.
const URGENT_LAPS: i16 = 4;

/// A place in the order in which what is due on a channel leaves, as stores keep it: each is one range of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// The priority of the class. Those of mail are 0 to 3; those of other channels come behind them, 4 to 7, so that a claim of
    /// mail never reads past deliveries of other channels.
    pub priority: i16,
    /// The lap, 0 to 31.
    pub lap: i16,
}

impl Rank {
    /// Returns the rank of a class on a channel in this turn; without one it is the first lap.
    #[must_use]
    pub fn new(channel: ChannelKind, class: DeliveryClass, turn: Option<Turn>) -> Self {
        let lap = turn.map_or(class.first_lap(), |turn| turn.lap);
        Self { priority: channel.rank(class.priority()), lap }
    }

    /// Returns the ranks of a channel in the order in which they leave.
    ///
    /// The priority 2 is of rows that a process of an earlier release planned: reminders of tasks. Everything that it planned is
    /// in the first lap.
    #[must_use]
    pub fn in_order(channel: ChannelKind) -> Vec<Self> {
        let of = |class: DeliveryClass, laps: std::ops::Range<i16>| {
            laps.map(move |lap| Self { priority: class.priority(), lap: class.first_lap() + lap })
        };
        let (urgent, other) =
            (of(DeliveryClass::Security, 0..URGENT_LAPS), of(DeliveryClass::Security, URGENT_LAPS..LAPS));
        let reminders = of(DeliveryClass::Reminder, 0..1)
            .chain([Self { priority: 2, lap: 0 }])
            .chain(of(DeliveryClass::Reminder, 1..LAPS));
        let mail = urgent
            .chain(reminders)
            .chain(other)
            .chain(of(DeliveryClass::Summary, 0..LAPS))
            .chain(of(DeliveryClass::ByHand, 0..LAPS));
        mail.map(|rank| Self { priority: channel.rank(rank.priority), ..rank }).collect()
    }
}

/// Deliveries that take turns: those of one causer in one class that are due in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnGroup {
    /// The account that caused them.
    pub causer: UserId,
    /// The stored priority of the class.
    pub priority: i16,
    /// The first lap of the class.
    first_lap: i16,
    /// The beginning of the minute: the first turn.
    pub begins: Timestamp,
}

const MINUTE: i64 = 60_000_000;

impl TurnGroup {
    /// Returns the group of a delivery on a channel that is due at `next_at`.
    #[must_use]
    pub fn new(causer: UserId, channel: ChannelKind, class: DeliveryClass, next_at: Timestamp) -> Self {
        let begins = Timestamp::from_micros(next_at.as_micros().div_euclid(MINUTE) * MINUTE);
        Self { causer, priority: channel.rank(class.priority()), first_lap: class.first_lap(), begins }
    }

    /// Returns the group of a stored delivery whose next attempt has moved.
    #[must_use]
    pub fn of_stored(causer: UserId, rank: Rank, next_at: Timestamp) -> Self {
        let begins = Timestamp::from_micros(next_at.as_micros().div_euclid(MINUTE) * MINUTE);
        let first_lap = if rank.lap < LAPS { 0 } else { LAPS };
        Self { causer, priority: rank.priority, first_lap, begins }
    }

    /// Returns the end of the minute: no turn is as late.
    #[must_use]
    pub fn ends(self) -> Timestamp {
        Timestamp::from_micros(self.begins.as_micros() + MINUTE)
    }
}

/// The turn of a delivery in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its virtual start time: a microsecond of the minute for each one before it.
    pub at: Timestamp,
    /// The lap that it leaves in.
    pub lap: i16,
}

/// Hands out turns. A store tells it the last turn of each group that is scheduled, which is one look into an index.
///
/// Two commits of one account at the same time may hand out the same turns. That is a lap at most a few lower, and neither
/// waits for the other.
#[derive(Debug, Default)]
pub struct Turns {
    taken: HashMap<TurnGroup, i64>,
}

impl Turns {
    /// Returns the groups to look up for some deliveries, each once.
    #[must_use]
    pub fn groups(of: impl IntoIterator<Item = TurnGroup>) -> Vec<TurnGroup> {
        of.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Hands out turns behind the last one of each group.
    #[must_use]
    pub fn behind(last: impl IntoIterator<Item = (TurnGroup, Timestamp)>) -> Self {
        let taken = |(group, last): (TurnGroup, Timestamp)| {
            let taken = last.as_micros() - group.begins.as_micros() + 1;
            (group, taken)
        };
        Self { taken: last.into_iter().map(taken).collect() }
    }

    /// Returns the next turn of a group.
    pub fn take(&mut self, group: TurnGroup) -> Turn {
        let taken = self.taken.entry(group).or_default();
        let before = (*taken).clamp(0, MINUTE - 1);
        *taken = before + 1;
        let lap = i16::try_from((before + 1).ilog2()).unwrap_or(LAPS).min(LAPS - 1);
        Turn { at: Timestamp::from_micros(group.begins.as_micros() + before), lap: group.first_lap + lap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(user: u128, class: DeliveryClass, at: i64) -> TurnGroup {
        let causer = UserId::from_uuid(uuid::Uuid::from_u128(user));
        TurnGroup::new(causer, ChannelKind::MAIL, class, Timestamp::from_micros(at))
    }

    #[test]
    fn each_lap_has_room_for_twice_as_many_as_the_one_before() {
        let (mut turns, group) = (Turns::default(), group(1, DeliveryClass::Reminder, 61_000_000));
        let laps: Vec<_> = (0..9).map(|_| turns.take(group).lap).collect();
        assert_eq!(laps, [0, 1, 1, 2, 2, 2, 2, 3, 3]);
        assert_eq!(turns.take(group).at, Timestamp::from_micros(60_000_009));
    }

    #[test]
    fn turns_go_on_behind_the_last_one_of_their_group() {
        let (mine, other) = (group(1, DeliveryClass::ByHand, 0), group(2, DeliveryClass::ByHand, 0));
        let mut turns = Turns::behind([(mine, Timestamp::from_micros(4_999))]);
        assert_eq!(turns.take(mine), Turn { at: Timestamp::from_micros(5_000), lap: 16 + 12 });
        assert_eq!(turns.take(other), Turn { at: Timestamp::from_micros(0), lap: 16 });
        let mut turns = Turns::behind([(mine, Timestamp::from_micros(MINUTE - 1))]);
        assert_eq!(turns.take(mine), Turn { at: Timestamp::from_micros(MINUTE - 1), lap: 31 });
    }

    #[test]
    fn each_rank_has_one_place_and_the_clock_comes_before_the_hand() {
        let push = ChannelKind::new("push");
        for channel in [ChannelKind::MAIL, push] {
            let order = Rank::in_order(channel);
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len());
            let place = |class: DeliveryClass, lap: i16| {
                let priority = channel.rank(class.priority());
                order.iter().position(|rank| *rank == Rank { priority, lap: class.first_lap() + lap }).expect("a place")
            };
            assert!(place(DeliveryClass::Security, 0) < place(DeliveryClass::Reminder, 0));
            assert!(place(DeliveryClass::Reminder, 15) < place(DeliveryClass::Security, 4));
            assert!(place(DeliveryClass::Reminder, 15) < place(DeliveryClass::Summary, 0));
            assert!(place(DeliveryClass::Summary, 15) < place(DeliveryClass::ByHand, 0));
        }
        let priorities: BTreeSet<_> = Rank::in_order(push).iter().map(|rank| rank.priority).collect();
        assert_eq!(priorities, BTreeSet::from([4, 5, 6, 7]));
    }
}
