//! Meetings: many people at once, hosts, rows by hand.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Executor};
use taskflow_conformance::ManualClock;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Meetings, Store};
use taskflow_core::{
    Actor, App, Changes, Error, Invitee, Meeting, MeetingChange, MeetingDetails, MeetingResponse, MeetingWrite,
    NewMeeting, ParticipantWrite, Precondition, StartsAt, StoreError, User, UserWrite, Viewer,
};
use taskflow_store_postgres::PgOptions;

use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

/// Patient enough for a machine that has other things to do.
fn patient() -> PgOptions {
    let long = Duration::from_secs(120);
    PgOptions::default().connections(50).acquire_timeout(long).answer_timeout(long).lock_timeout(long)
}

fn app(world: &World) -> Arc<App> {
    Arc::new(App::builder(Arc::new(world.store.clone())).clock(Arc::new(ManualClock::at(noon()))).build())
}

/// People with an address that is shown to be theirs.
async fn verified(world: &World, count: usize) -> Vec<User> {
    let user = |n: usize| User { email_verified: true, ..world.user(&format!("person-{n}")) };
    let people: Vec<User> = (0..count).map(user).collect();
    let insert = |changes: Changes, user: &User| changes.write(UserWrite::Insert(user.clone()));
    world.store.commit(&people.iter().fold(Changes::new(), insert)).await.expect("people");
    people
}

fn invitee(email: &str) -> Invitee {
    Invitee::new(email.parse().expect("an address"))
}

/// A meeting tomorrow with these people, and guests up to so many in all.
fn meeting(people: &[User], in_all: usize) -> NewMeeting {
    let known = people.iter().map(|user| invitee(user.email.as_str()));
    let guests = (people.len() + 1..in_all).map(|n| invitee(&format!("guest-{n}@example.org")));
    let title = "Board".parse().expect("a title");
    NewMeeting { invitees: known.chain(guests).collect(), ..NewMeeting::titled(title, StartsAt::Instant(noon() + DAY)) }
}

async fn call(app: &App, organizer: &User, new: NewMeeting) -> MeetingDetails {
    app.meetings().create(Actor::User(organizer.id), new).await.expect("a meeting")
}

async fn deadlocks(world: &World) -> i64 {
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(count).fetch_one(&mut world.connection().await).await.expect("a count")
}

fn moved(by: Duration) -> MeetingChange {
    MeetingChange { starts_at: Some(StartsAt::Instant(noon() + DAY + by)), ..MeetingChange::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_meetings_of_five_hundred_people_at_once_never_deadlock() {
    let world = World::with(patient()).await;
    let people = Arc::new(verified(&world, 120).await);
    let app = app(&world);
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (app, people) = (app.clone(), people.clone());
            tokio::spawn(async move {
                // Everybody has the others in another order.
                let mut invited: Vec<User> = people[1..].to_vec();
                invited.rotate_left(n * 2);
                let others: Vec<User> = invited.into_iter().filter(|user| user.id != people[n].id).collect();
                call(&app, &people[n], meeting(&others, 500)).await
            })
        })
        .collect();
    let mut called = Vec::new();
    for call in calls {
        called.push(call.await.expect("no panic"));
    }
    assert!(called.iter().all(|details| details.participants.len() == 500));

    // And all of them are moved at once.
    let moves: Vec<_> = called
        .into_iter()
        .map(|MeetingDetails { meeting, .. }| {
            let app = app.clone();
            let organizer = Actor::User(meeting.created_by.expect("an organizer"));
            tokio::spawn(async move {
                app.meetings().update(organizer, meeting.id, moved(Duration::from_hours(1)), Precondition::Any).await
            })
        })
        .collect();
    for moved in moves {
        moved.await.expect("no panic").expect("moved");
    }
    assert_eq!(app.meetings().repair_reminders().await.expect("a sweep").planned, 0);
    assert_eq!(deadlocks(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_answers_while_the_meeting_moves_and_people_leave_is_reminded_of_the_new_start() {
    let world = World::with(patient()).await;
    let people = verified(&world, 40).await;
    let app = app(&world);
    let MeetingDetails { meeting, .. } = call(&app, &people[0], meeting(&people[1..], 60)).await;
    let mut work = Vec::new();
    for (n, user) in people.iter().cloned().enumerate().skip(1) {
        let (app, id) = (app.clone(), meeting.id);
        work.push(tokio::spawn(async move {
            let actor = Actor::User(user.id);
            for response in [MeetingResponse::Declined, MeetingResponse::Accepted] {
                match app.participants().respond(actor, id, response, None, None).await {
                    Ok(_) | Err(Error::Stale) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            if n % 4 == 0 {
                match app.accounts().delete(actor, user.id).await {
                    Ok(()) | Err(Error::Stale) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for minutes in 1..20 {
        let change = moved(Duration::from_mins(minutes % 4));
        match app.meetings().update(Actor::User(people[0].id), meeting.id, change, Precondition::Any).await {
            Ok(_) | Err(Error::Stale) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    for work in work {
        work.await.expect("no failure");
    }
    assert_eq!(app.meetings().repair_reminders().await.expect("a sweep").planned, 0);
    assert_eq!(deadlocks(&world).await, 0);
}

#[tokio::test]
async fn answers_share_the_meeting_and_a_change_waits_for_them() {
    let world = World::new().await;
    let people = verified(&world, 3).await;
    let details = call(&app(&world), &people[0], meeting(&people[1..], 3)).await;
    let MeetingDetails { meeting, participants } = &details;
    let expect = MeetingWrite::ExpectVersion { id: meeting.id, version: meeting.version };
    let answer = |n: usize| {
        let who = &participants[n];
        let after = who.respond(MeetingResponse::Accepted, None, noon());
        Changes::new().write(ParticipantWrite::Update(after)).write(expect.clone())
    };

    // Somebody's answer is still on its way, in the transaction of a host.
    let mut host = world.connection().await;
    let mut transaction = host.begin().await.expect("a transaction");
    let receipt = world.store.commit_in(&mut transaction, &answer(1)).await;
    world.store.commit(&answer(2)).await.expect("an answer beside another");

    let change = Changes::new()
        .write(MeetingWrite::Update(meeting.touched(noon())))
        .write(ParticipantWrite::ExpectVersions { meeting: meeting.id, versions: 3 + 1 });
    let store = world.store.clone();
    let changing = tokio::spawn(async move { store.commit(&change).await });
    world.somebody_waits_for_a_lock().await;
    assert!(!changing.is_finished(), "it waits for the answer");
    transaction.commit().await.expect("a commit");
    drop(receipt.expect("an answer"));
    // One answer was known of and the other was not.
    let error = changing.await.expect("no panic").expect_err("another answer");
    assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
}

#[tokio::test]
async fn a_host_that_looks_at_the_past_is_told_of_an_answer_it_cannot_see() {
    let world = World::new().await;
    let people = verified(&world, 2).await;
    let MeetingDetails { meeting, participants } = call(&app(&world), &people[0], meeting(&people[1..], 2)).await;

    let mut host = world.connection().await;
    let mut transaction = host.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.expect("a transaction");
    transaction.execute("SELECT 1 FROM taskflow.meetings").await.expect("a look");
    let answer = participants[1].respond(MeetingResponse::Declined, None, noon());
    let expect = MeetingWrite::ExpectVersion { id: meeting.id, version: meeting.version };
    let answer = Changes::new().write(ParticipantWrite::Update(answer)).write(expect);
    world.store.commit(&answer).await.expect("an answer");
    let change = Changes::new()
        .write(MeetingWrite::Update(meeting.touched(noon())))
        .write(ParticipantWrite::ExpectVersions { meeting: meeting.id, versions: 2 });
    let result = world.store.commit_in(&mut transaction, &change).await.map(drop);
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

#[tokio::test]
async fn the_sweep_looks_at_more_meetings_than_one_statement_does() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let app = app(&world);
    let MeetingDetails { meeting: first, .. } = call(&app, &ada, meeting(&[], 1)).await;
    let copies = "INSERT INTO taskflow.meetings
        SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(),
            'meeting_date', m.meeting_date - n * interval '1 s'))).*
        FROM taskflow.meetings AS m CROSS JOIN generate_series(1, 1200) AS n";
    let mut other = world.connection().await;
    other.execute(copies).await.expect("copies that nobody is in");
    other.execute("DELETE FROM taskflow.deliveries").await.expect("a ledger from a backup");
    let (until, since) = (noon() + DAY * 2, noon() - DAY);
    let found = world.store.meetings_unplanned(noon(), until, since, None, 10).await.expect("a look");
    assert_eq!(found, [first.id]);
    assert_eq!(app.meetings().repair_reminders().await.expect("a sweep").planned, 1);
    let found = world.store.meetings_unplanned(noon(), until, since, None, 10).await.expect("a look");
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn only_edits_by_hand_get_a_new_updated_at() {
    let world = World::new().await;
    let people = verified(&world, 1).await;
    let MeetingDetails { meeting, .. } = call(&app(&world), &people[0], meeting(&[], 1)).await;
    let stored = async || -> Meeting {
        let mut found = world.store.meetings_by_id(&[meeting.id], Viewer::Service).await.expect("a read");
        found.remove(&meeting.id).expect("a meeting").expect("readable")
    };
    let confirm = MeetingWrite::ConfirmStart { id: meeting.id, tzdb: "2999a".to_owned() };
    world.store.commit(&Changes::new().write(confirm)).await.expect("a confirmation");
    world.store.commit(&Changes::new().write(UserWrite::Delete { id: people[0].id, at: noon() })).await.expect("gone");
    let after = Meeting { tzdb: "2999a".to_owned(), created_by: None, ..meeting.clone() };
    assert_eq!(stored().await, after);
    world.connection().await.execute("UPDATE taskflow.meetings SET location = 'Room 7'").await.expect("an edit");
    assert_ne!(stored().await.updated_at, meeting.updated_at);
}

#[tokio::test]
async fn meetings_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    let people = verified(&world, 2).await;
    call(&app(&world), &people[0], meeting(&people[1..], 3)).await;
    let mut other = world.connection().await;
    for damage in [
        "UPDATE taskflow.meetings SET title = ''",
        "UPDATE taskflow.meetings SET title = repeat('x', 256)",
        "UPDATE taskflow.meetings SET meeting_date = 'infinity'",
        "UPDATE taskflow.meetings SET local_start = '-infinity'",
        "UPDATE taskflow.meetings SET local_start = '10000-01-01 00:00:00'",
        "UPDATE taskflow.meetings SET duration_minutes = 0",
        "UPDATE taskflow.meetings SET duration_minutes = 1441",
        "UPDATE taskflow.meetings SET reminder_minutes = 40321",
        "UPDATE taskflow.meetings SET meeting_type = 'hall'",
        "UPDATE taskflow.meetings SET meeting_url = 'javascript:alert(1)'",
        "UPDATE taskflow.meetings SET sequence = -1",
        "UPDATE taskflow.meetings SET burst_since = now()",
        "UPDATE taskflow.meetings SET cancelled_at = '-infinity'",
        "UPDATE taskflow.meetings SET created_by = gen_random_uuid()",
        "UPDATE taskflow.meeting_participants SET role = 'guest'",
        "UPDATE taskflow.meeting_participants SET response_status = 'maybe'",
        "UPDATE taskflow.meeting_participants SET email_key = 'x'",
        "UPDATE taskflow.meeting_participants SET comment = ''",
        "UPDATE taskflow.meeting_participants SET reminders = '{1,2,3,4,5,6}'",
        "UPDATE taskflow.meeting_participants SET reminders = '{-1}'",
        "UPDATE taskflow.meeting_participants SET reminders = '{40321}'",
        "UPDATE taskflow.meeting_participants SET reminders = '{NULL}'",
        "UPDATE taskflow.meeting_participants SET reminders = '{{1,2},{3,4}}'",
        "UPDATE taskflow.meeting_participants SET told_version = 1",
        "UPDATE taskflow.meeting_participants SET removed_at = 'infinity'",
        "UPDATE taskflow.meeting_participants SET version = 0",
        "UPDATE taskflow.meeting_revisions SET facts = 'no JSON'",
        "UPDATE taskflow.meeting_revisions SET meeting_id = gen_random_uuid()",
        "DELETE FROM taskflow.meetings",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
    other.execute("UPDATE taskflow.meeting_participants SET reminders = '{}'").await.expect("none of their own");
}

#[tokio::test]
async fn a_damaged_meeting_can_be_read_and_nobody_is_written_to_at_a_damaged_address() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let MeetingDetails { meeting, participants } = call(&app(&world), &ada, meeting(&[], 1)).await;
    let mut other = world.connection().await;
    other.execute("UPDATE taskflow.meetings SET time_zone = 'Mars/Olympus'").await.expect("damage");
    other.execute("UPDATE taskflow.meeting_participants SET email = 'not an address'").await.expect("damage");
    let loaded = world.store.meetings_by_id(&[meeting.id], Viewer::Service).await.expect("a read");
    assert_eq!(loaded[&meeting.id].as_ref().map(|meeting| meeting.time_zone.name()), Ok("Mars/Olympus"));
    let loaded = world.store.participants_by_id(&[participants[0].id]).await.expect("a read");
    assert!(loaded[&participants[0].id].as_ref().is_ok_and(|participant| participant.email.is_unreadable()));
    let people = world.store.participants(&[meeting.id]).await.expect("a read");
    assert_eq!(people.len(), participants.len());
}

#[tokio::test]
async fn the_reminders_of_meetings_can_be_looked_at_in_plain_sql() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let MeetingDetails { meeting, .. } = call(&app(&world), &ada, meeting(&[], 2)).await;
    let look = "SELECT email, minutes, state FROM taskflow.meeting_reminders WHERE meeting_id = $1 ORDER BY email";
    let query = sqlx::query_as(look).bind(meeting.id.as_uuid());
    let rows: Vec<(String, i32, String)> = query.fetch_all(&mut world.connection().await).await.expect("rows");
    let row = |email: &str| (email.to_owned(), 15, "scheduled".to_owned());
    assert_eq!(rows, [row("ada@example.org"), row("guest-1@example.org")]);
}
