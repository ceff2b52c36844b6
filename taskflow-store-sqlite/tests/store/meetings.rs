//! Meetings as rows: what the schema refuses, what damage does, and how many a sweep looks at.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor, SqliteConnection};
use taskflow_conformance::ManualClock;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Deliveries, Meetings, Store};
use taskflow_core::{
    Actor, App, Invitee, MeetingChange, MeetingDetails, MeetingId, NewMeeting, Precondition, StartsAt, User, Viewer,
};

use crate::world::World;

/// A meeting in two hours with its organizer and one guest, made by the use case.
async fn called(world: &World, organizer: &User) -> (App, MeetingDetails) {
    let clock = Arc::new(ManualClock::at(noon()));
    let app = App::builder(Arc::new(world.store.clone())).clock(clock).build();
    let starts_at = StartsAt::Instant(noon() + Duration::from_hours(2));
    let guest = "guest@example.org".parse().expect("an address");
    let new = NewMeeting {
        invitees: vec![Invitee::new(guest)],
        ..NewMeeting::titled("Board".parse().expect("a title"), starts_at)
    };
    let details = app.meetings().create(Actor::User(organizer.id), new).await.expect("a meeting");
    (app, details)
}

#[tokio::test]
async fn meetings_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    called(&world, &ada).await;
    let mut other = world.connection().await;
    let token = "INSERT INTO taskflow_tokens (id, purpose, user_id, email, created_at, expires_at)
        SELECT id, 'verify_email', id, email, 0, 1 FROM taskflow_users";
    other.execute(token).await.expect("a token");
    for damage in [
        "UPDATE taskflow_meetings SET duration_minutes = 0",
        "UPDATE taskflow_meetings SET duration_minutes = 1441",
        "UPDATE taskflow_meetings SET reminder_minutes = -1",
        "UPDATE taskflow_meetings SET meeting_date = 'tomorrow'",
        "UPDATE taskflow_meetings SET meeting_type = 'by phone'",
        "UPDATE taskflow_meetings SET burst_since = 1",
        "UPDATE taskflow_meetings SET burst_since = 1, burst_due_at = 2",
        "UPDATE taskflow_meetings SET created_by = 'nobody'",
        "UPDATE taskflow_meetings SET sequence = -1",
        "UPDATE taskflow_meetings SET version = 0",
        "DELETE FROM taskflow_meetings",
        "UPDATE taskflow_meeting_participants SET meeting_id = 'unknown'",
        "UPDATE taskflow_meeting_participants SET user_id = 'nobody'",
        "UPDATE taskflow_meeting_participants SET email_key = 'the same'",
        "UPDATE taskflow_meeting_participants SET role = 'speaker'",
        "UPDATE taskflow_meeting_participants SET response_status = 'maybe'",
        "UPDATE taskflow_meeting_participants SET reminders = 'no JSON'",
        "UPDATE taskflow_meeting_participants SET reminders = '{}'",
        "UPDATE taskflow_meeting_participants SET reminders = '[1, 2, 3, 4, 5, 6]'",
        "UPDATE taskflow_meeting_participants SET told_version = 1",
        "UPDATE taskflow_meeting_participants SET told_on = 2, told_version = 1",
        "UPDATE taskflow_meeting_revisions SET facts = 'no JSON'",
        "UPDATE taskflow_meeting_revisions SET version = 0",
        "UPDATE taskflow_tokens SET purpose = 'open the door'",
        "UPDATE taskflow_tokens SET user_id = 'nobody'",
        "UPDATE taskflow_tokens SET expires_at = created_at - 1",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
}

#[tokio::test]
async fn damaged_rows_of_a_meeting_can_be_read_and_do_not_spoil_the_others() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let ((_, whole), (_, broken)) = (called(&world, &ada).await, called(&world, &ada).await);
    let (good, bad) = (whole.meeting.id, broken.meeting.id);
    let mut other = world.connection().await;
    for damage in [
        "UPDATE taskflow_meetings SET time_zone = 'Mars/Olympus' WHERE id = ?1",
        "UPDATE taskflow_meeting_participants SET reminders = '[40321]' WHERE meeting_id = ?1",
        "UPDATE taskflow_meeting_revisions SET facts = '{}' WHERE meeting_id = ?1",
    ] {
        sqlx::query(damage).bind(bad.to_string()).execute(&mut other).await.expect("damage");
    }

    let meetings = world.store.meetings_by_id(&[good, bad], Viewer::Service).await.expect("a read");
    assert_eq!(meetings[&good].as_ref(), Ok(&whole.meeting));
    assert_eq!(meetings[&bad].as_ref().map(|meeting| meeting.time_zone.name()), Ok("Mars/Olympus"));
    let ids = [whole.participants[1].id, broken.participants[1].id];
    let people = world.store.participants_by_id(&ids).await.expect("a read");
    assert_eq!(people[&ids[0]].as_ref(), Ok(&whole.participants[1]));
    let damaged = people[&ids[1]].as_ref().expect("readable");
    assert_eq!(damaged.reminders.as_ref().map(|own| own.minutes().len()), Some(0), "none rather than wrong ones");
    let revisions = world.store.revisions(&[(good, 1), (bad, u64::MAX)]).await.expect("a read");
    assert_eq!(revisions[&(good, 1)].as_ref().map(|revision| &revision.facts), Ok(&whole.meeting.facts()));
    assert_eq!(revisions[&(bad, u64::MAX)].as_ref().expect_err("damaged").column, "facts");
}

#[tokio::test]
async fn reminders_can_be_looked_at_in_plain_sql() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let (_, MeetingDetails { meeting, .. }) = called(&world, &ada).await;
    let mut other = world.connection().await;
    let rows =
        "SELECT meeting_id, email, minutes, due_at, sent_at, state FROM taskflow_meeting_reminders ORDER BY email";
    type Row = (Option<String>, Option<String>, Option<i64>, String, Option<String>, String);
    let found: Vec<Row> = sqlx::query_as(rows).fetch_all(&mut other).await.expect("rows");
    let due_at = (noon() + Duration::from_mins(105)).to_string();
    for ((id, email, minutes, due, sent, state), expected) in found.iter().zip(["ada@example.org", "guest@example.org"])
    {
        assert_eq!((id, email.as_deref()), (&Some(meeting.id.to_string()), Some(expected)));
        assert_eq!((minutes, due, sent, state.as_str()), (&Some(15), &due_at, &None, "scheduled"));
    }
    assert_eq!(found.len(), 2);
    let damage = "UPDATE taskflow_deliveries SET notice = 'no JSON', state = 'delivered', settled_at = due_at";
    other.execute(damage).await.expect("damage");
    let found: Vec<Row> = sqlx::query_as(rows).fetch_all(&mut other).await.expect("rows all the same");
    assert!(found.iter().all(|row| row.1.is_none() && row.4.as_ref() == Some(&due_at)), "{found:?}");
}

/// Meetings in two hours of which every reminder is planned, as a sweep finds most of them.
async fn many_in_order(conn: &mut SqliteConnection, count: u32) {
    let starts_at = (noon() + Duration::from_hours(2)).as_micros();
    let numbers = format!("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})");
    for insert in [
        format!(
            "{numbers} INSERT INTO taskflow_meetings (id, organizer_email, title, title_key, search_text, meeting_date,
                local_start, time_zone, tzdb, duration_minutes, meeting_type, reminder_minutes, sequence, version,
                created_at, updated_at)
            SELECT printf('00000000-0000-7000-8000-%012d', n), 'ada@example.org', 'a', 'a', 'a', {starts_at}, 0, 'UTC',
                '2026a', 60, 'in_person', 15, 0, 1, 0, 0
            FROM n"
        ),
        format!(
            "{numbers} INSERT INTO taskflow_meeting_participants (id, meeting_id, email, email_key, role,
                response_status, version)
            SELECT m.id, m.id, 'bob@example.org', 'bob@example.org', 'attendee', 'pending', 1
            FROM taskflow_meetings AS m"
        ),
        format!(
            "INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, attempts, cancel_requested, reason)
            SELECT m.id, 'meeting-reminder/' || m.id || '/{starts_at}/' || m.id || '/15', 'meeting_reminder', '{{}}', 1,
                'bob@example.org', 'scheduled', 0, 0, 0, 0, 0, 'a test'
            FROM taskflow_meetings AS m"
        ),
    ] {
        conn.execute(sqlx::AssertSqlSafe(insert)).await.expect("rows");
    }
}

#[tokio::test]
async fn a_sweep_finds_what_is_missing_among_many_that_are_in_order() {
    let world = World::new().await;
    let mut other = world.connection().await;
    many_in_order(&mut other, 450).await;
    let until = noon() + Duration::from_hours(25);
    let sweep =
        async |after, limit| world.store.meetings_unplanned(noon(), until, noon(), after, limit).await.expect("a read");
    assert_eq!(sweep(None, 10).await, []);
    let lost = "DELETE FROM taskflow_deliveries WHERE substr(id, -3) IN ('001', '199', '200', '201', '400', '450')";
    other.execute(lost).await.expect("a hand in the database");
    let numbered = |n: u32| -> MeetingId { format!("00000000-0000-7000-8000-{n:012}").parse().expect("an id") };
    assert_eq!(sweep(None, 10).await, [1, 199, 200, 201, 400, 450].map(numbered));
    assert_eq!(sweep(None, 4).await, [1, 199, 200, 201].map(numbered));
    let last = (noon() + Duration::from_hours(2), numbered(201));
    assert_eq!(sweep(Some(last), 10).await, [400, 450].map(numbered));
    assert_eq!(sweep(None, 0).await, []);
}

#[tokio::test]
async fn who_called_a_meeting_stays_away_once_they_are_gone() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let (app, before) = called(&world, &ada).await;
    let gone = taskflow_core::UserWrite::Delete { id: ada.id, at: noon() };
    world.store.commit(&taskflow_core::Changes::new().write(gone)).await.expect("gone");
    // Decided while ada was still there: her id does not come back.
    let late = taskflow_core::Meeting { version: 2, ..before.meeting.clone() };
    let late = taskflow_core::Changes::new().write(taskflow_core::MeetingWrite::Update(late));
    world.store.commit(&late).await.expect("the next version");
    let found = world.store.meetings_by_id(&[before.meeting.id], Viewer::Service).await.expect("a read");
    assert_eq!(found[&before.meeting.id].as_ref().expect("readable").created_by, None);
    let change = app
        .meetings()
        .update(Actor::User(bob.id), before.meeting.id, MeetingChange::default(), Precondition::Any)
        .await;
    assert!(change.is_err(), "nobody else may change it");
    assert_eq!(world.store.deliveries_with_key("meeting-invite/", 10).await.expect("a read").len(), 1);
}
