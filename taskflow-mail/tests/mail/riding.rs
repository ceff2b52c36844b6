//! Mails whose envelope leaves with the mail before them (RFC 2920).

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Accepted, MailError, Mailer};
use taskflow_mail::SmtpMailer;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use tokio::task::JoinHandle;

use crate::support::{Rig, mail, mail_to, mailer, permanent, scripted, settings, transient};

const SECOND: Duration = Duration::from_secs(1);

type Sending = JoinHandle<Result<Accepted, MailError>>;

/// Begins to send each of them, in this order.
async fn begin<const N: usize>(mailer: &Arc<SmtpMailer>, mails: [taskflow_core::Mail; N]) -> [Sending; N] {
    mails.map(|mail| {
        let mailer = Arc::clone(mailer);
        tokio::spawn(async move { mailer.send(&mail).await })
    })
}

#[tokio::test]
async fn the_next_envelope_leaves_before_the_answer_to_the_mail() {
    let (port, relay) = scripted(&[
        ("EHLO", "250 PIPELINING\r\n"),
        ("EHLO", "250-me\r\n250 PIPELINING\r\n"),
        ("DATA", "250 a\r\n250 b\r\n354 c\r\n"),
        // Nothing is said until the next envelope is there.
        ("DATA", "250 one\r\n250 a\r\n250 b\r\n354 c\r\n"),
        (".", "250 two\r\n"),
    ])
    .await;
    let (mailer, _) = mailer(settings(port).connections(1));
    let [first, second] = begin(&mailer, [mail(1), mail(2)]).await;
    assert_eq!(first.await.unwrap().unwrap().reply, "250 one");
    assert_eq!(second.await.unwrap().unwrap().reply, "250 two");
    drop(mailer);
    relay.await.unwrap();
}

#[tokio::test]
async fn where_pipelining_is_not_offered_every_command_waits_for_its_answer() {
    let (port, relay) = scripted(&[
        ("EHLO", "250 me\r\n"),
        ("EHLO", "250 me\r\n"),
        ("MAIL", "250 a\r\n"),
        ("RCPT", "250 b\r\n"),
        ("DATA", "354 c\r\n"),
        (".", "250 one\r\n"),
        ("MAIL", "250 a\r\n"),
        ("RCPT", "250 b\r\n"),
        ("DATA", "354 c\r\n"),
        (".", "250 two\r\n"),
    ])
    .await;
    let (mailer, _) = mailer(settings(port).connections(1));
    let [first, second] = begin(&mailer, [mail(1), mail(2)]).await;
    assert_eq!(first.await.unwrap().unwrap().reply, "250 one");
    assert_eq!(second.await.unwrap().unwrap().reply, "250 two");
    drop(mailer);
    relay.await.unwrap();
}

#[tokio::test]
async fn a_refusal_belongs_to_its_own_mail_whichever_rides_with_it() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
    rig.server.when_to("never@reader.example", Stage::Rcpt, Fault::Answer(550));
    rig.server.when_to("bad@reader.example", Stage::Dot, Fault::Answer(554));
    let mails = [
        mail(1),
        mail_to(2, "never@reader.example"),
        mail(3),
        mail_to(4, "bad@reader.example"),
        mail(5),
        mail_to(6, "bad@reader.example"),
        mail_to(7, "never@reader.example"),
        mail(8),
    ];
    for (n, sending) in (1..).zip(begin(&rig.mailer, mails).await) {
        let sent = sending.await.unwrap();
        match n {
            2 | 7 => assert_eq!(permanent(sent).code, Some(550), "{n}"),
            4 | 6 => assert_eq!(permanent(sent).code, Some(554), "{n}"),
            _ => drop(sent.unwrap()),
        }
    }
    let came: Vec<_> = rig.server.mails().iter().map(|mail| subject(&mail.data)).collect();
    assert_eq!(came, ["Mail 1", "Mail 3", "Mail 5", "Mail 8"]);
    assert_eq!(rig.server.connections(), 1);
}

fn subject(source: &[u8]) -> String {
    let source = String::from_utf8_lossy(source);
    source.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_rides_behind_a_mail_that_takes_long_goes_by_another_connection() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1).mail_limit(SECOND * 20)).await;
    // The first connection keeps its mail for longer than a ride lasts.
    rig.server.once(Stage::Dot, Fault::Delay(SECOND * 3));
    let [first, second] = begin(&rig.mailer, [mail(1), mail(2)]).await;
    assert_eq!(first.await.unwrap().unwrap().reply, "250 2.0.0 taken as 1");
    assert_eq!(second.await.unwrap().unwrap().reply, "250 2.0.0 taken as 2");
    let connections: Vec<_> = rig.server.mails().iter().map(|mail| mail.connection).collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn a_hang_after_data_costs_the_mail_that_hangs_and_nobody_else() {
    for fault in [Fault::Hang, Fault::Drop, Fault::Answer(421)] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(2).mail_limit(SECOND * 4)).await;
        rig.mailer.send(&mail(0)).await.unwrap();
        rig.server.once(Stage::Dot, fault);
        let mut lost = 0;
        for sending in begin(&rig.mailer, [1, 2, 3, 4, 5, 6].map(mail)).await {
            lost += usize::from(sending.await.unwrap().is_err());
        }
        assert_eq!((lost, rig.server.count()), (1, 6), "{fault:?}");
    }
}

#[tokio::test]
async fn a_late_answer_to_a_mail_never_counts_for_the_one_that_rides_with_it() {
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1).mail_limit(SECOND)).await;
    rig.server.once(Stage::Dot, Fault::Delay(SECOND * 2));
    // A connection and the first envelope, then nobody may have anything.
    let [first, second] = begin(&rig.mailer, [mail(1), mail(2)]).await;
    rig.server.when_to("nobody@reader.example", Stage::Rcpt, Fault::Answer(452));
    assert_eq!(transient(first.await.unwrap()).code, None);
    // It waited for too long behind the first one, or was not reached any more; in no case was it taken.
    second.await.unwrap().unwrap_err();
    assert_eq!(transient(rig.mailer.send(&mail_to(3, "nobody@reader.example")).await).code, Some(452));
}
