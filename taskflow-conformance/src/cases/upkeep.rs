//! Purges: expired data is removed without a trace in its own tables, and without a gap for readers.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{ClaimRequest, Expired, RunLease, Storage};
use taskflow_core::{
    Changes, ChannelKind, Counts, Entity, Event, EventId, FeedEvent, IdempotencyKey, JobName, JobRun, JobWrite,
    Meeting, MeetingWrite, NoticeKind, Outcome, ResponseWrite, Revision, Scope, Session, SessionWrite, Settlement,
    StoredResponse, Task, Timestamp, Token, TokenId, TokenPurpose, TokenWrite, Trigger, Viewer,
};

use super::sweeps::{MICRO, add_tasks, done, trashed};
use crate::OpenStore;
use crate::sample::{
    called, delivery_id, event, guest, lease, meeting, meeting_id, member, noon, participant_id, run_id, session,
    session_id, task, task_id, user_id, users, welcome,
};

/// That many minutes after noon.
fn after(minutes: u64) -> Timestamp {
    noon() + Duration::from_mins(minutes)
}

/// A store with three people.
async fn three(open: &dyn OpenStore) -> Arc<dyn Storage> {
    let store = open.storage();
    store.commit(&users(1..=3)).await.expect("users");
    store
}

/// Removes what there is in two slices; it is so many as were counted.
async fn purge(store: &Arc<dyn Storage>, expired: Expired, expected: u64) {
    let count = async || store.count_expired(expired, 100).await.expect("a count");
    assert_eq!(count().await, expected, "{expired:?}");
    assert_eq!(store.count_expired(expired, 1).await.expect("a count"), 1, "{expired:?} is counted up to a limit");
    let slice = u32::try_from(expected - 1).expect("a few");
    assert_eq!(store.purge(expired, slice).await.expect("a slice"), u64::from(slice), "{expired:?}");
    assert_eq!(count().await, 1, "{expired:?}");
    assert_eq!(store.purge(expired, 10).await.expect("the rest"), 1, "{expired:?}");
    assert_eq!((store.purge(expired, 10).await.expect("nothing"), count().await), (0, 0), "{expired:?}");
}

/// An event of the number `n` about a task, at that time, in these feeds.
fn told(n: u64, at: Timestamp, about: &Task, audience: &[u64]) -> FeedEvent {
    let told = event(n, about, audience);
    FeedEvent { event: Event { at, ..told.event }, ..told }
}

async fn seqs(store: &Arc<dyn Storage>, owner: u64) -> Vec<u64> {
    let feed = store.feed(Scope::own(user_id(owner)), 0, 100).await.expect("a feed");
    feed.into_iter().map(|entry| entry.seq).collect()
}

pub(super) async fn tasks_completed_long_ago_come_in_the_order_of_their_completion(open: Arc<dyn OpenStore>) {
    let store = three(&*open).await;
    let rows = [
        done(1, 1, after(9)),
        done(5, 2, after(3)),
        done(4, 1, after(3)),
        done(3, 3, after(10) - MICRO),
        done(2, 1, after(10)),
        trashed(done(6, 1, after(1))),
        task(7, 1),
    ];
    add_tasks(&store, rows.clone()).await;
    let found = store.tasks_completed_before(after(10), 100).await.expect("a list");
    assert_eq!(found.iter().map(|task| task.id).collect::<Vec<_>>(), [4, 5, 1, 3].map(task_id));
    assert_eq!(found[2], rows[0], "each as it is kept");
    assert_eq!(store.tasks_completed_before(after(10), 2).await.expect("a list"), found[..2]);
    assert_eq!(store.count_completed_before(after(10), 100).await.expect("a count"), 4);
    assert_eq!(store.count_completed_before(after(10), 3).await.expect("a count"), 3);
    assert_eq!(store.tasks_completed_before(after(3), 100).await.expect("a list"), []);
    assert_eq!(store.count_completed_before(after(3), 100).await.expect("a count"), 0);
}

pub(super) async fn tasks_leave_the_trash_with_their_history_and_feeds_still_tell_of_them(open: Arc<dyn OpenStore>) {
    let store = three(&*open).await;
    let in_trash = |n, owner, at| Task { deleted_at: Some(at), ..task(n, owner) };
    let rows = [in_trash(1, 1, after(0)), in_trash(2, 2, after(9)), in_trash(3, 1, after(10)), task(4, 1)];
    let events = rows.iter().zip(1..).fold(Changes::new(), |all, (row, n)| all.announce(event(n, row, &[1, 3])));
    add_tasks(&store, rows).await;
    store.commit(&events).await.expect("events");
    let before = store.feed(Scope::own(user_id(1)), 0, 100).await.expect("a feed");
    purge(&store, Expired::TrashedTasks(after(10)), 2).await;
    for (n, owner, is_there) in [(1, 1, false), (2, 2, false), (3, 1, true), (4, 1, true)] {
        assert_eq!(
            store.task(Scope::own(user_id(owner)), task_id(n)).await.expect("a read").is_some(),
            is_there,
            "{n}"
        );
        let history = store.history(Entity::Task(task_id(n))).await.expect("a history");
        assert_eq!(history.len(), usize::from(is_there), "{n}");
    }
    assert_eq!(store.feed(Scope::own(user_id(1)), 0, 100).await.expect("a feed"), before);
    assert_eq!(seqs(&store, 3).await, [1, 2, 3, 4]);
    // What only the feed still had goes with it.
    purge(&store, Expired::Feed(noon() + MICRO), 8).await;
    assert_eq!(store.history(Entity::Task(task_id(4))).await.expect("a history").len(), 1);
}

pub(super) async fn cancelled_meetings_go_with_everybody_in_them(open: Arc<dyn OpenStore>) {
    let store = three(&*open).await;
    let off = |n, at| Meeting { cancelled_at: Some(at), ..meeting(n, 1) };
    let rows = [off(1, after(0)), off(2, after(9)), off(3, after(10)), meeting(4, 1)];
    for (n, row) in (1..).zip(rows) {
        let revision = Revision { meeting_id: row.id, version: 1, sequence: Some(0), facts: row.facts() };
        let id = EventId::from_uuid(meeting_id(n).as_uuid());
        let audience = vec![user_id(1), user_id(2)];
        let details = taskflow_core::MeetingDetails { meeting: row.clone(), participants: Vec::new() };
        let told = FeedEvent::meeting(id, taskflow_core::Actor::User(user_id(1)), None, &details, audience);
        let people = [member(n, n, 1), member(10 + n, n, 2), guest(20 + n, n)];
        let changes = called(row, people).write(MeetingWrite::InsertRevision(revision)).announce(told);
        store.commit(&changes).await.expect("a meeting");
    }
    purge(&store, Expired::CancelledMeetings(after(10)), 2).await;
    for (n, is_there) in [(1, false), (2, false), (3, true), (4, true)] {
        let id = meeting_id(n);
        let found = store.meetings_by_id(&[id], Viewer::Service).await.expect("a read");
        let people = store.participants(&[id]).await.expect("a read").len();
        let by_id = store.participants_by_id(&[participant_id(20 + n)]).await.expect("a read").len();
        let revisions = store.revisions(&[(id, 9)]).await.expect("a read").len();
        let history = store.history(Entity::Meeting(id)).await.expect("a history").len();
        let is = usize::from(is_there);
        assert_eq!((found.len(), people, by_id, revisions, history), (is, 3 * is, is, is, is), "{n}");
    }
    assert_eq!((seqs(&store, 1).await, seqs(&store, 2).await), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
}

async fn settle(store: &Arc<dyn Storage>, n: u64, at: Timestamp, outcome: Outcome) {
    let settlement = Settlement { id: delivery_id(n), lease: lease(1), at, outcome, effect: None };
    store.settle(&[settlement]).await.expect("settled");
}

async fn claim(store: &Arc<dyn Storage>) {
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 100,
        now: after(1),
        lease: lease(1),
        lease_for: Duration::from_secs(600),
    };
    store.claim(&request).await.expect("a claim");
}

pub(super) async fn the_ledger_balances_without_the_deliveries_that_it_counts(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=9).deliver((1..=9).map(welcome))).await.expect("deliveries");
    claim(&store).await;
    let error = "550 no".to_owned();
    settle(&store, 1, after(1), Outcome::Retry { next_at: noon(), error: "450 later".to_owned() }).await;
    claim(&store).await;
    let sent = || Outcome::Delivered { reply: "250".to_owned() };
    settle(&store, 1, after(2), sent()).await;
    settle(&store, 2, after(3), Outcome::Discarded { error }).await;
    settle(&store, 3, after(4), Outcome::Cancelled { reason: "gone".to_owned() }).await;
    settle(&store, 4, after(5), Outcome::Expired { reason: "late".to_owned() }).await;
    settle(&store, 5, after(6), sent()).await;
    settle(&store, 6, after(10), sent()).await;
    settle(&store, 7, after(1), Outcome::Released { next_at: after(9), error: None }).await;
    let ledger = store.ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered, ledger.due, ledger.balances()), (9, 3, 3, true));
    let counted = async || {
        let kept = store.count_deliveries(None, 100).await.expect("a count").count;
        (kept, store.count_purged_deliveries().await.expect("a count"))
    };
    assert_eq!(counted().await, (9, 0));

    purge(&store, Expired::Deliveries(after(10)), 5).await;
    assert_eq!(store.ledger().await.expect("a ledger"), ledger);
    assert_eq!(counted().await, (4, 5));
    let left = store.deliveries_after(None, 100).await.expect("a list");
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [6, 7, 8, 9].map(delivery_id));
    // Its key is free, and what was tried before is forgotten.
    store.commit(&Changes::new().deliver([welcome(1)])).await.expect("planned");
    let (again, failed) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((again.attempts, failed), (0, Vec::new()));
    let ledger = store.ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.due, ledger.balances()), (10, 4, true));
}

pub(super) async fn feeds_are_purged_from_their_beginning_and_go_on_counting(open: Arc<dyn OpenStore>) {
    let store = three(&*open).await;
    add_tasks(&store, [task(1, 1)]).await;
    // Of one person a node's clock was behind: what stands after something newer stays, so that there is no gap.
    for (n, minute, audience) in [(1, 0, [1, 2]), (2, 9, [1, 2]), (3, 10, [2, 1]), (4, 2, [3, 1]), (5, 11, [3, 1])] {
        let told = told(n, after(minute), &task(1, 1), &audience);
        store.commit(&Changes::new().announce(told)).await.expect("an event");
    }
    purge(&store, Expired::Feed(after(10)), 5).await;
    assert_eq!((seqs(&store, 1).await, seqs(&store, 2).await), (vec![3, 4, 5], vec![3]));
    assert_eq!(seqs(&store, 3).await, [2]);
    assert_eq!(store.history(Entity::Task(task_id(1))).await.expect("a history").len(), 5, "history is no feed");
    // Everything is gone, and the count goes on all the same.
    purge(&store, Expired::Feed(after(60)), 5).await;
    let next = told(6, after(61), &task(1, 1), &[1, 3]);
    store.commit(&Changes::new().announce(next)).await.expect("an event");
    assert_eq!((seqs(&store, 1).await, seqs(&store, 2).await, seqs(&store, 3).await), (vec![6], vec![], vec![3]));
}

pub(super) async fn sessions_tokens_and_answers_go_when_they_are_over(open: Arc<dyn OpenStore>) {
    let store = three(&*open).await;
    let until = |n, expires_at| Session { expires_at, ..session(n, 1) };
    let sessions = [until(1, after(10) - MICRO), until(2, after(10)), until(3, after(99)), until(4, after(99))];
    let changes = sessions.into_iter().fold(Changes::new(), |all, one| all.write(SessionWrite::Open(one)));
    store.commit(&changes).await.expect("sessions");
    for (n, at) in [(3, after(10) - MICRO), (4, after(10))] {
        let end = SessionWrite::End { user_id: user_id(1), only: Some(session_id(n)), at };
        store.commit(&Changes::new().write(end)).await.expect("ended");
    }
    let token_id = |n| TokenId::from_uuid(session_id(n).as_uuid());
    let token = |n, expires_at, used_at| {
        let email = "user-1@example.org".parse().expect("an address");
        let new = Token::new(token_id(n), TokenPurpose::VerifyEmail, user_id(1), email, noon());
        TokenWrite::Insert(Token { expires_at, used_at, ..new })
    };
    let tokens = Changes::new()
        .write(token(1, after(10) - MICRO, None))
        .write(token(2, after(10), None))
        .write(token(3, after(99), Some(after(10) - MICRO)))
        .write(token(4, after(99), Some(after(10))));
    store.commit(&tokens).await.expect("tokens");
    let key = |n: u64| format!("key-{n}").parse::<IdempotencyKey>().expect("a key");
    let answer = |owner, n, created_at| {
        let (fingerprint, body) = ("hash".to_owned(), "{}".to_owned());
        ResponseWrite::Store(StoredResponse { owner: user_id(owner), key: key(n), fingerprint, body, created_at })
    };
    let answers = Changes::new()
        .write(answer(1, 1, after(10) - MICRO))
        .write(answer(1, 2, after(10)))
        .write(answer(2, 1, after(0)))
        .write(answer(2, 2, after(11)));
    store.commit(&answers).await.expect("answers");

    purge(&store, Expired::Sessions(after(10)), 2).await;
    purge(&store, Expired::Tokens(after(10)), 2).await;
    purge(&store, Expired::Answers(after(10)), 2).await;
    for (n, is_there) in [(1, false), (2, true), (3, false), (4, true)] {
        assert_eq!(store.session(session_id(n)).await.expect("a read").is_some(), is_there, "session {n}");
        assert_eq!(store.token(token_id(n)).await.expect("a read").is_some(), is_there, "token {n}");
    }
    for (owner, n, is_there) in [(1, 1, false), (1, 2, true), (2, 1, false), (2, 2, true)] {
        let found = store.response(user_id(owner), &key(n)).await.expect("a read");
        assert_eq!(found.is_some(), is_there, "answer {owner}/{n}");
    }
}

pub(super) async fn runs_go_but_the_last_scheduled_one_of_a_job_stays(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let run = |n: u64, job, trigger| JobRun {
        id: run_id(n),
        job,
        slot: after(n),
        since: after(n - 1),
        trigger,
        dry_run: false,
        created_at: noon(),
        started_at: None,
        finished_at: None,
        node: None,
        tries: 0,
        cursor: None,
        counts: Counts::default(),
        error: None,
    };
    let (one, other) = (JobName::STATISTICS, JobName::DATA_CLEANUP);
    let held = |n| RunLease { token: lease(n), lasts: Duration::from_secs(600), node: "node".to_owned() };
    let finish = async |n, at| {
        let end = JobWrite::FinishRun {
            id: run_id(n),
            lease: lease(n),
            at,
            counts: Counts::default(),
            error: None,
            memo: None,
        };
        store.commit(&Changes::new().write(end)).await.expect("finished");
    };
    for (n, finished_at) in [(1, after(1)), (2, after(10) - MICRO), (3, after(2))] {
        let scheduled = JobRun { started_at: Some(noon()), tries: 1, ..run(n, one, Trigger::Schedule) };
        store.advance_to(one, None, after(0)).await.expect("an answer");
        assert!(store.claim_slot(&scheduled, &held(n)).await.expect("an answer"), "{n}");
        finish(n, finished_at).await;
    }
    for (n, job, finished_at) in
        [(4, one, Some(after(3))), (5, one, Some(after(10))), (6, other, Some(after(4))), (7, other, None)]
    {
        store.commit(&Changes::new().write(JobWrite::InsertRun(run(n, job, Trigger::Slot)))).await.expect("a run");
        if let Some(at) = finished_at {
            assert!(store.claim_run(run_id(n), &held(n), noon()).await.expect("an answer").is_some());
            finish(n, at).await;
        }
    }
    purge(&store, Expired::Runs(after(10)), 4).await;
    let left = async |job| {
        let runs = store.runs(job, None, 100).await.expect("a list");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!((left(one).await, left(other).await), ([5, 3].map(run_id).to_vec(), vec![run_id(7)]));
    assert_eq!(store.jobs().await.expect("a read").len(), 2, "jobs stay");
}
