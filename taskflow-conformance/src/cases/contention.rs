//! Many writers of the same rows at once: without a version that is asked for, the last write wins and none is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use taskflow_core::{
    Actor, Bulk, Error, Idempotent, MeetingChange, MeetingResponse, NewTask, Precondition, StartsAt, TaskChange,
    TaskId, TaskOperation,
};

use super::app::World;
use super::reminders::board;
use crate::OpenStore;
use crate::sample::at;

const WRITERS: u64 = 32;

/// Changes the title or, by every other writer, the description.
fn change(n: u64) -> TaskChange {
    let unchanged = TaskChange::default();
    match n % 2 {
        0 => TaskChange { title: Some(format!("title {n}").parse().expect("a title")), ..unchanged },
        _ => TaskChange { description: Some(Some(format!("text {n}").parse().expect("a text"))), ..unchanged },
    }
}

async fn a_task(world: &World, ada: Actor) -> TaskId {
    let new = NewTask::titled("x".parse().expect("a title"));
    world.app.tasks().create(ada, new).await.expect("a task").id
}

pub(super) async fn thirty_two_writers_of_one_task_are_all_done_and_keep_what_others_wrote(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let id = a_task(&world, ada).await;
    let writers = (0..WRITERS).map(|n| world.app.tasks().update(ada, id, change(n), Precondition::Any));
    let mut written = Vec::new();
    for (n, result) in (0..).zip(join_all(writers).await) {
        let task = result.unwrap_or_else(|error| panic!("writer {n} is refused: {error}"));
        let (title, text) = (format!("title {n}"), format!("text {n}"));
        let is_own = match n % 2 {
            0 => task.title.as_str() == title,
            _ => task.description.as_ref().is_some_and(|description| description.as_str() == text),
        };
        assert!(is_own, "writer {n} is answered {task:?}");
        written.push(task);
    }
    let versions: BTreeSet<_> = written.iter().map(|task| task.version).collect();
    assert_eq!(versions, (2..WRITERS + 2).collect(), "each write is one version");
    // Each version keeps the field that its writer did not name.
    written.sort_by_key(|task| task.version);
    for pair in written.windows(2) {
        let kept = u8::from(pair[0].title == pair[1].title) + u8::from(pair[0].description == pair[1].description);
        assert_eq!(kept, 1, "{pair:?}");
    }
    assert_eq!(world.app.tasks().get(ada, id).await.expect("the task"), written[WRITERS as usize - 1]);
}

pub(super) async fn a_version_that_was_asked_for_is_still_changed_by_one_writer_only(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let id = a_task(&world, ada).await;
    let writers = (0..WRITERS).map(|n| world.app.tasks().update(ada, id, change(n), Precondition::Version(1)));
    let results = join_all(writers).await;
    let refused = results.iter().filter(|result| matches!(result, Err(Error::Stale))).count();
    assert_eq!((refused, results.iter().filter(|result| result.is_ok()).count()), (31, 1), "{results:?}");
}

pub(super) async fn changes_in_bulk_of_the_same_tasks_are_all_done(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let (one, two) = (a_task(&world, ada).await, a_task(&world, ada).await);
    let in_bulk = (0..WRITERS / 2).map(|n| {
        let operations = [one, two].map(|id| TaskOperation::Update(id, change(n))).to_vec();
        let bulk = if n < 8 { Bulk::Each } else { Bulk::AllOrNothing };
        world.app.tasks().bulk(ada, operations, bulk, None)
    });
    let one_by_one = (WRITERS / 2..WRITERS).map(|n| world.app.tasks().update(ada, one, change(n), Precondition::Any));
    let (bulks, singles) = join(join_all(in_bulk), join_all(one_by_one)).await;
    for result in bulks {
        let Ok(Idempotent::Done(results)) = result else { panic!("{result:?}") };
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    assert!(singles.iter().all(Result::is_ok), "{singles:?}");
    let version = async |id| world.app.tasks().get(ada, id).await.expect("the task").version;
    assert_eq!((version(one).await, version(two).await), (WRITERS + 1, WRITERS / 2 + 1));
}

pub(super) async fn an_organizer_moves_a_meeting_while_everybody_answers(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let names: Vec<_> = (0..16).map(|n| format!("person-{n}")).collect();
    let mut people = Vec::new();
    for name in &names {
        people.push(Actor::User(world.verified(name).await));
    }
    let invited: Vec<_> = names.iter().map(String::as_str).collect();
    let id = world.app.meetings().create(ada, board(&invited)).await.expect("a meeting").meeting.id;
    let start = at("2026-11-23T10:00:00Z");
    let moving = async {
        for n in 1..=6 {
            let starts_at = Some(StartsAt::Instant(start + Duration::from_secs(n * 900)));
            let change = MeetingChange { starts_at, ..MeetingChange::default() };
            world.app.meetings().update(ada, id, change, Precondition::Any).await.expect("the meeting is moved");
        }
    };
    let answering = people.iter().map(|person| async {
        for response in [MeetingResponse::Accepted, MeetingResponse::Declined, MeetingResponse::Tentative] {
            let answer = world.app.participants().respond(*person, id, response, None, None).await;
            answer.expect("the answer is taken");
        }
    });
    join(moving, join_all(answering)).await;
    let details = world.app.meetings().get(ada, id).await.expect("the meeting");
    assert_eq!(details.meeting.starts_at, start + Duration::from_secs(6 * 900));
    assert_eq!(details.meeting.version, 7);
}
