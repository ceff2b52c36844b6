use std::collections::{BTreeSet, HashMap};

use super::*;
use crate::notice::{TaskReminderNotice, WelcomeNotice};
use crate::{ChannelKind, DedupeKey, DeliveryId, NewUser, Notice, PreferencesChange, QuietHours, Recipient, UserId};

const NOW: &str = "2026-11-30T22:30:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn user_id() -> UserId {
    UserId::from_uuid(uuid::Uuid::from_u128(1))
}

/// An account in Berlin.
fn user() -> User {
    let new = NewUser {
        username: "ada".parse().expect("a name"),
        email: "ada@example.org".parse().expect("an address"),
        time_zone: Some("Europe/Berlin".parse().expect("a zone")),
        locale: None,
        is_admin: false,
    };
    User::new(user_id(), new, at("2026-11-22T12:00:00Z"))
}

fn report(change: impl FnOnce(&mut MailReport)) -> MailReport {
    let user = User { email_verified: true, ..user() };
    let mut report = MailReport {
        address: user.email.clone(),
        now: at(NOW),
        account: Some(user),
        suppression: None,
        unsubscribed: BTreeSet::new(),
        senders: Senders { running: 1, sending: 1 },
        counts: HashMap::new(),
        recent: Vec::new(),
        scheduled: Vec::new(),
        last_delivered: None,
        last_discarded: None,
    };
    change(&mut report);
    report
}

fn delivery(state: DeliveryState) -> Delivery {
    Delivery {
        id: DeliveryId::from_uuid(uuid::Uuid::from_u128(2)),
        dedupe_key: DedupeKey::new("welcome/1"),
        kind: NoticeKind::Welcome,
        notice: Ok(Notice::Welcome(WelcomeNotice { token: None })),
        recipient: Recipient::User(user_id()),
        state,
        planned_at: at("2026-11-30T22:00:00Z"),
        due_at: at("2026-11-30T22:00:00Z"),
        next_at: at("2026-11-30T22:00:00Z"),
        attempts: 0,
        first_claimed_at: None,
        settled_at: None,
        cancel_requested: false,
        last_error: None,
        reply: None,
        channel: ChannelKind::MAIL,
        reason: "the account was made".to_owned(),
    }
}

fn row(delivery: Delivery) -> LedgerRow {
    LedgerRow { delivery, email: None, name: None, subject: None }
}

fn codes(report: &MailReport) -> Vec<&'static str> {
    report.findings().iter().map(|finding| finding.code.as_str()).collect()
}

fn text(report: &MailReport, code: MailFindingCode) -> String {
    report.findings().into_iter().find(|finding| finding.code == code).expect("the finding").text
}

#[test]
fn an_unknown_address_has_one_finding() {
    let unknown = report(|report| report.account = None);
    assert!(unknown.is_unknown());
    assert_eq!(codes(&unknown), ["unknown"]);
}

#[test]
fn a_guest_is_told_apart_from_an_unknown_address() {
    let guest = report(|report| {
        report.account = None;
        report.recent = vec![row(delivery(DeliveryState::Delivered))];
        report.last_delivered = Some(delivery(DeliveryState::Delivered));
    });
    assert_eq!(codes(&guest), ["guest", "accepted"]);
}

#[test]
fn the_state_of_the_account_comes_first() {
    assert_eq!(codes(&report(|_| ())), ["account", "no_mail"]);
    let with = |change: fn(&mut User)| report(|report| change(report.account.as_mut().expect("an account")));
    assert_eq!(codes(&with(|user| user.is_active = false))[0], "locked");
    assert_eq!(codes(&with(|user| user.email_verified = false))[0], "unverified");
}

#[test]
fn a_suppression_names_since_when_by_whom_and_what_was_said() {
    let suppressed = report(|report| {
        let email = report.address.clone();
        let detail = "550 5.1.1\r\nno such user".to_owned();
        let at = at("2026-11-29T08:15:30Z");
        report.suppression = Some(Suppression::new(email, SuppressionCause::Refused, detail, at));
    });
    let text = text(&suppressed, MailFindingCode::Suppressed);
    for part in ["since 2026-11-29T08:15Z", "the relay refused the mailbox", "\"550 5.1.1 no such user\""] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_the_person_has_chosen_is_named() {
    let wishes = report(|report| {
        let user = report.account.as_mut().expect("an account");
        let minute = |text: &str| text.parse().expect("a minute");
        let quiet = QuietHours::new(minute("22:00"), minute("07:00")).expect("quiet hours");
        let change = PreferencesChange { quiet_hours: Some(Some(quiet)), ..PreferencesChange::default() };
        user.preferences = user.preferences.with(&change).without(NoticeKind::TaskDue);
    });
    assert!(text(&wishes, MailFindingCode::SwitchedOff).contains("task_due"));
    // 22:30 UTC is 23:30 in Berlin.
    assert!(text(&wishes, MailFindingCode::QuietHours).contains("last until 2026-12-01T06:00Z"));
}

#[test]
fn servers_that_do_not_send_are_named() {
    let with = |running, sending| codes(&report(|report| report.senders = Senders { running, sending }));
    assert!(with(0, 0).contains(&"no_server"));
    assert!(with(2, 0).contains(&"mail_held"));
    assert!(!with(2, 1).contains(&"mail_held"));
}

#[test]
fn each_state_of_a_delivery_is_explained() {
    let report = report(|_| ());
    let explain = |state, change: fn(&mut Delivery)| {
        let mut one = delivery(state);
        change(&mut one);
        report.explain(&one)
    };
    assert_eq!(explain(DeliveryState::Scheduled, |_| ()), "due, waits for a server to send it");
    let later = explain(DeliveryState::Scheduled, |one| {
        one.due_at = at("2026-12-01T08:00:00Z");
        one.next_at = one.due_at;
    });
    assert_eq!(later, "leaves at 2026-12-01T08:00Z");
    let held = explain(DeliveryState::Scheduled, |one| one.next_at = at("2026-12-01T06:00:00Z"));
    assert_eq!(held, "held until 2026-12-01T06:00Z");
    let failing = explain(DeliveryState::Scheduled, |one| {
        (one.attempts, one.last_error) = (2, Some("451 4.3.0 try later".to_owned()));
        one.next_at = at("2026-11-30T22:35:00Z");
    });
    assert_eq!(failing, "2 attempts failed, the next one is at 2026-11-30T22:35Z: \"451 4.3.0 try later\"");
    let accepted = explain(DeliveryState::Delivered, |one| {
        (one.settled_at, one.reply) = (Some(at("2026-11-30T22:01:00Z")), Some("250 ok".to_owned()));
    });
    assert_eq!(accepted, "accepted by the relay at 2026-11-30T22:01Z: \"250 ok\"");
    let refused_before =
        explain(DeliveryState::Delivered, |one| (one.attempts, one.reply) = (1, Some("250 ok".to_owned())));
    assert_eq!(refused_before, "accepted by the relay at 2026-11-30T22:00Z after 1 refusal: \"250 ok\"");
    let captured = explain(DeliveryState::Delivered, |one| one.reply = Some(CapturedMail::REPLY.to_owned()));
    assert_eq!(captured, "kept at /mailbox at 2026-11-30T22:00Z; nothing has left this machine");
    let late = explain(DeliveryState::Scheduled, |one| one.planned_at = at("2026-11-30T22:15:00Z"));
    assert_eq!(late, "planned at 2026-11-30T22:15Z, already due; waits for a server to send it");
    let discarded = explain(DeliveryState::Discarded, |one| {
        (one.attempts, one.last_error) = (1, Some("550 no".to_owned()));
    });
    assert_eq!(discarded, "discarded at 2026-11-30T22:00Z after 1 attempt: \"550 no\"");
    assert!(explain(DeliveryState::Expired, |_| ()).starts_with("expired at 2026-11-30T22:00Z: "));
    assert_eq!(explain(DeliveryState::Claimed, |_| ()), "being sent now");
}

#[test]
fn the_latest_failure_and_the_latest_success_are_findings() {
    let report = report(|report| {
        let failing =
            Delivery { last_error: Some("451 busy".to_owned()), attempts: 1, ..delivery(DeliveryState::Scheduled) };
        let discarded = Delivery { last_error: Some("554 spam".to_owned()), ..delivery(DeliveryState::Discarded) };
        report.recent = vec![row(failing.clone())];
        report.scheduled = vec![failing, delivery(DeliveryState::Scheduled)];
        report.last_discarded = Some(discarded);
        report.last_delivered = Some(delivery(DeliveryState::Delivered));
    });
    assert_eq!(codes(&report), ["account", "due", "retrying", "discarded", "accepted"]);
    assert!(text(&report, MailFindingCode::Due).starts_with("1 mail is due"));
    assert!(text(&report, MailFindingCode::Discarded).contains("\"554 spam\""));
}

#[test]
fn what_will_be_cancelled_does_not_claim_to_leave() {
    let later = |delivery: Delivery| Delivery { next_at: at("2026-12-01T08:00:00Z"), ..delivery };
    let reminder = || Delivery {
        kind: NoticeKind::TaskReminder,
        notice: Ok(Notice::TaskReminder(TaskReminderNotice { date: "2026-12-01".parse().expect("a date") })),
        ..later(delivery(DeliveryState::Scheduled))
    };
    let off = report(|report| {
        let user = report.account.as_mut().expect("an account");
        user.preferences = user.preferences.without(NoticeKind::TaskReminder);
    });
    assert_eq!(off.explain(&reminder()), "will be cancelled: the person has switched off task_reminder");
    let locked = report(|report| report.account.as_mut().expect("an account").is_active = false);
    assert_eq!(locked.explain(&reminder()), "will be cancelled: the account is locked");
    let suppressed = report(|report| {
        let email = report.address.clone();
        report.suppression = Some(Suppression::new(email, SuppressionCause::Admin, String::new(), at(NOW)));
        report.scheduled = vec![delivery(DeliveryState::Scheduled)];
        report.recent = vec![row(delivery(DeliveryState::Scheduled))];
    });
    assert_eq!(suppressed.explain(&reminder()), "will be cancelled: the address is suppressed");
    assert!(!codes(&suppressed).contains(&"due"), "{:?}", codes(&suppressed));
    let guest = report(|report| {
        report.account = None;
        report.unsubscribed = BTreeSet::from([NoticeKind::MeetingReminder]);
        report.recent = vec![row(delivery(DeliveryState::Delivered))];
    });
    let to_guest = |kind| Delivery { kind, recipient: Recipient::Address(guest.address.clone()), ..reminder() };
    assert_eq!(
        guest.explain(&to_guest(NoticeKind::MeetingReminder)),
        "will be cancelled: the guest has unsubscribed from meeting_reminder"
    );
    assert_eq!(guest.explain(&to_guest(NoticeKind::MeetingInvite)), "held until 2026-12-01T08:00Z");
    assert!(text(&guest, MailFindingCode::Unsubscribed).contains("meeting_reminder"));
}

#[test]
fn several_mails_wait_and_one_waits() {
    let due = |count| {
        let report = report(|report| {
            report.scheduled = vec![delivery(DeliveryState::Scheduled); count];
            report.recent = vec![row(delivery(DeliveryState::Scheduled))];
        });
        text(&report, MailFindingCode::Due)
    };
    assert_eq!(due(1), "1 mail is due and waits for a server to send it.");
    assert_eq!(due(4), "4 mails are due and wait for a server to send them.");
}
