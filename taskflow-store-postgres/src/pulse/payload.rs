//! Payload of a notification: JSON that nodes of other versions can read, or can recognize as unreadable.
//!
//! `{"v": 1, "from": …, "ended": true, "feeds": [owner…], "reminded": [{"user", "task" | "meeting", "at"}…], "all":
//! true}`. Each member but `v` and `from` may be absent. Ids have 32 hexadecimal digits. Members may be added within a
//! version if ignoring them does no harm. A node that receives another version reads the store instead.
//!
//! Anyone who may connect to the database can send anything here, so no payload is trusted. It is a reason to read the
//! store or, for reminders, a hint that nothing depends on.

use serde::{Deserialize, Serialize};
use taskflow_core::ports::{ReminderSent, Signal};
use taskflow_core::{Entity, MeetingId, TaskId, Timestamp, UserId};
use uuid::Uuid;
use uuid::fmt::Simple;

use super::news::News;

const VERSION: u32 = 1;

/// PostgreSQL takes fewer bytes than this in one payload.
#[cfg(test)]
const TOO_LONG: usize = 8000;
/// The most owners in one payload, 35 bytes each.
const OWNERS: usize = 200;
/// Reminders in one payload: up to 127 bytes each. More of them are not passed on.
const REMINDERS: usize = 60;

#[derive(Serialize, Deserialize)]
struct Payload {
    v: u32,
    from: Simple,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feeds: Vec<Simple>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reminded: Vec<Reminded>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all: bool,
}

#[derive(Serialize, Deserialize)]
struct Reminded {
    user: Simple,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<Simple>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meeting: Option<Simple>,
    at: Timestamp,
}

/// Returns the notifications from the node `own` to the others, in as few payloads as possible.
pub(super) fn payloads(own: Uuid, news: &News) -> Result<Vec<String>, serde_json::Error> {
    let blank = || Payload {
        v: VERSION,
        from: own.simple(),
        ended: false,
        feeds: Vec::new(),
        reminded: Vec::new(),
        all: false,
    };
    let owners: Vec<Simple> = news.owners.iter().map(|owner| owner.as_uuid().simple()).collect();
    let feeds = owners.chunks(OWNERS).map(|owners| Payload { feeds: owners.to_vec(), ..blank() });
    let reminded = news.reminders.chunks(REMINDERS);
    let reminded = reminded.map(|sent| Payload { reminded: sent.iter().filter_map(Reminded::of).collect(), ..blank() });
    // Sessions first: nobody shall be shown anything more.
    let ended = news.ended.then(|| Payload { ended: true, ..blank() });
    let all = news.everything.then(|| Payload { all: true, ..blank() });
    let payloads = ended.into_iter().chain(feeds).chain(reminded).chain(all);
    payloads.map(|payload| serde_json::to_string(&payload)).collect()
}

/// Returns the signals that a payload carries for the node `own`; none if that node sent it.
pub(super) fn signals(own: Uuid, payload: &str) -> Vec<Signal> {
    let payload = match serde_json::from_str::<Payload>(payload) {
        Ok(payload) if payload.from == own.simple() => return Vec::new(),
        Ok(payload) if payload.v == VERSION => payload,
        Ok(_) | Err(_) => return vec![Signal::Missed],
    };
    let owners: Vec<UserId> = payload.feeds.iter().map(|owner| UserId::from_uuid(*owner.as_uuid())).collect();
    let ended = payload.ended.then_some(Signal::SessionsEndedElsewhere);
    let grew = (!owners.is_empty()).then_some(Signal::FeedsGrew(owners));
    let reminded = payload.reminded.iter().take(REMINDERS).filter_map(Reminded::signal);
    ended.into_iter().chain(grew).chain(reminded).chain(payload.all.then_some(Signal::Missed)).collect()
}

impl Reminded {
    /// `None`: of something that this build has no word for.
    fn of(reminder: &ReminderSent) -> Option<Self> {
        let (task, meeting) = match reminder.about {
            Entity::Task(task) => (Some(task.as_uuid().simple()), None),
            Entity::Meeting(meeting) => (None, Some(meeting.as_uuid().simple())),
            _ => return None,
        };
        Some(Self { user: reminder.user.as_uuid().simple(), task, meeting, at: reminder.at })
    }

    /// `None`: of something that this build does not know.
    fn signal(&self) -> Option<Signal> {
        let task = self.task.map(|task| Entity::Task(TaskId::from_uuid(task.into_uuid())));
        let meeting = self.meeting.map(|meeting| Entity::Meeting(MeetingId::from_uuid(meeting.into_uuid())));
        let user = UserId::from_uuid(self.user.into_uuid());
        Some(Signal::ReminderSent(ReminderSent { user, about: task.or(meeting)?, at: self.at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn user(n: usize) -> UserId {
        UserId::from_uuid(Uuid::from_u128(u128::MAX - n as u128))
    }

    fn full() -> News {
        let at = Timestamp::MAX;
        let id = Uuid::from_u128(u128::MAX);
        News {
            owners: (0..4096).map(user).collect(),
            ended: true,
            reminders: (0..1024)
                .map(|n| ReminderSent { user: user(n), about: Entity::Meeting(MeetingId::from_uuid(id)), at })
                .collect(),
            everything: true,
        }
    }

    #[test]
    fn as_much_as_there_can_be_arrives_whole_in_payloads_that_postgresql_takes() {
        let news = full();
        let payloads = payloads(OTHER, &news).expect("JSON");
        assert_eq!(payloads.len(), 1 + 21 + 18 + 1);
        let longest = payloads.iter().map(String::len).max();
        assert!(longest.is_some_and(|longest| longest < TOO_LONG), "{longest:?}");
        let (mut ended, mut owners, mut reminders, mut missed) = (0, Vec::new(), Vec::new(), 0);
        for signal in payloads.iter().flat_map(|payload| signals(OWN, payload)) {
            match signal {
                Signal::FeedsGrew(grew) => owners.extend(grew),
                Signal::SessionsEndedElsewhere => ended += 1,
                Signal::ReminderSent(reminder) => reminders.push(reminder),
                Signal::Missed => missed += 1,
                other => panic!("{other:?} stays on its node"),
            }
        }
        assert_eq!(owners.len(), news.owners.len());
        assert_eq!(owners.into_iter().collect::<std::collections::HashSet<_>>(), news.owners);
        assert_eq!((ended, reminders, missed), (1, news.reminders, 1));
    }

    #[test]
    fn what_it_said_itself_is_nothing_new() {
        for payload in payloads(OWN, &full()).expect("JSON") {
            assert!(signals(OWN, &payload).is_empty());
        }
        assert!(payloads(OWN, &News::default()).expect("JSON").is_empty());
    }

    #[test]
    fn whose_sessions_ended_is_not_believed_and_reminders_are_not_without_number() {
        let from = OTHER.simple();
        let ended = format!(
            r#"{{"v":1,"from":"{from}","ended":[{{"user":"{from}","only":"{from}","at":"2026-11-23T07:00:00Z"}}]}}"#
        );
        assert!(matches!(signals(OWN, &ended)[..], [Signal::Missed]));
        let reminder = format!(r#"{{"user":"{from}","task":"{from}","at":"2026-11-23T07:00:00Z"}}"#);
        let many = vec![reminder; 10 * REMINDERS].join(",");
        let many = format!(r#"{{"v":1,"from":"{from}","reminded":[{many}]}}"#);
        assert_eq!(signals(OWN, &many).len(), REMINDERS);
    }

    #[test]
    fn what_is_unknown_is_ignored_within_a_version_and_otherwise_a_reason_to_look() {
        let from = OTHER.simple();
        let later = format!(
            r#"{{"v":1,"from":"{from}","feeds":["{from}"],"reminded":[{{"user":"{from}","note":"{from}","at":"2026-11-23T07:00:00Z"}}],"more":[1]}}"#
        );
        assert!(matches!(&signals(OWN, &later)[..], [Signal::FeedsGrew(owners)] if owners.len() == 1));
        let another = format!(r#"{{"v":2,"from":"{from}"}}"#);
        let wrong = format!(r#"{{"v":1,"from":"{from}","feeds":["x"]}}"#);
        for unreadable in ["", "{}", "null", "hello", &another, &wrong] {
            assert!(matches!(signals(OWN, unreadable)[..], [Signal::Missed]), "{unreadable}");
        }
    }
}
