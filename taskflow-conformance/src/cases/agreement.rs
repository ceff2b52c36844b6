//! Preconditions of a commit: a response requires an unchanged meeting, a change of the meeting requires unchanged
//! participants.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{Changes, Meeting, MeetingWrite, ParticipantWrite, StoreError, Viewer};

use crate::OpenStore;
use crate::sample::{called, guest, meeting, meeting_id, noon, tomorrow, users};

const HOUR: Duration = Duration::from_hours(1);

fn moved(version: u64) -> MeetingWrite {
    MeetingWrite::Update(Meeting { version, starts_at: tomorrow() + HOUR, ..meeting(1, 1) })
}

fn answered(n: u64, version: u64) -> ParticipantWrite {
    let after = guest(n, 1).respond(taskflow_core::MeetingResponse::Accepted, None, noon());
    ParticipantWrite::Update(taskflow_core::Participant { version, ..after })
}

pub(super) async fn an_expected_version_of_a_meeting_is_checked_and_changes_nothing(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).and(called(meeting(1, 1), [guest(1, 1)]))).await.expect("a meeting");
    let expecting = |id, version| {
        Changes::new().write(answered(1, 2)).write(MeetingWrite::ExpectVersion { id: meeting_id(id), version })
    };
    for (id, version) in [(1, 2), (1, 0), (9, 1)] {
        let error = store.commit(&expecting(id, version)).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    store.commit(&expecting(1, 1)).await.expect("as expected");
    let found = store.meetings_by_id(&[meeting_id(1)], Viewer::Service).await.expect("a read");
    assert_eq!(found[&meeting_id(1)], Ok(meeting(1, 1)));
}

pub(super) async fn expected_participants_count_everybody_as_they_were_before(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let removed = taskflow_core::Participant { removed_at: Some(noon()), version: 4, ..guest(2, 1) };
    let elsewhere = called(meeting(2, 1), [guest(5, 2)]);
    let setup = users([1]).and(called(meeting(1, 1), [guest(1, 1), removed])).and(elsewhere);
    store.commit(&setup).await.expect("meetings");
    let expecting = |version, versions| {
        Changes::new()
            .write(moved(version))
            .write(ParticipantWrite::ExpectVersions { meeting: meeting_id(1), versions })
            .write(answered(1, 2))
            .write(ParticipantWrite::Insert(guest(3, 1)))
    };
    for versions in [0, 1, 4, 6, 7] {
        let error = store.commit(&expecting(2, versions)).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{versions}: {error:?}");
    }
    // What this commit itself writes does not count.
    store.commit(&expecting(2, 5)).await.expect("as expected");
    let none = Changes::new()
        .write(MeetingWrite::Update(Meeting { version: 2, ..meeting(2, 1) }))
        .write(ParticipantWrite::ExpectVersions { meeting: meeting_id(2), versions: 1 });
    store.commit(&none).await.expect("as expected");
}

pub(super) async fn an_answer_and_a_move_at_once_have_one_winner(open: Arc<dyn OpenStore>) {
    for round in 0..20 {
        let store = open.storage();
        let n = round * 10 + 1;
        let mine = meeting(n, 1);
        let people = [guest(n, n), guest(n + 1, n)];
        let setup = if round == 0 { users([1]) } else { Changes::new() };
        store.commit(&setup.and(called(mine.clone(), people.clone()))).await.expect("a meeting");
        let answer = Changes::new()
            .write(ParticipantWrite::Update(people[0].respond(taskflow_core::MeetingResponse::Declined, None, noon())))
            .write(MeetingWrite::ExpectVersion { id: mine.id, version: 1 });
        let moved = Changes::new()
            .write(MeetingWrite::Update(Meeting { version: 2, starts_at: tomorrow() + HOUR, ..mine }))
            .write(ParticipantWrite::ExpectVersions { meeting: mine.id, versions: 2 });
        let (answer, moved) = match round % 2 {
            0 => futures_util::future::join(store.commit(&answer), store.commit(&moved)).await,
            _ => {
                let (moved, answer) = futures_util::future::join(store.commit(&moved), store.commit(&answer)).await;
                (answer, moved)
            }
        };
        assert!(answer.is_ok() != moved.is_ok(), "{answer:?} {moved:?}");
        let lost = answer.err().or(moved.err());
        assert!(matches!(lost, Some(StoreError::Stale { .. })), "{lost:?}");
    }
}

pub(super) async fn answers_at_once_all_win(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).and(called(meeting(1, 1), (1..=16).map(|n| guest(n, 1))))).await.expect("a meeting");
    let answers = (1..=16).map(|n| {
        let expect = MeetingWrite::ExpectVersion { id: meeting_id(1), version: 1 };
        let (store, answer) = (store.clone(), Changes::new().write(answered(n, 2)).write(expect));
        async move { store.commit(&answer).await }
    });
    let results = futures_util::future::join_all(answers).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let all = store.participants(&[meeting_id(1)]).await.expect("a read");
    assert!(all.iter().all(|one| one.version == 2 && one.response == taskflow_core::MeetingResponse::Accepted));
}
