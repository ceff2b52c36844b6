//! Connections: how many, how long, and how often a relay that fails is asked.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Accepted, MailError, Mailer};
use taskflow_mail::SmtpMailer;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use tokio::task::JoinSet;

use crate::support::{Rig, mail, unavailable};

/// Sends mails `numbers` side by side.
async fn send_all(
    mailer: &Arc<SmtpMailer>,
    numbers: impl IntoIterator<Item = u32>,
) -> Vec<(u32, Result<Accepted, MailError>)> {
    let mut sending = JoinSet::new();
    for n in numbers {
        let mailer = Arc::clone(mailer);
        sending.spawn(async move { (n, mailer.send(&mail(n)).await) });
    }
    sending.join_all().await
}

#[tokio::test]
async fn mails_wait_for_one_of_a_few_connections_which_stay_open() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(3)).await;
    for round in 0..3 {
        for (_, sent) in send_all(&rig.mailer, round * 50..round * 50 + 50).await {
            sent.unwrap();
        }
    }
    assert_eq!(rig.server.await_mails(150).await.len(), 150);
    assert!(rig.server.connections() <= 3, "{}", rig.server.connections());
}

#[tokio::test]
async fn a_connection_is_replaced_after_its_share_of_mails() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1).mails_per_connection(2)).await;
    for n in 0..5 {
        rig.mailer.send(&mail(n)).await.unwrap();
    }
    let connections: Vec<_> = rig.server.mails().iter().map(|mail| mail.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 3]);
    assert_eq!(rig.server.commands().iter().filter(|line| *line == "QUIT").count(), 2);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_not_trusted() {
    let rig = Rig::plain().await;
    rig.mailer.send(&mail(1)).await.unwrap();
    rig.clock.advance(Duration::from_secs(60));
    rig.mailer.send(&mail(2)).await.unwrap();
    assert_eq!(rig.server.connections(), 1);
    rig.clock.advance(Duration::from_secs(61));
    rig.mailer.send(&mail(3)).await.unwrap();
    assert_eq!(rig.server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_relay_closed_meanwhile_is_replaced_without_a_word() {
    for pipelining in [true, false] {
        let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings.connections(1)).await;
        rig.mailer.send(&mail(1)).await.unwrap();
        rig.server.stop().await;
        rig.server.restart().await.unwrap();
        rig.mailer.send(&mail(2)).await.unwrap();
        rig.server.once(Stage::Mail, Fault::Answer(421));
        rig.mailer.send(&mail(3)).await.unwrap();
        rig.server.once(Stage::Mail, Fault::Drop);
        rig.mailer.send(&mail(4)).await.unwrap();
        assert_eq!((rig.server.count(), rig.server.connections()), (4, 4));
    }
}

#[tokio::test]
async fn a_relay_that_says_421_after_every_few_mails_loses_none_and_repeats_none() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(4)).await;
    rig.server.close_after(3);
    let mut due: Vec<u32> = (0..60).collect();
    while !due.is_empty() {
        let sent = send_all(&rig.mailer, due).await;
        due = sent.into_iter().filter_map(|(n, sent)| sent.is_err().then(|| unavailable(sent)).map(|_| n)).collect();
        rig.clock.advance(Duration::from_secs(1));
    }
    let mut ids: Vec<_> = rig.server.mails().into_iter().map(|mail| mail.data).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), rig.server.count()), (60, 60));
}

#[tokio::test]
async fn a_relay_that_is_down_is_asked_once_a_second_and_everybody_hears_why_at_once() {
    let rig = Rig::plain().await;
    rig.server.when(Stage::Greeting, Fault::Answer(421));
    for attempt in 1..=3 {
        for _ in 0..2 {
            for (_, sent) in send_all(&rig.mailer, 0..50).await {
                let cause = unavailable(sent);
                assert!(cause.starts_with("127.0.0.1:") && cause.contains("421 as the test wishes"), "{cause}");
            }
            assert_eq!(rig.server.connections(), attempt);
            rig.clock.advance(Duration::from_millis(500));
        }
    }
    rig.server.obey();
    for (_, sent) in send_all(&rig.mailer, 0..50).await {
        sent.unwrap();
    }
}

#[tokio::test]
async fn a_relay_that_lets_us_in_but_takes_nothing_is_asked_once_a_second_too() {
    for fault in [Fault::Answer(421), Fault::Drop, Fault::Answer(530)] {
        let rig = Rig::plain().await;
        rig.server.when(Stage::Mail, fault);
        for _ in 0..20 {
            unavailable(rig.mailer.send(&mail(1)).await);
        }
        assert_eq!(rig.server.connections(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_relay_that_went_away_is_found_again_when_it_is_back() {
    let rig = Rig::plain().await;
    rig.mailer.send(&mail(1)).await.unwrap();
    rig.server.stop().await;
    assert!(unavailable(rig.mailer.send(&mail(2)).await).contains("cannot connect"));
    rig.server.restart().await.unwrap();
    assert!(unavailable(rig.mailer.send(&mail(2)).await).contains("cannot connect"));
    rig.clock.advance(Duration::from_secs(1));
    rig.mailer.send(&mail(2)).await.unwrap();
}

#[tokio::test]
async fn whoever_finds_no_free_connection_in_time_has_used_no_attempt() {
    let rig =
        Rig::with(SmtpServer::builder(), |settings| settings.connections(1).mail_limit(Duration::from_millis(500)))
            .await;
    rig.server.when(Stage::Dot, Fault::Hang);
    let sent = send_all(&rig.mailer, 0..10).await;
    // The second may get the place of the first at the last moment, no third can.
    let waited = sent.into_iter().filter(|(_, sent)| matches!(sent, Err(MailError::Unavailable(_)))).count();
    assert!(waited >= 8, "{waited}");
}
