//! TLS and signing in.

use taskflow_core::ports::Mailer;
use taskflow_mail::testing::{SmtpServer, SmtpServerBuilder};
use taskflow_mail::{Security, SmtpMailer, SmtpSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Rig, mail, mailer, settings, unavailable};

const PASSWORD: &str = "correct horse";

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

type Offer = fn(SmtpServerBuilder, &str, &str) -> SmtpServerBuilder;

async fn secured(security: Security, server: Offer, trusted: bool) -> Rig {
    let (certificate, key) = certificate();
    Rig::with(server(SmtpServer::builder().login("ada", PASSWORD), &certificate, &key), |settings| {
        let settings = settings.security(security).sign_in("ada", PASSWORD);
        if trusted { settings.root_certificate(certificate.clone()) } else { settings }
    })
    .await
}

#[tokio::test]
async fn mail_travels_over_starttls() {
    let rig = secured(Security::StartTls, SmtpServerBuilder::starttls, true).await;
    let accepted = rig.mailer.send(&mail(1)).await.unwrap();
    assert_eq!(accepted.reply, "250 2.0.0 taken as 1");
    assert_eq!(rig.server.commands()[..2], ["EHLO client.example", "STARTTLS"]);
}

#[tokio::test]
async fn mail_travels_over_implicit_tls() {
    let rig = secured(Security::ImplicitTls, SmtpServerBuilder::implicit_tls, true).await;
    for n in 0..3 {
        rig.mailer.send(&mail(n)).await.unwrap();
    }
    assert_eq!((rig.server.count(), rig.server.connections()), (3, 1));
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_ends_it_before_the_password() {
    let kinds: [(Security, Offer); 2] =
        [(Security::StartTls, SmtpServerBuilder::starttls), (Security::ImplicitTls, SmtpServerBuilder::implicit_tls)];
    for (security, server) in kinds {
        let rig = secured(security, server, false).await;
        let cause = unavailable(rig.mailer.send(&mail(1)).await);
        assert!(cause.contains("certificate"), "{cause}");
        assert!(!rig.server.commands().iter().any(|line| line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn where_starttls_is_required_but_not_offered_nothing_is_sent_in_clear() {
    let rig = Rig::with(SmtpServer::builder().login("ada", PASSWORD), |settings| {
        settings.security(Security::StartTls).sign_in("ada", PASSWORD)
    })
    .await;
    let cause = unavailable(rig.mailer.send(&mail(1)).await);
    assert!(cause.contains("does not offer STARTTLS"), "{cause}");
    assert_eq!(rig.server.commands(), ["EHLO client.example"]);
}

#[tokio::test]
async fn answers_in_clear_behind_starttls_are_not_believed_inside_tls() {
    let (certificate, _) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut came = vec![0; 512];
        tcp.write_all(b"220 hello\r\n").await.unwrap();
        let _ = tcp.read(&mut came).await.unwrap();
        tcp.write_all(b"250-me\r\n250 STARTTLS\r\n").await.unwrap();
        let _ = tcp.read(&mut came).await.unwrap();
        tcp.write_all(b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n").await.unwrap();
        // The handshake begins; what follows says whether the client went on with it.
        let hello = tcp.read(&mut came).await.unwrap();
        let rest = tcp.read(&mut came).await.unwrap_or(0);
        (hello, came[..rest].to_vec())
    });
    let (mailer, _) =
        mailer(settings(port).security(Security::StartTls).sign_in("ada", PASSWORD).root_certificate(certificate));
    let cause = unavailable(mailer.send(&mail(1)).await);
    assert!(cause.contains("STARTTLS failed") && !cause.contains("no answer"), "{cause}");
    let (hello, rest) = relay.await.unwrap();
    // At most an alert (RFC 8446 §6), no command.
    assert!(hello > 0 && !rest.windows(4).any(|bytes| bytes == b"AUTH" || bytes == b"EHLO"));
}

#[tokio::test]
async fn either_way_of_signing_in_works() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let server = SmtpServer::builder().login("ada", PASSWORD).mechanisms(&format!("CRAM-MD5 {mechanism}"));
        let rig = Rig::with(server, |settings| settings.sign_in("ada", PASSWORD)).await;
        rig.mailer.send(&mail(1)).await.unwrap();
        let auth = format!("AUTH {mechanism}");
        assert!(rig.server.commands().iter().any(|line| line.starts_with(&auth)), "{:?}", rig.server.commands());
    }
}

#[tokio::test]
async fn a_wrong_password_is_the_relays_state_and_is_never_told() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let server = SmtpServer::builder().login("ada", "another").mechanisms(mechanism);
        let rig = Rig::with(server, |settings| settings.sign_in("ada", PASSWORD)).await;
        let cause = unavailable(rig.mailer.send(&mail(1)).await);
        assert!(cause.contains("535 5.7.8") && !cause.contains(PASSWORD), "{cause}");
        let shown = format!("{:?}", rig.mailer);
        assert!(shown.contains("ada") && !shown.contains(PASSWORD), "{shown}");
    }
}

#[tokio::test]
async fn a_relay_that_wants_a_sign_in_or_offers_no_known_one_is_unavailable() {
    let rig = Rig::with(SmtpServer::builder().login("ada", PASSWORD), |settings| settings).await;
    let cause = unavailable(rig.mailer.send(&mail(1)).await);
    assert!(cause.contains("530"), "{cause}");
    let rig = Rig::with(SmtpServer::builder(), |settings| settings.sign_in("ada", PASSWORD)).await;
    let cause = unavailable(rig.mailer.send(&mail(1)).await);
    assert!(cause.contains("offers no sign-in"), "{cause}");
}

#[tokio::test]
async fn a_check_says_what_it_found_and_sends_nothing() {
    let rig = secured(Security::StartTls, SmtpServerBuilder::starttls, true).await;
    let found = rig.mailer.check().await.unwrap();
    assert!(found.starts_with("test.example is ready, signed in; it offers 8BITMIME, PIPELINING"), "{found}");
    assert_eq!(rig.server.commands().last().map(String::as_str), Some("QUIT"));
    rig.server.stop().await;
    assert!(unavailable(rig.mailer.check().await).contains("cannot connect"));
}

#[test]
fn settings_that_cannot_work_are_refused_with_the_reason() {
    let base = || SmtpSettings::new("relay.example", 587, crate::support::from());
    let clock = || std::sync::Arc::new(taskflow_core::ports::SystemClock::new());
    for bad in [
        base().connections(0),
        base().mails_per_connection(0),
        base().mail_limit(std::time::Duration::ZERO),
        base().command_limit(std::time::Duration::MAX),
        base().hello("a b"),
        base().root_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        SmtpSettings::new("", 25, crate::support::from()),
        SmtpSettings::new("a\r\nb", 25, crate::support::from()),
    ] {
        assert!(SmtpMailer::new(bad.clone(), clock()).is_err(), "{bad:?}");
    }
}
