//! Signed links in mail: anyone who holds one can open it, and only its form changes anything.

use std::sync::Arc;

use taskflow_core::ports::{Clock, Link, LinkPurpose, Links};
use taskflow_core::{
    Actor, DeadLink, LinkError, MeetingResponse, ParticipantsShown, Snooze, TaskAction, TaskId, TaskStatus, Timestamp,
};

use super::app::{World, due_at_two};
use super::reminders::{Board, board, person};
use crate::sample::at;
use crate::{OpenStore, PlainLinks};

fn with_links(open: &dyn OpenStore) -> World {
    World::building(open, |builder| builder.links(Arc::new(PlainLinks)))
}

fn link(purpose: LinkPurpose, id: uuid::Uuid) -> String {
    PlainLinks.url(&Link { purpose, id, expires_at: Timestamp::MAX, version: None })
}

fn task_link(action: TaskAction, task: TaskId) -> String {
    link(LinkPurpose::Task(action), task.as_uuid())
}

/// The subjects of what leaves now.
async fn sent(world: &World) -> usize {
    world.deliver().await;
    world.mailer.take().len()
}

pub(super) async fn of_several_postponements_the_last_one_reminds_and_the_due_time_stays(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    let (hour, tomorrow) = (Snooze::OneHour, Snooze::TomorrowMorning);
    let link = task_link(TaskAction::Snooze(hour), task.id);
    assert_eq!(world.app.links().task(&link).await.expect("a page").snoozed_until, None, "looking changes nothing");
    sent(&world).await;
    world.clock.set(at("2026-11-22T13:40:00Z"));
    world.app.links().snooze(&link, tomorrow).await.expect("postponed");
    let page = world.app.links().snooze(&link, hour).await.expect("postponed");
    assert_eq!(page.snoozed_until, Some(at("2026-11-22T14:40:00Z")));
    world.clock.set(at("2026-11-22T13:40:30Z"));
    let again = world.app.links().snooze(&link, hour).await.expect("pressed twice");
    assert_eq!(again.snoozed_until, page.snoozed_until);
    world.clock.set(at("2026-11-22T13:50:00Z"));
    assert_eq!(sent(&world).await, 0, "the reminder of before leaves no more");
    world.clock.set(at("2026-11-22T14:40:00Z"));
    assert_eq!(sent(&world).await, 1);
    let after = world.app.tasks().get(ada, task.id).await.expect("the task");
    assert_eq!(after.due_at, task.due_at);
    world.clock.set(at("2026-11-23T12:00:00Z"));
    assert_eq!(sent(&world).await, 0, "the first choice was replaced");
}

pub(super) async fn a_postponement_is_taken_back_and_the_reminder_leaves_as_planned(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    sent(&world).await;
    let link = task_link(TaskAction::Open, task.id);
    world.app.links().snooze(&link, Snooze::TomorrowMorning).await.expect("postponed");
    let page = world.app.links().unsnooze(&link).await.expect("taken back");
    assert_eq!(page.snoozed_until, None);
    world.clock.set(at("2026-11-22T13:45:00Z"));
    assert_eq!(sent(&world).await, 1);
    world.clock.set(at("2026-11-23T12:00:00Z"));
    assert_eq!(sent(&world).await, 0);
}

pub(super) async fn a_task_is_completed_by_a_link_once_and_reminds_no_more(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    sent(&world).await;
    let link = task_link(TaskAction::Complete, task.id);
    world.app.links().snooze(&link, Snooze::OneHour).await.expect("postponed");
    assert_eq!(world.app.links().task(&link).await.expect("a page").task.status, TaskStatus::Pending);
    let done = world.app.links().complete(&link).await.expect("done");
    let again = world.app.links().complete(&link).await.expect("done already");
    assert_eq!((done.task.status, again.task), (TaskStatus::Completed, done.task));
    assert_eq!(done.snoozed_until, None);
    let unchanged = world.app.links().snooze(&link, Snooze::OneHour).await.expect("nothing to postpone");
    assert_eq!(unchanged.snoozed_until, None);
    sent(&world).await;
    world.clock.set(at("2026-11-23T12:00:00Z"));
    assert_eq!(sent(&world).await, 0);
    let open = world.app.links().reopen(&link, TaskStatus::InProgress).await.expect("open again");
    assert_eq!(open.task.status, TaskStatus::InProgress);
}

pub(super) async fn a_link_that_leads_nowhere_says_why(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    let id = task.id.as_uuid();
    let now = world.clock.now();
    let expired =
        PlainLinks.url(&Link { purpose: LinkPurpose::Task(TaskAction::Open), id, expires_at: now, version: None });
    let dead = async |link: &str| match world.app.links().task(link).await {
        Err(LinkError::Dead(dead)) => Some(dead),
        _ => None,
    };
    assert_eq!(dead("nonsense").await, Some(DeadLink::Unknown));
    assert_eq!(dead(&link(LinkPurpose::OpenDay, id)).await, Some(DeadLink::Unknown));
    assert_eq!(dead(&expired).await, Some(DeadLink::Expired));
    let link = task_link(TaskAction::Open, task.id);
    assert_eq!(dead(&link).await, None);
    world.app.tasks().delete(ada, task.id, taskflow_core::Precondition::Any).await.expect("in the trash");
    assert_eq!(dead(&link).await, Some(DeadLink::Gone));
    // Its page speaks the language of the owner all the same.
    let language = async |link: &str| {
        let language = world.app.links().language(link).await.expect("an answer");
        language.map(|locale| locale.to_string())
    };
    for link in [&expired, &link] {
        assert_eq!(language(link).await.as_deref(), Some("de"));
    }
    assert_eq!(language("nonsense").await, None);
}

pub(super) async fn guests_see_numbers_and_the_organizer_sees_who_answers_what(open: Arc<dyn OpenStore>) {
    let board = Board::calling(with_links(&*open), board(&["bob", "eve"])).await;
    let details = board.world.app.meetings().get(board.ada, board.id).await.expect("a meeting");
    let (guest, organizer) = (person(&details, "eve"), person(&details, "ada"));
    let purpose = LinkPurpose::RespondWith(MeetingResponse::Accepted);
    let page = board.world.app.links().meeting(&link(purpose, guest.id.as_uuid())).await.expect("a page");
    assert_eq!((page.shown, page.chosen), (ParticipantsShown::Counts, Some(MeetingResponse::Accepted)));
    for organizers in
        [link(LinkPurpose::Respond, organizer.id.as_uuid()), link(LinkPurpose::OpenMeeting, board.id.as_uuid())]
    {
        let page = board.world.app.links().meeting(&organizers).await.expect("a page");
        assert_eq!((page.shown, page.participant.id), (ParticipantsShown::Everything, organizer.id));
    }
}
