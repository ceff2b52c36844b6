//! Relays that slow us down, hang up or fail at random: what that costs, and whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Accepted, MailError, Mailer};
use taskflow_mail::SmtpMailer;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Rig, mail, mail_to, permanent, transient, unavailable};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn whom_the_relay_hangs_up_on_loses_a_turn_and_nobody_else_does() {
    for stage in [Stage::Rcpt, Stage::Data, Stage::Dot] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
        rig.server.when_to("odd@reader.example", stage, Fault::Answer(421));
        for n in 0..3 {
            rig.mailer.send(&mail(n)).await.unwrap();
            assert_eq!(
                transient(rig.mailer.send(&mail_to(9, "odd@reader.example")).await).code,
                Some(421),
                "{stage:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_relay_that_hangs_up_on_everybody_uses_up_one_attempt_and_is_asked_once_a_second() {
    for stage in [Stage::Rcpt, Stage::Data, Stage::Dot] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
        rig.mailer.send(&mail(1)).await.unwrap();
        rig.server.when(stage, Fault::Answer(421));
        assert_eq!(transient(rig.mailer.send(&mail(2)).await).code, Some(421));
        for second in 0..3 {
            for _ in 0..10 {
                unavailable(rig.mailer.send(&mail(3)).await);
            }
            assert_eq!(rig.server.connections(), 2 + second, "{stage:?}");
            rig.clock.advance(SECOND);
        }
        rig.server.obey();
        rig.mailer.send(&mail(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_relay_that_says_421_to_a_recipient_and_goes_on_is_used_on() {
    let (port, relay) = crate::support::scripted(&[
        ("EHLO", "250 me\r\n"),
        ("EHLO", "250 me\r\n"),
        ("MAIL", "250 a\r\n"),
        ("RCPT", "421 4.2.1 try later\r\n"),
        ("RSET", "250 ok\r\n"),
        ("MAIL", "250 a\r\n"),
        ("RCPT", "250 b\r\n"),
        ("DATA", "354 c\r\n"),
        (".", "250 taken\r\n"),
    ])
    .await;
    let (mailer, _) = crate::support::mailer(crate::support::settings(port));
    assert_eq!(transient(mailer.send(&mail(1)).await).to_string(), "421 4.2.1 try later");
    assert_eq!(mailer.send(&mail(2)).await.unwrap().reply, "250 taken");
    drop(mailer);
    relay.await.unwrap();
}

#[tokio::test]
async fn a_relay_that_is_too_slow_for_us_gets_a_second_of_peace_and_no_attempt_is_used() {
    for (stage, fault) in [
        (Stage::Mail, Fault::Answer(454)),
        (Stage::Rcpt, Fault::Say("454 too many messages")),
        (Stage::Dot, Fault::Say("454 too many messages")),
    ] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
        rig.mailer.send(&mail(1)).await.unwrap();
        rig.server.once(stage, fault);
        for _ in 0..5 {
            assert!(unavailable(rig.mailer.send(&mail(2)).await).contains("454"));
        }
        let begun = rig.server.commands().iter().filter(|line| line.starts_with("MAIL")).count();
        assert_eq!(begun, 2, "{stage:?}");
        rig.clock.advance(SECOND);
        rig.mailer.send(&mail(2)).await.unwrap();
        assert_eq!((rig.server.count(), rig.server.connections()), (2, 1));
    }
}

#[tokio::test]
async fn a_relay_that_refuses_everybody_for_its_own_reasons_meets_one_mail_a_second() {
    for (stage, answer) in [
        (Stage::Greeting, "554 5.3.2 not now"),
        (Stage::Mail, "550 5.7.1 sender address rejected"),
        (Stage::Mail, "452 4.2.2 the sender is over quota"),
        (Stage::Mail, "451 4.3.0 temporary failure"),
        (Stage::Mail, "530 5.7.0 authentication required"),
        (Stage::Rcpt, "421 4.7.0 too many errors"),
        (Stage::Rcpt, "554 5.7.1 client host blocked"),
        (Stage::Rcpt, "550 5.4.5 daily sending quota exceeded"),
        (Stage::Dot, "421 4.3.2 shutting down"),
        (Stage::Dot, "554 5.7.26 unauthenticated mail is not accepted"),
    ] {
        for pipelining in [true, false] {
            let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings).await;
            rig.server.when(stage, Fault::Say(answer));
            for second in 1..=10 {
                let before = begun(&rig);
                for (_, sent) in send_all(&rig.mailer, (0..20).map(|n| (n, mail(n)))).await {
                    sent.unwrap_err();
                }
                let now = begun(&rig);
                assert!(second == 1 || now - before <= 1, "{answer}: {before} {now}");
                // Before it is known, as many mails are offered as are on their way side by side.
                let at_first = if stage == Stage::Dot { 16 } else { 6 };
                assert!(rig.server.connections() <= second + at_first, "{answer}: {}", rig.server.connections());
                rig.clock.advance(SECOND);
            }
            rig.server.obey();
            for (_, sent) in send_all(&rig.mailer, (0..20).map(|n| (n, mail(n)))).await {
                sent.unwrap();
            }
        }
    }
}

fn begun(rig: &Rig) -> usize {
    rig.server.commands().iter().filter(|line| line.starts_with("MAIL")).count()
}

#[tokio::test]
async fn a_relay_that_allows_fewer_connections_gets_all_mail_over_those() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(8)).await;
    rig.server.most_connections(2);
    // One is let in first, so that the others have somebody to wait for.
    rig.mailer.send(&mail(0)).await.unwrap();
    for (_, sent) in send_all(&rig.mailer, (1..200).map(|n| (n, mail(n)))).await {
        sent.unwrap();
    }
    assert_eq!(rig.server.count(), 200);
    assert!(rig.server.connections() <= 12, "{}", rig.server.connections());
}

#[tokio::test]
async fn a_mail_larger_than_the_relay_takes_is_refused_before_it_travels() {
    let rig = Rig::with(SmtpServer::builder().largest(5_000), |settings| settings).await;
    let mut large = mail(1);
    large.content.text = "line of text\n".repeat(500);
    let reply = permanent(rig.mailer.send(&large).await);
    assert!(reply.text.contains("at most 5000"), "{reply}");
    assert!(!rig.server.commands().iter().any(|line| line.starts_with("MAIL")));
    rig.mailer.send(&mail(2)).await.unwrap();
    assert!(rig.server.commands().iter().any(|line| line.starts_with("MAIL FROM:<tasks@sender.example> SIZE=")));
    assert_eq!(rig.server.connections(), 1);
}

#[tokio::test]
async fn mail_leaves_at_the_rate_that_was_set_and_who_would_wait_for_too_long_is_told() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.rate(100.0)).await;
    assert_eq!(rig.mailer.room(), 16);
    let began = Instant::now();
    for (_, sent) in send_all(&rig.mailer, (0..60).map(|n| (n, mail(n)))).await {
        sent.unwrap();
    }
    // Ten may leave at once, the others one after another.
    assert!(began.elapsed() >= Duration::from_millis(490), "{:?}", began.elapsed());
    rig.mailer.set_rate(0.2).unwrap();
    assert_eq!(rig.mailer.room(), 1);
    assert!(rig.mailer.set_rate(f64::NAN).is_err() && rig.mailer.set_rate(-1.0).is_err());
    rig.mailer.set_rate(0.0).unwrap();
    for (_, sent) in send_all(&rig.mailer, (60..200).map(|n| (n, mail(n)))).await {
        sent.unwrap();
    }
}

#[tokio::test]
async fn who_gets_no_turn_within_half_of_the_time_has_used_no_attempt() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.rate(0.1).mail_limit(SECOND)).await;
    rig.mailer.send(&mail(1)).await.unwrap();
    let began = Instant::now();
    assert!(unavailable(rig.mailer.send(&mail(2)).await).contains("rate"));
    assert!(began.elapsed() < SECOND);
}

/// Sends them side by side.
async fn send_all(
    mailer: &Arc<SmtpMailer>,
    mails: impl IntoIterator<Item = (u32, taskflow_core::Mail)>,
) -> Vec<(u32, Result<Accepted, MailError>)> {
    let mut sending = JoinSet::new();
    for (n, mail) in mails {
        let mailer = Arc::clone(mailer);
        sending.spawn(async move { (n, mailer.send(&mail).await) });
    }
    sending.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_worst_of_weathers_everybody_gets_exactly_one_mail_and_every_refusal_is_told() {
    const MAILS: u32 = 2000;
    for pipelining in [true, false] {
        let offers = SmtpServer::builder().pipelining(pipelining);
        let rig = Rig::with(offers, |settings| settings.mail_limit(SECOND * 10).command_limit(SECOND * 2)).await;
        rig.server.close_after(100);
        rig.server.every(10, Stage::Rcpt, Fault::Answer(450));
        rig.server.every(1000, Stage::Dot, Fault::Hang);
        rig.server.every(700, Stage::Mail, Fault::Hang);
        rig.server.every(300, Stage::Rcpt, Fault::Drop);
        rig.server.every(290, Stage::Data, Fault::Drop);
        rig.server.every(280, Stage::Dot, Fault::Drop);
        rig.server.every(270, Stage::Data, Fault::Answer(421));
        let to = |n: u32| match n % 100 {
            0 => "gone@reader.example",
            _ => "ada@reader.example",
        };
        rig.server.when_to("gone@reader.example", Stage::Data, Fault::Answer(550));
        let (mut taken, mut gone, mut retried) = (BTreeSet::new(), BTreeSet::new(), 0);
        let mut due: Vec<u32> = (0..MAILS).collect();
        while !due.is_empty() {
            let mut later = Vec::new();
            // As many side by side as a sender has on their way.
            for batch in due.chunks(32) {
                for (n, sent) in send_all(&rig.mailer, batch.iter().map(|n| (*n, mail_to(*n, to(*n))))).await {
                    match sent {
                        Ok(_) => assert!(taken.insert(n), "{n} was taken twice"),
                        Err(MailError::Permanent(reply)) => {
                            assert_eq!(reply.code, Some(550));
                            assert!(gone.insert(n));
                        }
                        Err(MailError::Transient(_)) => {
                            retried += 1;
                            later.push(n);
                        }
                        Err(MailError::Unavailable(_)) => later.push(n),
                    }
                }
            }
            rig.clock.advance(SECOND);
            due = later;
        }
        assert_eq!(gone, (0..MAILS).filter(|n| n % 100 == 0).collect());
        assert_eq!(taken, (0..MAILS).filter(|n| n % 100 != 0).collect());
        let mut copies = BTreeMap::new();
        for mail in rig.server.mails() {
            *copies.entry(message_id(&mail.data)).or_insert(0) += 1;
        }
        assert_eq!((copies.len(), rig.server.count()), (taken.len(), taken.len()), "{pipelining}");
        // A tenth, and what was dropped or hung.
        assert!((150..600).contains(&retried), "{retried}");
    }
}

fn message_id(source: &[u8]) -> String {
    let source = String::from_utf8_lossy(source);
    source.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default().to_owned()
}
