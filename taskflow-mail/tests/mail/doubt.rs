//! What an answer, or none, means for a mail; and that no mail ever counts as sent on the answer to another.

use std::time::Duration;

use taskflow_core::ports::Mailer;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Rig, mail, mail_to, mailer, permanent, scripted, settings, transient, unavailable};

/// Long enough for a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

/// A rig whose limits are over soon.
async fn hasty(pipelining: bool) -> Rig {
    let offers = SmtpServer::builder().pipelining(pipelining);
    Rig::with(offers, |settings| settings.connections(1).mail_limit(SHORT)).await
}

#[tokio::test]
async fn a_refused_recipient_harms_no_other_on_the_same_connection() {
    for pipelining in [true, false] {
        let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings.connections(1)).await;
        rig.server.when_to("later@reader.example", Stage::Rcpt, Fault::Answer(450));
        rig.server.when_to("never@reader.example", Stage::Rcpt, Fault::Answer(550));
        for n in 0..3 {
            rig.mailer.send(&mail(n)).await.unwrap();
            let reply = transient(rig.mailer.send(&mail_to(10, "later@reader.example")).await);
            assert_eq!(reply.to_string(), "450 as the test wishes");
            rig.mailer.send(&mail(20 + n)).await.unwrap();
            let reply = permanent(rig.mailer.send(&mail_to(30, "never@reader.example")).await);
            assert_eq!(reply.to_string(), "550 as the test wishes");
        }
        assert_eq!((rig.server.count(), rig.server.connections()), (6, 1));
    }
}

#[tokio::test]
async fn a_refused_sender_leaves_the_connection_usable() {
    for pipelining in [true, false] {
        let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings).await;
        rig.server.once(Stage::Mail, Fault::Answer(451));
        assert_eq!(transient(rig.mailer.send(&mail(1)).await).code, Some(451));
        // It is about us: everybody waits for a second.
        unavailable(rig.mailer.send(&mail(1)).await);
        rig.clock.advance(SHORT);
        rig.mailer.send(&mail(1)).await.unwrap();
        assert_eq!((rig.server.count(), rig.server.connections()), (1, 1));
    }
}

#[tokio::test]
async fn a_mail_refused_after_data_is_judged_by_the_code() {
    for stage in [Stage::Data, Stage::Dot] {
        let rig = Rig::plain().await;
        rig.server.once(stage, Fault::Answer(452));
        assert_eq!(transient(rig.mailer.send(&mail(1)).await).code, Some(452));
        rig.server.once(stage, Fault::Answer(554));
        assert_eq!(permanent(rig.mailer.send(&mail(1)).await).code, Some(554));
        rig.mailer.send(&mail(1)).await.unwrap();
        assert_eq!((rig.server.count(), rig.server.connections()), (1, 1));
    }
}

#[tokio::test]
async fn before_an_answer_to_mail_the_relay_is_unavailable_and_afterwards_the_mail_is_in_doubt() {
    let mut cases = JoinSet::new();
    for pipelining in [true, false] {
        for fault in [Fault::Drop, Fault::Hang] {
            for stage in [Stage::Greeting, Stage::Mail] {
                cases.spawn(async move {
                    let rig = hasty(pipelining).await;
                    rig.server.once(stage, fault);
                    unavailable(rig.mailer.send(&mail(1)).await);
                    rig.clock.advance(Duration::from_secs(1));
                    rig.mailer.send(&mail(2)).await.unwrap();
                });
            }
            for stage in [Stage::Rcpt, Stage::Data, Stage::Dot, Stage::Taken] {
                cases.spawn(async move {
                    let rig = hasty(pipelining).await;
                    rig.server.once(stage, fault);
                    let reply = transient(rig.mailer.send(&mail(1)).await);
                    assert_eq!(reply.code, None, "{stage:?} {fault:?} {reply:?}");
                    rig.mailer.send(&mail(2)).await.unwrap();
                    assert_eq!(rig.server.mails().last().unwrap().connection, 2);
                });
            }
        }
    }
    cases.join_all().await;
}

#[tokio::test]
async fn a_late_answer_never_counts_for_the_next_mail() {
    let rig = hasty(true).await;
    rig.server.once(Stage::Dot, Fault::Delay(SHORT * 2));
    assert_eq!(transient(rig.mailer.send(&mail(1)).await).code, None);
    rig.server.when(Stage::Rcpt, Fault::Answer(452));
    for n in 2..6 {
        assert_eq!(transient(rig.mailer.send(&mail(n)).await).code, Some(452));
    }
}

#[tokio::test]
async fn one_silent_command_is_cut_short_before_the_whole_mail_is() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.command_limit(Duration::from_millis(500))).await;
    rig.server.once(Stage::Mail, Fault::Hang);
    let cause = unavailable(rig.mailer.send(&mail(1)).await);
    assert!(cause.ends_with("no answer within 0.5 s to MAIL"), "{cause}");
}

#[tokio::test]
async fn whoever_stops_waiting_for_a_mail_leaves_the_connection_whole() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
    rig.server.once(Stage::Rcpt, Fault::Delay(Duration::from_millis(50)));
    let first = mail(1);
    tokio::select! {
        biased;
        sent = rig.mailer.send(&first) => panic!("{sent:?}"),
        () = tokio::task::yield_now() => {}
    }
    rig.server.when_to("never@reader.example", Stage::Rcpt, Fault::Answer(550));
    permanent(rig.mailer.send(&mail_to(2, "never@reader.example")).await);
    assert_eq!(rig.mailer.send(&mail(3)).await.unwrap().reply, "250 2.0.0 taken as 2");
    assert_eq!((rig.server.count(), rig.server.connections()), (2, 1));
}

#[tokio::test]
async fn a_relay_that_wants_the_mail_of_a_refused_recipient_gets_an_empty_one() {
    let (port, relay) = scripted(&[
        ("EHLO", "250 PIPELINING\r\n"),
        ("EHLO", "250-me\r\n250 PIPELINING\r\n"),
        ("DATA", "250 ok\r\n550 nobody\r\n354 go on\r\n"),
        (".", "554 nobody at all\r\n"),
        ("RSET", "250 ok\r\n"),
        ("DATA", "250 ok\r\n250 ok\r\n354 go on\r\n"),
        (".", "250 taken\r\n"),
    ])
    .await;
    let (mailer, _) = mailer(settings(port));
    assert_eq!(permanent(mailer.send(&mail(1)).await).to_string(), "550 nobody");
    assert_eq!(mailer.send(&mail(2)).await.unwrap().reply, "250 taken");
    drop(mailer);
    relay.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_belongs_to_something_else_takes_nothing() {
    for answers in [
        &[("EHLO", "250 me\r\n"), ("EHLO", "250 me\r\n"), ("MAIL", "354 go on\r\n")][..],
        &[
            ("EHLO", "250 me\r\n"),
            ("EHLO", "250 me\r\n"),
            ("MAIL", "250 a\r\n"),
            ("RCPT", "250 b\r\n"),
            ("DATA", "250 c\r\n"),
        ],
        &[
            ("EHLO", "250 me\r\n"),
            ("EHLO", "250 me\r\n"),
            ("MAIL", "250 a\r\n"),
            ("RCPT", "250 b\r\n"),
            ("DATA", "354 c\r\n"),
            (".", "354 d\r\n"),
        ],
        &[("EHLO", "250 me\r\n"), ("EHLO", "250-me\r\n250 PIPELINING\r\n"), ("DATA", "250 a\r\n250 b\r\n250 c\r\n")],
    ] {
        let (port, _relay) = scripted(answers).await;
        let (mailer, _) = mailer(settings(port));
        assert_eq!(transient(mailer.send(&mail(1)).await).code, None);
    }
}

#[tokio::test]
async fn a_relay_that_talks_nonsense_is_unavailable() {
    for greeting in
        [&[("EHLO", "250-\r\n250-   \r\n250 x\r\n")][..], &[("EHLO", "what?\r\n")], &[("EHLO", "502 no\r\n")]]
    {
        let (port, _relay) = scripted(greeting).await;
        let (mailer, _) = mailer(settings(port));
        unavailable(mailer.send(&mail(1)).await);
    }
}

#[tokio::test]
async fn a_relay_that_never_stops_talking_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mailer, _) = mailer(settings(listener.local_addr().unwrap().port()));
    let relay = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        while tcp.write_all(&[b'2'; 4096]).await.is_ok() {}
    });
    let cause = unavailable(mailer.send(&mail(1)).await);
    assert!(cause.contains("does not stop talking"), "{cause}");
    relay.await.unwrap();
}
