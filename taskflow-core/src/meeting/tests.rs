use super::*;
use crate::error::FieldError;
use crate::{Mailbox, MeetingId};

const QUIET: Duration = Duration::from_mins(1);

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

/// Returns a meeting at ten o'clock in Berlin on the day after.
fn meeting() -> Meeting {
    let (id, address) = (uuid::Uuid::nil(), "ada@example.org".parse().expect("an address"));
    let local = "2026-11-23T10:00:00".parse().expect("a local time");
    let new = NewMeeting::titled("Board".parse().expect("a title"), StartsAt::Local(local));
    let zone = "Europe/Berlin".parse().expect("a zone");
    let organizer = Mailbox { name: None, address };
    Meeting::new(MeetingId::from_uuid(id), UserId::from_uuid(id), organizer, &zone, new, now()).expect("a meeting")
}

fn to_start(starts_at: &str) -> MeetingChange {
    MeetingChange { starts_at: Some(StartsAt::Instant(at(starts_at))), ..MeetingChange::default() }
}

fn applied(before: &Meeting, change: MeetingChange) -> Meeting {
    before.apply(change, now(), QUIET).expect("legal")
}

fn refused(result: Result<Meeting, FieldError>) -> String {
    result.expect_err("illegal").field
}

#[test]
fn a_change_that_changes_nothing_keeps_the_version() {
    let before = meeting();
    assert_eq!(applied(&before, MeetingChange::default()), before);
    let same = MeetingChange {
        title: Some(before.title.clone()),
        starts_at: Some(StartsAt::Instant(before.starts_at)),
        status: Some(MeetingStatus::Scheduled),
        ..MeetingChange::default()
    };
    assert_eq!(applied(&before, same), before);
}

#[test]
fn time_and_place_raise_the_sequence_and_words_do_not() {
    let before = meeting();
    let moved = applied(&before, to_start("2026-11-24T09:00:00Z"));
    assert_eq!((moved.sequence, moved.version), (1, 2));
    let placed = MeetingChange { location: Some("Room 7".parse().ok()), ..MeetingChange::default() };
    assert_eq!(applied(&moved, placed).sequence, 2);
    let titled = MeetingChange { title: "Another".parse().ok(), ..MeetingChange::default() };
    assert_eq!(applied(&before, titled).sequence, 0);
    let minutes = MeetingChange { reminder_minutes: ReminderMinutes::new(5).ok(), ..MeetingChange::default() };
    let reminding = applied(&before, minutes);
    assert_eq!((reminding.sequence, reminding.version, reminding.burst), (0, 2, None));
}

#[test]
fn another_zone_by_itself_leaves_the_instant() {
    let zone = "America/New_York".parse().ok();
    let after = applied(&meeting(), MeetingChange { time_zone: zone, ..MeetingChange::default() });
    assert_eq!(after.starts_at, meeting().starts_at);
    assert_eq!(after.local_start.to_string(), "2026-11-23 04:00:00");
}

#[test]
fn a_meeting_must_lie_ahead_when_it_is_set() {
    assert_eq!(refused(meeting().apply(to_start("2026-11-22T12:00:00Z"), now(), QUIET)), "meeting_date");
    assert_eq!(refused(meeting().apply(to_start("9999-01-01T00:00:00Z"), now(), QUIET)), "meeting_date");
    // What has begun may still be renamed and made longer.
    let later = at("2026-11-23T09:30:00Z");
    let longer = MeetingChange { duration: DurationMinutes::new(120).ok(), ..MeetingChange::default() };
    assert_eq!(meeting().apply(longer, later, QUIET).expect("legal").status(later), MeetingStatus::InProgress);
}

#[test]
fn the_status_follows_from_the_clock_except_the_end() {
    let before = meeting();
    let set = |status| MeetingChange { status: Some(status), ..MeetingChange::default() };
    let ended = applied(&before, set(MeetingStatus::Completed));
    assert_eq!((ended.ended_at, ended.status(now()), ended.is_on()), (Some(now()), MeetingStatus::Completed, false));
    // Moving it makes it one that is yet to come.
    assert!(applied(&ended, to_start("2026-11-24T09:00:00Z")).is_on());
    assert_eq!(refused(before.apply(set(MeetingStatus::InProgress), now(), QUIET)), "status");
    assert_eq!(refused(ended.apply(set(MeetingStatus::Scheduled), now(), QUIET)), "status");
    let cancelled = applied(&before, set(MeetingStatus::Cancelled));
    assert_eq!(cancelled.status(now()), MeetingStatus::Cancelled);
    assert_eq!(refused(cancelled.apply(MeetingChange::default(), now(), QUIET)), "status");
}

#[test]
fn cancelling_and_restoring_raise_the_sequence_and_do_nothing_twice() {
    let cancelled = meeting().cancel(now());
    assert_eq!((cancelled.sequence, cancelled.version), (1, 2));
    assert_eq!(cancelled.cancel(now() + QUIET), cancelled);
    let restored = cancelled.restore(now()).expect("lies ahead");
    assert_eq!((restored.sequence, restored.version, restored.cancelled_at), (2, 3, None));
    assert_eq!(restored.restore(now()).expect("nothing to do"), restored);
    assert_eq!(refused(cancelled.restore(cancelled.starts_at)), "meeting_date");
}

#[test]
fn changes_wait_for_quiet_but_not_for_ever() {
    let mut meeting = meeting();
    let mut due = Vec::new();
    for n in 0..8 {
        let time = now() + Duration::from_secs(50) * n;
        let title = MeetingChange { title: format!("Number {n}").parse().ok(), ..MeetingChange::default() };
        meeting = meeting.apply(title, time, QUIET).expect("legal");
        let burst = meeting.burst.expect("people must be told");
        assert_eq!(burst.version, meeting.version);
        due.push(burst.due_at.since(now()).as_secs());
    }
    // The seventh comes as people have been told of the first six.
    assert_eq!(due, [60, 110, 160, 210, 260, 300, 360, 410]);
}

#[test]
fn the_wall_time_stays_when_the_rules_of_the_zone_change() {
    let right = meeting();
    let old =
        Meeting { starts_at: right.starts_at + Duration::from_hours(1), tzdb: "2020a".to_owned(), ..right.clone() };
    let after = old.by_current_rules(now(), QUIET);
    assert_eq!((after.starts_at, after.local_start), (right.starts_at, right.local_start));
    assert_eq!((after.version, after.sequence, after.tzdb), (2, 1, right.tzdb.clone()));
    // An edit before the sweep does not make the wrong hour the agreed one.
    let titled = MeetingChange { title: "Another".parse().ok(), ..MeetingChange::default() };
    let edited = applied(&old, titled);
    assert_eq!((edited.starts_at, edited.local_start), (right.starts_at, right.local_start));
    // Nor does a client that sends back what it was shown.
    let echoed =
        applied(&old, MeetingChange { starts_at: Some(StartsAt::Instant(old.starts_at)), ..Default::default() });
    assert_eq!(echoed.starts_at, right.starts_at);
    assert_eq!(right.by_current_rules(now(), QUIET), right);
}

#[test]
fn news_is_the_difference_between_what_was_told_and_what_is() {
    let before = meeting();
    let invitee = Invitee::new("eve@example.org".parse().expect("an address"));
    let eve = Participant::invited(crate::ParticipantId::from_uuid(uuid::Uuid::nil()), before.id, invitee, None);
    let knows = |on| Participant { told: Some(LastNotified { version: 1, on }), ..eve.clone() };
    let (facts, off) = (before.facts(), before.cancel(now()));
    let moved = applied(&before, to_start("2026-11-24T09:00:00Z"));
    assert_eq!(pending_update(&before, &eve, None), Some(PendingUpdate::Invited));
    assert_eq!(pending_update(&before, &knows(false), Some(&facts)), Some(PendingUpdate::Invited));
    assert_eq!(pending_update(&before, &knows(true), Some(&facts)), None);
    assert_eq!(pending_update(&moved, &knows(true), Some(&facts)), Some(PendingUpdate::Changed(facts.clone())));
    assert_eq!(pending_update(&off, &knows(true), Some(&facts)), Some(PendingUpdate::Cancelled));
    assert_eq!(pending_update(&before, &knows(true).remove(now()), Some(&facts)), Some(PendingUpdate::Cancelled));
    assert_eq!((pending_update(&off, &eve, None), pending_update(&off, &knows(false), Some(&facts))), (None, None));
}
