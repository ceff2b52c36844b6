//! The repair sweep: plans what was lost, once, and follows the rules of zones.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Changes, DeliveryWrite, Meeting, MeetingId, MeetingResponse, MeetingWrite, NewMeeting, Participant, RepairReport,
    Revision, StartsAt,
};

use super::app::World;
use super::reminders::{Board, NOBODY, board, own, person};
use crate::OpenStore;
use crate::sample::{called, guest, meeting, meeting_id, noon, users};

pub(super) async fn what_was_left_unplanned_is_planned_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let started = Meeting { starts_at: noon(), ..meeting(2, 1) };
    let far = Meeting { starts_at: noon() + Duration::from_hours(26), ..meeting(3, 1) };
    let declined = Participant { response: MeetingResponse::Declined, ..guest(2, 1) };
    let setup = users([1])
        .and(called(meeting(1, 1), [Participant { reminders: own(&[0, 60]), ..guest(1, 1) }, declined, guest(5, 1)]))
        .and(called(started, [guest(3, 2)]))
        .and(called(far, [guest(4, 3)]));
    world.storage.commit(&setup).await.expect("a restored backup");
    let repaired = world.app.meetings().repair_reminders().await.expect("a sweep");
    assert_eq!(repaired, RepairReport { moved: 0, planned: 3 });
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    for (hours, minutes, told) in
        [(23, 0, vec!["guest-1: Soon"]), (23, 45, vec!["guest-5: Soon"]), (24, 0, vec!["guest-1: Soon"])]
    {
        world.clock.set(noon() + Duration::from_mins(hours * 60 + minutes));
        assert_eq!(world.told().await, told);
    }
    // By then the far one has come near, and its reminder is due already.
    world.clock.set(noon() + Duration::from_mins(26 * 60 - 5));
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport { moved: 0, planned: 1 });
    assert_eq!(world.told().await, ["guest-4: Soon"]);
}

pub(super) async fn many_meetings_are_repaired_page_by_page(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let setup = (1..=250).fold(users([1]), |changes, n| changes.and(called(meeting(n, 1), [guest(n, n)])));
    world.storage.commit(&setup).await.expect("meetings");
    assert_eq!(
        world.app.meetings().repair_reminders().await.expect("a sweep"),
        RepairReport { moved: 0, planned: 250 }
    );
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
}

pub(super) async fn what_was_cancelled_by_hand_stays_cancelled(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, id, .. } = &board;
    let eve = person(&board.details().await, "eve").id;
    let (rows, _) = world.app.meetings().ledger(*ada, *id).await.expect("a ledger");
    let eves = rows.iter().find(|row| row.dedupe_key.as_str().contains(&eve.to_string())).expect("planned");
    let cancel = DeliveryWrite::Cancel { key: eves.dedupe_key.clone(), reason: "by hand".to_owned(), at: noon() };
    world.storage.commit(&Changes::new().write(cancel)).await.expect("cancelled");
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon"]);
}

/// As a build with an older time zone database left it: an hour off what the wall clock shows by now.
async fn found_with_older_rules(world: &World, id: MeetingId) -> Meeting {
    let found = world.storage.meetings_by_id(&[id], taskflow_core::Viewer::Service).await.expect("a read");
    let now = found[&id].clone().expect("a readable row");
    let starts_at = now.starts_at - Duration::from_hours(1);
    let old = Meeting { starts_at, tzdb: "2020a".to_owned(), version: now.version + 1, ..now };
    let revision = Revision { meeting_id: id, version: old.version, sequence: Some(old.sequence), facts: old.facts() };
    let changes = Changes::new().write(MeetingWrite::Update(old.clone())).write(MeetingWrite::InsertRevision(revision));
    world.storage.commit(&changes).await.expect("an older build");
    old
}

fn ten_in_berlin() -> NewMeeting {
    NewMeeting { starts_at: StartsAt::Local("2026-11-23T10:00:00".parse().expect("a time")), ..board(&["bob", "eve"]) }
}

pub(super) async fn other_rules_of_a_zone_move_the_meeting_and_people_are_told(open: Arc<dyn OpenStore>) {
    let board = Board::calling(World::new(&*open), ten_in_berlin()).await;
    let Board { world, id, ada, .. } = &board;
    let right = board.details().await.meeting;
    let old = found_with_older_rules(world, *id).await;
    // What the older build had planned and told.
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport { moved: 1, planned: 0 });
    let after = board.details().await.meeting;
    assert_eq!((after.starts_at, after.local_start, after.tzdb), (right.starts_at, right.local_start, right.tzdb));
    assert_eq!(after.version, old.version + 1);
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    assert_eq!(world.told_at("2026-11-23T08:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    assert_eq!(world.told_at("2026-11-23T10:00:00Z").await, NOBODY);
    let (rows, _) = world.app.meetings().ledger(*ada, *id).await.expect("a ledger");
    assert_eq!(rows.len(), 3);
}

pub(super) async fn an_edit_before_the_sweep_keeps_what_people_agreed_on(open: Arc<dyn OpenStore>) {
    let board = Board::calling(World::new(&*open), ten_in_berlin()).await;
    let right = board.details().await.meeting;
    found_with_older_rules(&board.world, board.id).await;
    let title = Some("Another".parse().expect("a title"));
    let after =
        board.change(taskflow_core::MeetingChange { title, ..taskflow_core::MeetingChange::default() }).await.meeting;
    assert_eq!((after.starts_at, after.local_start, after.tzdb), (right.starts_at, right.local_start, right.tzdb));
    assert_eq!(board.world.told_at("2026-11-23T08:45:00Z").await.len(), 5);
}

pub(super) async fn the_same_start_by_other_rules_is_only_confirmed(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let old = Meeting { tzdb: "2020a".to_owned(), ..meeting(1, 1) };
    world.storage.commit(&users([1]).and(called(old.clone(), []))).await.expect("a meeting");
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    let found = world.storage.meetings_by_id(&[meeting_id(1)], taskflow_core::Viewer::Service).await.expect("a read");
    let found = found[&meeting_id(1)].clone().expect("a readable row");
    assert_eq!(found, Meeting { tzdb: meeting(1, 1).tzdb, ..old });
    assert_eq!(world.storage.meetings_before_tzdb(&found.tzdb, noon(), 10).await.expect("a read"), []);
}
