//! Random histories: the same steps on two stores must give the same answers and leave the same rows.
//!
//! The steps are plain values, so that proptest can make and shrink them; [`steps`] is the strategy.

mod mail;
mod meetings;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

pub use mail::MailStep;
pub use meetings::MeetingStep;

use taskflow_core::ports::{ClaimRequest, Claimed, Clock, Ids, Storage};
use taskflow_core::{
    AccountStatusChange, Actor, App, CapturedMail, ChannelKind, Content, Entity, Idempotency, LeaseToken, MailboxWrite,
    NewTask, NoticeKind, Outcome, PageRequest, PasswordHash, Precondition, ProfileChange, ReminderMinutes, Scope,
    Session, Settlement, Task, TaskChange, TaskPriority, TaskQuery, TaskSort, TaskStatus, TokenHash, UserId,
};

use super::sample::{at, new_user};
use super::{ManualClock, OpenStore, SequentialIds};

/// One thing that somebody does. Numbers choose among what exists, wrapping around.
#[derive(Debug, Clone)]
pub enum Step {
    /// Somebody called `user-{0}` registers; taken when they exist.
    Register(u8),
    /// A person takes the name of another number, perhaps a taken one.
    Rename(u8, u8),
    /// A person changes their password.
    ChangePassword(u8),
    /// A person is locked or unlocked.
    SetActive(u8, bool),
    /// A person leaves.
    DeleteUser(u8),
    /// A person signs in.
    OpenSession(u8),
    /// A session is refreshed with the token that counts, or an old one.
    RefreshSession(u8, bool),
    /// A session of a person is ended, or all of them.
    EndSession(u8, bool),
    /// A person makes a task under a key that was perhaps used before.
    CreateOnce(u8, u8, u8),
    /// A person makes a task with a title, a priority and perhaps a due time (minutes from now) and a reminder.
    CreateTask(u8, u8, u8, Option<i16>, Option<u16>),
    /// A task gets another status and due time, expecting its version or not.
    ChangeTask(u8, u8, Option<Option<i16>>, bool),
    /// A task goes to the trash.
    TrashTask(u8),
    /// A task comes back.
    RestoreTask(u8),
    /// Time passes, in seconds.
    Advance(u16),
    /// A sender claims.
    Claim(u8),
    /// A claim is settled with one of the outcomes, perhaps twice.
    Settle(u8, u8, bool),
    /// Claims are renewed.
    Renew,
    /// All leases lapse.
    Lapse,
    /// A list is read with some filter and sort.
    List(u8, u8),
    /// A mail is kept in the dev mailbox.
    Keep(u8),
    /// Something about mail.
    Mail(MailStep),
    /// Something is done with a meeting.
    Meeting(MeetingStep),
}

/// Histories of up to `most` steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let due = || proptest::option::of(-120_i16..600);
    let step = prop_oneof![
        3 => (0_u8..6).prop_map(Step::Register),
        1 => (any::<u8>(), 0_u8..6).prop_map(|(who, name)| Step::Rename(who, name)),
        1 => any::<u8>().prop_map(Step::ChangePassword),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(who, active)| Step::SetActive(who, active)),
        1 => any::<u8>().prop_map(Step::DeleteUser),
        6 => (any::<u8>(), any::<u8>(), 0_u8..3, due(), proptest::option::of(0_u16..300))
            .prop_map(|(who, title, priority, due, minutes)| Step::CreateTask(who, title, priority, due, minutes)),
        6 => (any::<u8>(), 0_u8..4, proptest::option::of(due()), any::<bool>())
            .prop_map(|(which, status, due, expecting)| Step::ChangeTask(which, status, due, expecting)),
        2 => any::<u8>().prop_map(Step::OpenSession),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, right)| Step::RefreshSession(which, right)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, all)| Step::EndSession(which, all)),
        2 => (any::<u8>(), 0_u8..3, 0_u8..2).prop_map(|(who, key, print)| Step::CreateOnce(who, key, print)),
        2 => any::<u8>().prop_map(Step::TrashTask),
        2 => any::<u8>().prop_map(Step::RestoreTask),
        4 => any::<u16>().prop_map(Step::Advance),
        4 => (1_u8..9).prop_map(Step::Claim),
        5 => (any::<u8>(), 0_u8..7, any::<bool>()).prop_map(|(which, how, again)| Step::Settle(which, how, again)),
        1 => Just(Step::Renew),
        1 => Just(Step::Lapse),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(who, how)| Step::List(who, how)),
        1 => any::<u8>().prop_map(Step::Keep),
        7 => mail::step().prop_map(Step::Mail),
        24 => meetings::step().prop_map(Step::Meeting),
    ];
    proptest::collection::vec(step, 1..most)
}

/// Does all of it on one store and tells every answer and, at the end, every row.
pub async fn play(steps: &[Step], open: &dyn OpenStore) -> Vec<String> {
    let mut play = Play::new(open);
    for step in steps {
        let answer = play.step(step).await;
        play.told.push(format!("{step:?} -> {answer}"));
    }
    play.tell_every_row().await;
    play.told
}

struct Play<'a> {
    open: &'a dyn OpenStore,
    storage: Arc<dyn Storage>,
    app: App,
    clock: Arc<ManualClock>,
    ids: Arc<SequentialIds>,
    users: Vec<UserId>,
    tasks: Vec<Task>,
    meetings: Vec<meetings::Called>,
    sessions: Vec<Session>,
    claims: Vec<Claimed>,
    told: Vec<String>,
}

impl<'a> Play<'a> {
    fn new(open: &'a dyn OpenStore) -> Self {
        let clock = Arc::new(ManualClock::at(at("2026-10-24T23:00:00.000001Z")));
        let (ids, storage) = (Arc::new(SequentialIds::new()), open.storage());
        let app = App::builder(storage.clone()).clock(clock.clone()).ids(ids.clone()).build();
        Self {
            open,
            storage,
            app,
            clock,
            ids,
            users: vec![],
            tasks: vec![],
            meetings: vec![],
            sessions: vec![],
            claims: vec![],
            told: vec![],
        }
    }

    async fn step(&mut self, step: &Step) -> String {
        match *step {
            Step::Meeting(ref step) => self.meeting_step(step).await,
            Step::Register(n) => {
                let password = (n % 2 == 0).then(|| PasswordHash::new(format!("hash-{n}")));
                let result = self.app.accounts().register(new_user(&format!("user-{n}")), password).await;
                self.users.extend(result.as_ref().ok().map(|user| user.id));
                shown(&result)
            }
            Step::Rename(who, n) => {
                let new = new_user(&format!("User-{n}"));
                let change = ProfileChange { username: Some(new.username), ..ProfileChange::default() };
                self.change_profile(who, change).await
            }
            Step::ChangePassword(who) => {
                let change = ProfileChange { password: Some(PasswordHash::new("new")), ..ProfileChange::default() };
                self.change_profile(who, change).await
            }
            Step::SetActive(who, active) => {
                let Some(id) = pick(&self.users, who) else { return String::new() };
                let change = AccountStatusChange { is_active: Some(active), ..AccountStatusChange::default() };
                shown(&self.app.accounts().set_standing(Actor::System, id, change).await)
            }
            Step::DeleteUser(who) => {
                let Some(id) = pick(&self.users, who) else { return String::new() };
                shown(&self.app.accounts().delete(Actor::User(id), id).await)
            }
            Step::CreateTask(who, title, priority, due, minutes) => {
                self.create(who, title, priority, due, minutes).await
            }
            Step::ChangeTask(which, status, due, expecting) => self.change(which, status, due, expecting).await,
            Step::OpenSession(who) => {
                let Some(id) = pick(&self.users, who) else { return String::new() };
                let result =
                    self.app.sessions().open(id, TokenHash::new(format!("token-{who}")), Some("a device")).await;
                self.sessions.extend(result.as_ref().ok().cloned());
                shown(&result)
            }
            Step::RefreshSession(which, right) => self.refresh(which, right).await,
            Step::EndSession(which, all) => {
                let Some(session) = pick(&self.sessions, which) else { return String::new() };
                let actor = Actor::User(session.user_id);
                match all {
                    true => shown(&self.app.sessions().end_all(actor).await),
                    false => shown(&self.app.sessions().end(actor, session.id).await),
                }
            }
            Step::CreateOnce(who, key, print) => {
                let Some(owner) = pick(&self.users, who) else { return String::new() };
                let encode = |task: &Task| format!("{} {}", task.id, task.version);
                let once = Idempotency {
                    key: format!("key-{key}").parse().expect("a key"),
                    fingerprint: format!("print-{print}"),
                    encode: &encode,
                };
                let new = NewTask::titled("once".parse().expect("a title"));
                shown(&self.app.tasks().create_once(Actor::User(owner), new, once).await)
            }
            Step::TrashTask(which) => {
                let Some(task) = pick(&self.tasks, which) else { return String::new() };
                shown(&self.app.tasks().delete(Actor::User(task.user_id), task.id, Precondition::Any).await)
            }
            Step::RestoreTask(which) => {
                let Some(task) = pick(&self.tasks, which) else { return String::new() };
                shown(&self.app.tasks().restore(Actor::User(task.user_id), task.id).await)
            }
            Step::Advance(seconds) => {
                self.clock.advance(Duration::from_secs(seconds.into()));
                String::new()
            }
            Step::Claim(limit) => self.claim(limit).await,
            Step::Settle(which, how, again) => self.settle(which, how, again).await,
            Step::Renew => {
                let held: Vec<_> = self.claims.iter().map(|claim| (claim.delivery.id, claim.lease)).collect();
                let mut renewed = self.storage.renew(&held, Duration::from_secs(600)).await.expect("an answer");
                renewed.sort_unstable();
                format!("{renewed:?}")
            }
            Step::Lapse => {
                self.open.lapse_leases().await;
                String::new()
            }
            Step::List(who, how) => self.list(who, how).await,
            Step::Keep(n) => {
                let id = taskflow_core::DeliveryId::from_uuid(uuid::Uuid::from_u128(u128::from(n % 8)));
                let content = Content { subject: format!("{n}"), text: String::new(), html: None };
                let to = "ada@example.org".parse().expect("an address");
                let mail = CapturedMail { id, kept_at: self.clock.now(), to, content, source: String::new() };
                shown(&self.storage.commit(&taskflow_core::Changes::new().write(MailboxWrite::Capture(mail))).await)
            }
            Step::Mail(ref step) => self.mail_step(step).await,
        }
    }

    async fn change_profile(&self, who: u8, change: ProfileChange) -> String {
        let Some(id) = pick(&self.users, who) else { return String::new() };
        shown(&self.app.accounts().update_profile(Actor::User(id), id, change, Precondition::Any).await)
    }

    async fn create(&mut self, who: u8, title: u8, priority: u8, due: Option<i16>, minutes: Option<u16>) -> String {
        let Some(owner) = pick(&self.users, who) else { return String::new() };
        let new = NewTask {
            priority: TaskPriority::ALL[usize::from(priority)],
            due_at: due.map(|minutes| self.in_minutes(minutes)),
            reminder_minutes: minutes.map(|minutes| ReminderMinutes::new(minutes.into()).expect("fits")),
            description: title.is_multiple_of(3).then(|| "with a \u{c4}nderung".parse().expect("a description")),
            ..NewTask::titled(format!("Task {}", title % 7).parse().expect("a title"))
        };
        let result = self.app.tasks().create(Actor::User(owner), new).await;
        self.tasks.extend(result.as_ref().ok().cloned());
        shown(&result)
    }

    async fn change(&mut self, which: u8, status: u8, due: Option<Option<i16>>, expecting: bool) -> String {
        let Some(task) = pick(&self.tasks, which) else { return String::new() };
        let change = TaskChange {
            status: TaskStatus::ALL.get(usize::from(status)).copied(),
            due_at: due.map(|due| due.map(|minutes| self.in_minutes(minutes))),
            ..TaskChange::default()
        };
        let expect = if expecting { Precondition::Version(task.version) } else { Precondition::Any };
        let result = self.app.tasks().update(Actor::User(task.user_id), task.id, change, expect).await;
        if let Ok(after) = &result {
            self.tasks.iter_mut().filter(|task| task.id == after.id).for_each(|task| task.clone_from(after));
        }
        shown(&result)
    }

    async fn refresh(&mut self, which: u8, right: bool) -> String {
        let Some(session) = pick(&self.sessions, which) else { return String::new() };
        let shown_token = if right { session.token } else { TokenHash::new("old") };
        let next = [TokenHash::new(format!("next-{}", session.version))];
        let result = self.app.sessions().refresh(session.id, &shown_token, &next).await;
        if let Ok(after) = &result {
            self.sessions.iter_mut().filter(|one| one.id == after.id).for_each(|one| one.clone_from(after));
        }
        shown(&result)
    }

    async fn claim(&mut self, limit: u8) -> String {
        let now = self.clock.now();
        let request = ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: limit.into(),
            now,
            lease: LeaseToken::from_uuid(self.ids.next(now)),
            lease_for: Duration::from_secs(600),
        };
        let mut claims = self.storage.claim(&request).await.expect("a claim");
        let answer = format!("{} {claims:?}", claims.len());
        self.claims.append(&mut claims);
        answer
    }

    async fn settle(&mut self, which: u8, how: u8, again: bool) -> String {
        let Some(claim) = pick(&self.claims, which) else { return String::new() };
        let next_at = self.clock.now() + Duration::from_secs(60);
        let text = || format!("outcome {how}");
        let outcome = match how {
            0 => Outcome::Delivered { reply: text() },
            1 => Outcome::Retry { next_at, error: text() },
            2 => Outcome::Released { next_at, error: Some(text()) },
            3 => Outcome::Discarded { error: text() },
            4 => Outcome::Cancelled { reason: text() },
            5 => Outcome::Held { until: next_at },
            _ => Outcome::Expired { reason: text() },
        };
        let notice = claim.delivery.notice.as_ref().ok().filter(|_| matches!(outcome, Outcome::Delivered { .. }));
        let effect = notice.and_then(|notice| Self::told_by(notice, which));
        let settlement =
            Settlement { id: claim.delivery.id, lease: claim.lease, at: self.clock.now(), outcome, effect };
        if !again {
            self.claims.retain(|other| *other != claim);
        }
        format!("{:?}", self.storage.settle(&[settlement]).await.expect("an answer"))
    }

    async fn list(&self, who: u8, how: u8) -> String {
        let Some(owner) = pick(&self.users, who) else { return String::new() };
        let sorts = ["-priority", "due_at", "-due_at", "title", "-updated_at", "status"];
        let sort = |n: u8| -> TaskSort { sorts[usize::from(n) % sorts.len()].parse().expect("a sort") };
        let query = TaskQuery {
            trash: how.is_multiple_of(5),
            status: TaskStatus::ALL.into_iter().skip(usize::from(how % 7)).take(usize::from(how % 3)).collect(),
            overdue: [None, Some(true), Some(false)][usize::from(how % 3)],
            words: TaskQuery::words(["", "task", "3", "\u{e4}NDERUNG"][usize::from(how % 4)]),
            sort: vec![sort(how), sort(how / 2)],
            page: PageRequest::new(1 + u32::from(how % 2), 3).expect("a page"),
            ..TaskQuery::default()
        };
        let page = self.app.tasks().list(Actor::User(owner), &query).await;
        format!("{} {:?}", shown(&page), self.app.tasks().summary(Actor::User(owner)).await.expect("a summary"))
    }

    fn in_minutes(&self, minutes: i16) -> taskflow_core::Timestamp {
        let span = Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60);
        if minutes < 0 { self.clock.now() - span } else { self.clock.now() + span }
    }

    async fn tell_every_row(&mut self) {
        let storage = self.storage.clone();
        for id in self.users.clone() {
            self.told.push(format!("{:?}", storage.user(id).await.expect("a read")));
            self.told.push(format!(
                "{:?}",
                storage.password(id).await.expect("a read").map(|hash| hash.expose().to_owned())
            ));
            self.told.push(format!("{:?}", storage.feed(Scope::own(id), 0, 10_000).await.expect("a read")));
        }
        for session in self.sessions.clone() {
            self.told.push(format!("{:?}", storage.session(session.id).await.expect("a read")));
        }
        let mut ended = storage.ended_sessions(taskflow_core::Timestamp::MIN).await.expect("a read");
        ended.sort_unstable();
        self.told.push(format!("{ended:?}"));
        for task in self.tasks.clone() {
            self.told.push(format!("{:?}", storage.task(Scope::own(task.user_id), task.id).await.expect("a read")));
            self.told.push(format!("{:?}", storage.history(Entity::Task(task.id)).await.expect("a read")));
        }
        self.tell_every_meeting().await;
        for delivery in storage.deliveries_after(None, 10_000).await.expect("a read") {
            self.told.push(format!("{:?}", storage.delivery(delivery.id).await.expect("a read")));
        }
        self.told.push(format!("{:?}", storage.backlog(ChannelKind::MAIL, self.clock.now()).await.expect("a read")));
        self.told.push(format!("{:?}", storage.kept_mails(1000).await.expect("a read")));
        self.tell_mail().await;
        let ledger = storage.ledger().await.expect("a read");
        assert!(ledger.balances(), "{ledger:?}");
        self.told.push(format!("{ledger:?}"));
    }
}

fn pick<T: Clone>(among: &[T], n: u8) -> Option<T> {
    (!among.is_empty()).then(|| among[usize::from(n) % among.len()].clone())
}

/// An answer without the sources of errors, which differ from store to store.
fn shown<T: std::fmt::Debug, E: std::fmt::Display>(result: &Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}
