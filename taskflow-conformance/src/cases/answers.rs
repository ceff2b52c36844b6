use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Actor, Bulk, Changes, Error, Idempotency, Idempotent, NewTask, Precondition, ResponseWrite, StoreError,
    StoredResponse, Task, TaskChange, TaskOperation, TaskQuery, UniqueField,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{noon, task_id, user_id, users};

fn answer(owner: u64, key: &str, body: &str, seconds: u64) -> StoredResponse {
    StoredResponse {
        owner: user_id(owner),
        key: key.parse().expect("a key"),
        fingerprint: "hash".to_owned(),
        body: body.to_owned(),
        created_at: noon() + Duration::from_secs(seconds),
    }
}

fn remember(answer: StoredResponse) -> Changes {
    Changes::new().write(ResponseWrite::Store(answer))
}

pub(super) async fn an_answer_stands_for_a_day_and_then_makes_room(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let first = answer(1, "key", "{\"n\": 1}\u{1F600}", 0);
    store.commit(&remember(first.clone())).await.expect("the first");
    let key = "key".parse().expect("a key");
    assert_eq!(store.response(user_id(1), &key).await.expect("a read"), Some(first));
    assert_eq!(store.response(user_id(2), &key).await.expect("a read"), None);
    store.commit(&remember(answer(2, "key", "theirs", 0))).await.expect("another owner");
    let day = 24 * 60 * 60;
    for seconds in [0, 1, day - 1] {
        let error = store.commit(&remember(answer(1, "key", "second", seconds))).await.expect_err("taken");
        assert!(matches!(error, StoreError::Taken { field: UniqueField::IdempotencyKey, write: 0 }), "{error:?}");
    }
    store.commit(&remember(answer(1, "key", "second", day))).await.expect("a day later");
    assert_eq!(store.response(user_id(1), &key).await.expect("a read"), Some(answer(1, "key", "second", day)));
    let orphan = store.commit(&remember(answer(9, "key", "x", 0))).await;
    assert!(matches!(orphan, Err(StoreError::Stale { write: 0 })), "{orphan:?}");
}

fn once<'a>(
    key: &str,
    fingerprint: &str,
    encode: &'a (dyn Fn(&Task) -> String + Send + Sync),
) -> Idempotency<'a, Task> {
    Idempotency { key: key.parse().expect("a key"), fingerprint: fingerprint.to_owned(), encode }
}

fn titled(title: &str) -> NewTask {
    NewTask::titled(title.parse().expect("a title"))
}

pub(super) async fn a_repeated_request_is_done_once_and_answered_alike(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let encode = |task: &Task| format!("made {}", task.id);
    let first = world.app.tasks().create_once(ada, titled("x"), once("k", "f", &encode)).await.expect("made");
    let Idempotent::Done(task) = first else { panic!("{first:?}") };
    let again = world.app.tasks().create_once(ada, titled("x"), once("k", "f", &encode)).await.expect("answered");
    assert_eq!(again, Idempotent::Replayed(format!("made {}", task.id)));
    let other = world.app.tasks().create_once(ada, titled("y"), once("k", "g", &encode)).await;
    assert!(matches!(&other, Err(Error::Invalid(errors)) if errors[0].field == "Idempotency-Key"), "{other:?}");
    assert_eq!(world.app.tasks().list(ada, &TaskQuery::default()).await.expect("a page").total, 1);
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    let next_day = world.app.tasks().create_once(ada, titled("x"), once("k", "g", &encode)).await.expect("made");
    assert!(matches!(next_day, Idempotent::Done(_)));
}

pub(super) async fn repeats_at_once_make_one_row(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let encode = |task: &Task| task.id.to_string();
    let tries = (0..8).map(|_| world.app.tasks().create_once(ada, titled("x"), once("k", "f", &encode)));
    let results = futures_util::future::join_all(tries).await;
    let now = results.iter().filter(|result| matches!(result, Ok(Idempotent::Done(_)))).count();
    let before = results.iter().filter(|result| matches!(result, Ok(Idempotent::Replayed(_)))).count();
    assert_eq!((now, before), (1, 7), "{results:?}");
    assert_eq!(world.app.tasks().list(ada, &TaskQuery::default()).await.expect("a page").total, 1);
}

pub(super) async fn operations_in_bulk_are_done_each_or_not_at_all(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (Actor::User(world.somebody("ada").await), Actor::User(world.somebody("bob").await));
    let mine = world.app.tasks().create(ada, titled("mine")).await.expect("a task");
    let gone = world.app.tasks().create(ada, titled("gone")).await.expect("a task");
    let theirs = world.app.tasks().create(bob, titled("theirs")).await.expect("a task");
    let rename = |id| {
        let title = Some("renamed".parse().expect("a title"));
        TaskOperation::Update(id, TaskChange { title, ..TaskChange::default() })
    };
    let operations = || {
        let made = TaskOperation::Create(titled("made"));
        vec![
            made,
            rename(mine.id),
            TaskOperation::Delete(gone.id),
            rename(theirs.id),
            rename(mine.id),
            rename(task_id(9)),
        ]
    };
    let whole = world.app.tasks().bulk(ada, operations(), Bulk::AllOrNothing, None).await;
    let Err(Error::Items(failed)) = whole else { panic!("{whole:?}") };
    assert_eq!(failed.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(world.app.tasks().get(ada, mine.id).await.expect("a task"), mine);

    let each = world.app.tasks().bulk(ada, operations(), Bulk::Each, None).await.expect("some");
    let Idempotent::Done(results) = each else { panic!("{each:?}") };
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, false, false]);
    assert!(matches!(results[3], Err(Error::NotFound("task"))) && matches!(results[4], Err(Error::Invalid(_))));
    assert_eq!(world.app.tasks().get(ada, mine.id).await.expect("a task").title.as_str(), "renamed");
    assert_eq!(world.app.tasks().list(ada, &TaskQuery::default()).await.expect("a page").total, 2);
    assert_eq!(world.app.tasks().get(bob, theirs.id).await.expect("a task"), theirs);

    let valid = vec![TaskOperation::Create(titled("one")), TaskOperation::Delete(mine.id)];
    let whole = world.app.tasks().bulk(ada, valid, Bulk::AllOrNothing, None).await.expect("all");
    assert!(matches!(whole, Idempotent::Done(results) if results.len() == 2));
    let many = vec![TaskOperation::Create(titled("x")); 101];
    assert!(matches!(world.app.tasks().bulk(ada, many, Bulk::Each, None).await, Err(Error::Invalid(_))));
    world.app.tasks().restore(ada, mine.id).await.expect("restored");
    world.app.tasks().delete(ada, mine.id, Precondition::Any).await.expect("trashed");
}

pub(super) async fn a_repeated_bulk_is_done_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let encode = |results: &[Result<Task, Error>]| format!("{} results", results.len());
    for repeat in 0..2 {
        let once = Idempotency { key: "k".parse().expect("a key"), fingerprint: "f".to_owned(), encode: &encode };
        let operations = vec![TaskOperation::Create(titled("x")), TaskOperation::Delete(task_id(9))];
        let answered = world.app.tasks().bulk(ada, operations, Bulk::Each, Some(once)).await.expect("done");
        match answered {
            Idempotent::Done(results) => assert_eq!((repeat, results.len()), (0, 2)),
            Idempotent::Replayed(answer) => assert_eq!((repeat, answer.as_str()), (1, "2 results")),
        }
    }
    assert_eq!(world.app.tasks().list(ada, &TaskQuery::default()).await.expect("a page").total, 1);
}
