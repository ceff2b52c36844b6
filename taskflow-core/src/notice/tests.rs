use super::*;
use crate::{MeetingId, TaskId, TaskStatus, TokenId};
use chrono::NaiveDate;

#[test]
fn an_alert_of_another_version_can_be_read() {
    let read = |areas: &str| {
        let stored = format!(r#"{{"kind":"server_alert","since":"2026-11-22T12:00:00Z","problems":["x"]{areas}}}"#);
        match serde_json::from_str(&stored) {
            Ok(Notice::ServerAlert(alert)) => alert.areas,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(""), []);
    assert_eq!(read(r#","areas":["disk","moon"]"#), [ProblemArea::Disk, ProblemArea::Unknown]);
}

#[test]
fn the_stored_form_carries_its_kind_and_round_trips() {
    let task = TaskId::from_uuid(uuid::Uuid::nil());
    let meeting = MeetingId::from_uuid(uuid::Uuid::nil());
    let participant = ParticipantId::from_uuid(uuid::Uuid::nil());
    let (starts_at, message) = (Timestamp::MIN, Some("bring cake".to_owned()));
    for notice in [
        Notice::Welcome(WelcomeNotice { token: None }),
        Notice::Welcome(WelcomeNotice { token: Some(TokenId::from_uuid(uuid::Uuid::nil())) }),
        Notice::VerifyEmail(VerifyEmailNotice {
            token: TokenId::from_uuid(uuid::Uuid::nil()),
            expires_at: Timestamp::MAX,
        }),
        Notice::PasswordReset(PasswordResetNotice {
            token: TokenId::from_uuid(uuid::Uuid::nil()),
            expires_at: Timestamp::MAX,
        }),
        Notice::PasswordChanged(PasswordChangedNotice { at: Timestamp::MAX }),
        Notice::TaskDue(TaskDueNotice { task, due_at: Timestamp::MIN }),
        Notice::TaskReminder(TaskReminderNotice { date: NaiveDate::default() }),
        Notice::DailySummary(DailySummaryNotice { date: NaiveDate::default() }),
        Notice::ServerAlert(ServerAlertNotice {
            since: Timestamp::MIN,
            problems: vec!["x".to_owned()],
            areas: Vec::new(),
        }),
        Notice::ServerAlert(ServerAlertNotice {
            since: Timestamp::MIN,
            problems: Vec::new(),
            areas: vec![ProblemArea::MailQueue],
        }),
        Notice::ServerRecovery(ServerRecoveryNotice {
            since: Timestamp::MIN,
            until: Timestamp::MAX,
            problems: Vec::new(),
        }),
        Notice::TaskStatus(TaskStatusNotice { task, was: TaskStatus::Pending, is: TaskStatus::Completed }),
        Notice::Sample(SampleNotice { of: NoticeKind::Welcome }),
        Notice::Letter(CustomEmail {
            subject: "x".to_owned(),
            text: Some("y".to_owned()),
            html: None,
            to: vec!["ada@example.org".to_owned()],
            cc: Vec::new(),
            reply_to: None,
        }),
        Notice::MeetingInvite(MeetingInviteNotice { meeting, participant, again: false }),
        Notice::MeetingInvite(MeetingInviteNotice { meeting, participant, again: true }),
        Notice::MeetingChange(MeetingChangeNotice { meeting, participant, version: 3 }),
        Notice::MeetingCancel(MeetingCancelNotice { meeting, participant }),
        Notice::MeetingReminder(MeetingReminderNotice { meeting, participant, starts_at, minutes: Some(15), message }),
        Notice::MeetingLeft(MeetingLeftNotice { meeting, participant }),
        Notice::MeetingProposal(MeetingProposalNotice { meeting, participant, starts_at: Some(starts_at) }),
        Notice::MeetingProposal(MeetingProposalNotice { meeting, participant, starts_at: None }),
        Notice::MeetingUndelivered(MeetingUndeliveredNotice { meeting, participant }),
    ] {
        let stored = serde_json::to_value(&notice).expect("a JSON object");
        assert_eq!(stored["kind"], notice.kind().as_str());
        assert_eq!(serde_json::from_value::<Notice>(stored).expect("readable"), notice);
    }
}

#[test]
fn every_kind_is_read_by_its_word() {
    for kind in NoticeKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
}
