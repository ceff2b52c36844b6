//! Accounts in several time zones with a summary time each, and the mail that they should get.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::query_as;
use taskflow_core::ports::{Clock, Ids, RandomIds, Storage, SystemClock};
use taskflow_core::{
    Changes, JobName, JobRun, LocalMinute, NewTask, NewUser, Preferences, Task, TaskId, TaskWrite, Timestamp, Trigger,
    User, UserId, UserWrite, Zone,
};

use crate::cluster::Database;

/// Time for which the claims of a dead node last.
pub const LEASE: Duration = Duration::from_secs(3);
/// Accounts that are inserted by one commit.
const COMMIT: usize = 500;

/// An account with a time zone and a summary time.
#[derive(Debug, Clone)]
pub struct ZonedAccount {
    id: UserId,
    zone: Zone,
    summary_at: LocalMinute,
    /// Has a task that is never done, so that there is something to say every day.
    busy: bool,
}

/// A mail that somebody should get: when it is due, by its key.
pub type Expected = BTreeMap<String, Timestamp>;

impl ZonedAccount {
    /// Describes an account in `zone` whose daily summary is due at `summary_at`, local time.
    pub fn of(zone: &str, summary_at: &str, busy: bool) -> Self {
        let id = UserId::from_uuid(RandomIds::new().next(SystemClock::new().now()));
        let (zone, summary_at) = (zone.parse().expect("a zone"), summary_at.parse().expect("a time of day"));
        Self { id, zone, summary_at, busy }
    }

    /// Returns whether the local clock reaches the user's minute after `since` and not after `until`.
    pub fn is_reached(&self, since: Timestamp, until: Timestamp) -> bool {
        !self.reached(self.summary_at, since, until).is_empty()
    }

    /// The dates on which their clock reaches a minute after `since` and not after `until`, and when it does.
    fn reached(&self, minute: LocalMinute, since: Timestamp, until: Timestamp) -> Vec<(String, Timestamp)> {
        const DAY: Duration = Duration::from_hours(24);
        let days = (0..).map(|n| since - DAY + DAY * n).take_while(|at| *at <= until + DAY);
        let mut dates: Vec<_> = days.map(|at| self.zone.wall_clock(at).at.date()).collect();
        dates.dedup();
        let reached = dates.into_iter().map(|date| (date.to_string(), self.zone.instant(date.and_time(minute.time()))));
        reached.filter(|(_, at)| *at > since && *at <= until).collect()
    }

    fn changes(&self, name: &str, now: Timestamp) -> Changes {
        let new = NewUser {
            username: name.parse().expect("a name"),
            email: format!("{name}@example.org").parse().expect("an address"),
            time_zone: Some(self.zone.clone()),
            locale: None,
            is_admin: false,
        };
        let preferences = Preferences { summary_at: self.summary_at, ..Preferences::default() };
        let user = User { email_verified: true, preferences, ..User::new(self.id, new, now) };
        let changes = Changes::new().write(UserWrite::Insert(user));
        if !self.busy {
            return changes;
        }
        let task = NewTask::titled("Mind the clock".parse().expect("a title"));
        let id = TaskId::from_uuid(RandomIds::new().next(now));
        changes.write(TaskWrite::Insert(Task::new(id, self.id, task, now).expect("a task")))
    }
}

/// Inserts each of them.
pub async fn insert_accounts(store: &dyn Storage, accounts: &[ZonedAccount]) {
    let now = SystemClock::new().now();
    for (page, some) in accounts.chunks(COMMIT).enumerate() {
        let mut changes = Changes::new();
        for (n, account) in some.iter().enumerate() {
            let inserted = account.changes(&format!("account-{}", page * COMMIT + n), now);
            changes.writes.extend(inserted.writes);
        }
        store.commit(&changes).await.expect("inserted");
    }
}

/// Returns the summaries of the accounts that have an open task and whose minute came after `since` and not after `until`.
pub fn summaries(accounts: &[ZonedAccount], since: Timestamp, until: Timestamp) -> Expected {
    let busy = accounts.iter().filter(|account| account.busy);
    let theirs = |account: &ZonedAccount| {
        let key = |date: String| format!("daily-summary/{date}/{}", account.id);
        let reached = account.reached(account.summary_at, since, until);
        reached.into_iter().map(move |(date, at)| (key(date), at)).collect::<Vec<_>>()
    };
    busy.flat_map(theirs).collect()
}

/// Returns the reminders of open tasks at these minutes of the local time of each account, likewise.
pub fn task_reminders(
    accounts: &[ZonedAccount],
    minutes: &[LocalMinute],
    since: Timestamp,
    until: Timestamp,
) -> Expected {
    let mut expected = Expected::new();
    for account in accounts.iter().filter(|account| account.busy) {
        for minute in minutes {
            let reached = account.reached(*minute, since, until).into_iter();
            expected.extend(reached.map(|(date, at)| (format!("task-reminder/{date}T{minute}/{}", account.id), at)));
        }
    }
    expected
}

/// Returns what the ledger has of a kind: when each delivery is due, by its key.
///
/// # Panics
///
/// One of them was not delivered, or is there twice.
pub async fn delivered(database: &Database, kind: &str) -> Expected {
    const DELIVERIES: &str = "
        SELECT dedupe_key, state, (extract(epoch FROM due_at) * 1000000)::bigint FROM taskflow.deliveries
        WHERE kind = $1";
    let mut conn = database.connection().await;
    let rows: Vec<(String, String, i64)> =
        query_as(DELIVERIES).bind(kind).fetch_all(&mut conn).await.expect("deliveries");
    let count = rows.len();
    let mut delivered = Expected::new();
    for (key, state, due_at) in rows {
        assert_eq!(state, "delivered", "{key}");
        delivered.insert(key, Timestamp::from_micros(due_at));
    }
    assert_eq!(delivered.len(), count, "a key comes twice");
    delivered
}

/// Compares them and names what differs.
pub fn assert_same(found: &Expected, expected: &Expected) {
    let beyond = |one: &Expected, other: &Expected| -> Vec<_> {
        let beyond = one.iter().filter(|(key, at)| other.get(*key) != Some(at));
        beyond.map(|(key, at)| format!("{key} at {at}")).collect()
    };
    let (missing, surplus) = (beyond(expected, found), beyond(found, expected));
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{} missing: {:#?}\n{} too many: {:#?}",
        missing.len(),
        &missing[..missing.len().min(10)],
        surplus.len(),
        &surplus[..surplus.len().min(10)]
    );
}

/// Every run of a job that its schedule asked for, the oldest slot first.
///
/// # Panics
///
/// One of them failed, or there are two for a slot.
pub async fn scheduled_runs(store: &dyn Storage, job: JobName) -> Vec<JobRun> {
    let mut runs = store.runs(job, None, u32::MAX >> 1).await.expect("runs");
    runs.retain(|run| run.trigger == Trigger::Schedule);
    runs.sort_by_key(|run| run.slot);
    for run in &runs {
        assert_eq!(run.error, None, "{run:?}");
    }
    assert!(runs.windows(2).all(|two| two[0].slot < two[1].slot), "{job}: two runs of one slot");
    runs
}

/// The settings of a node called `name`, which sends through the relay at `port`.
pub fn node<'a>(database: &'a Database, port: &'a str, name: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("DATABASE_URL", &database.url),
        ("NODE_ID", name),
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        // Restarts listen elsewhere; what mail links to stays the same.
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_TIMEOUT", "2s"),
        ("LEASE_SECONDS", "3s"),
        ("JOB_TICK", "100ms"),
        ("JOB_DAILY_SUMMARIES", "own"),
    ]
}
