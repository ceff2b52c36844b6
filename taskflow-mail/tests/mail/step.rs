//! Relays that answer out of turn, or with something that is no yes: no mail counts for another, and none as sent.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Asked, MailError, Mailer};
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::{Rig, mail, mail_to, mailer, permanent, scripted, settings, transient, unavailable};

const ONE_BY_ONE: [(&str, &str); 2] = [("EHLO", "250 me\r\n"), ("EHLO", "250 me\r\n")];
const PIPELINED: [(&str, &str); 2] = [("EHLO", "250 me\r\n"), ("EHLO", "250-me\r\n250 PIPELINING\r\n")];

/// A dialogue that begins as one of these and goes on so.
async fn relay(begin: [(&'static str, &'static str); 2], rest: &[(&'static str, &'static str)]) -> u16 {
    let script: Vec<_> = begin.into_iter().chain(rest.iter().copied()).collect();
    scripted(script.leak()).await.0
}

#[tokio::test]
async fn a_yes_that_comes_before_the_mail_takes_nothing() {
    let early = "354 go on\r\n250 taken already\r\n";
    let all = "250 a\r\n250 b\r\n354 go on\r\n250 taken already\r\n";
    let ports = [
        relay(ONE_BY_ONE, &[("MAIL", "250 a\r\n"), ("RCPT", "250 b\r\n"), ("DATA", early)]).await,
        relay(PIPELINED, &[("DATA", all)]).await,
    ];
    for port in ports {
        let (mailer, _) = mailer(settings(port));
        let reply = transient(mailer.send(&mail(1)).await);
        assert!(reply.code.is_none() && reply.text.contains("out of step"), "{reply}");
    }
}

#[tokio::test]
async fn more_answers_than_were_asked_for_end_the_dialogue() {
    for rest in [
        &[("MAIL", "250 a\r\n250 a again\r\n")][..],
        &[("MAIL", "250 a\r\n"), ("RCPT", "250 b\r\n550 5.1.1 user unknown\r\n")],
    ] {
        let (mailer, _) = mailer(settings(relay(ONE_BY_ONE, rest).await));
        let reply = transient(mailer.send(&mail(1)).await);
        assert!(reply.code.is_none() && reply.text.contains("out of step"), "{reply}");
    }
}

/// A relay that says this behind its answer to every mail, at once or a moment later.
async fn chatterer(pipelining: bool, pause: Option<Duration>, more: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut wire = BufReader::new(tcp);
                let mut content = false;
                let mut answer = "220 me\r\n".to_owned();
                loop {
                    wire.get_mut().write_all(answer.as_bytes()).await?;
                    let mut line = String::new();
                    if wire.read_line(&mut line).await? == 0 {
                        return std::io::Result::Ok(());
                    }
                    answer = match line.get(..4) {
                        Some("EHLO") if pipelining => "250-me\r\n250 PIPELINING\r\n",
                        Some("DATA") => "354 go on\r\n",
                        Some("QUIT") => "221 bye\r\n",
                        _ if line == ".\r\n" => "250 taken\r\n",
                        _ if content => "",
                        _ => "250 fine\r\n",
                    }
                    .to_owned();
                    content = (content || line.starts_with("DATA")) && line != ".\r\n";
                    if line == ".\r\n" {
                        if let Some(pause) = pause {
                            wire.get_mut().write_all(answer.as_bytes()).await?;
                            // A server that says more after a while: the time that passes is the fault.
                            tokio::time::sleep(pause).await;
                            answer.clear();
                        }
                        answer.push_str(more);
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn what_is_said_behind_the_answer_to_a_mail_is_no_answer_to_the_next_one() {
    const MORE: [&str; 3] = ["550 5.1.1 user unknown\r\n", "250 taken again\r\n", "250 x\r\n550 5.1.1 y\r\n"];
    for pipelining in [true, false] {
        for more in MORE {
            // One after the other: every mail is taken, and none hears of it.
            let (mailer, _) = mailer(settings(chatterer(pipelining, None, more).await).connections(1));
            for n in 0..10 {
                assert_eq!(mailer.send(&mail(n)).await.unwrap().reply, "250 taken");
            }
        }
        for more in MORE {
            // Side by side, or late: some are in doubt, and none is refused.
            for pause in [None, Some(Duration::from_millis(1))] {
                let port = chatterer(pipelining, pause, more).await;
                let (mailer, clock) = mailer(settings(port).connections(2));
                let mut due: Vec<u32> = (0..20).collect();
                while !due.is_empty() {
                    let sending = due.iter().map(|n| {
                        let (n, mailer) = (*n, Arc::clone(&mailer));
                        tokio::spawn(async move { (n, mailer.send(&mail(n)).await) })
                    });
                    let mut later = Vec::new();
                    for sending in sending.collect::<Vec<_>>() {
                        let (n, sent) = sending.await.unwrap();
                        match sent {
                            Ok(_) => {}
                            Err(MailError::Permanent(reply)) => panic!("{n}: {reply}"),
                            Err(MailError::Transient(reply)) => {
                                assert_eq!(reply.code, None, "{reply}");
                                later.push(n);
                            }
                            Err(MailError::Unavailable(_)) => later.push(n),
                        }
                    }
                    clock.advance(Duration::from_secs(1));
                    due = later;
                }
            }
        }
    }
}

#[tokio::test]
async fn only_250_takes_a_mail_and_only_250_and_251_a_recipient() {
    for pipelining in [true, false] {
        let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings.connections(1)).await;
        for code in [220, 221, 251, 252] {
            rig.server.once(Stage::Dot, Fault::Answer(code));
            assert_eq!(transient(rig.mailer.send(&mail(1)).await).code, None, "{code}");
            rig.clock.advance(Duration::from_secs(1));
        }
        for code in [220, 252] {
            rig.server.once(Stage::Rcpt, Fault::Answer(code));
            assert_eq!(transient(rig.mailer.send(&mail(1)).await).code, None, "{code}");
            rig.clock.advance(Duration::from_secs(1));
        }
        rig.mailer.send(&mail(2)).await.unwrap();
    }
    let rest = [("MAIL", "250 a\r\n"), ("RCPT", "251 it moved\r\n"), ("DATA", "354 c\r\n"), (".", "250 taken\r\n")];
    let (mailer, _) = mailer(settings(relay(ONE_BY_ONE, &rest).await));
    mailer.send(&mail(1)).await.unwrap();
}

#[tokio::test]
async fn a_line_of_absurd_length_costs_the_mail_an_attempt_whatever_it_answers() {
    let long: &'static str = format!("250 {}\r\n", "x".repeat(100_000)).leak();
    for rest in [
        &[("MAIL", long)][..],
        &[("MAIL", "250 a\r\n"), ("RCPT", long)],
        &[("MAIL", "250 a\r\n"), ("RCPT", "250 b\r\n"), ("DATA", "354 c\r\n"), (".", long)],
    ] {
        let (mailer, _) = mailer(settings(relay(ONE_BY_ONE, rest).await));
        assert_eq!(transient(mailer.send(&mail(1)).await).code, None);
    }
}

#[tokio::test]
async fn an_answer_knows_what_was_asked_and_one_about_the_sender_is_not_about_the_mailbox() {
    const GONE: &str = "550 5.1.1 does not exist";
    for pipelining in [true, false] {
        for (stage, asked) in
            [(Stage::Mail, Asked::Sender), (Stage::Rcpt, Asked::Recipient), (Stage::Dot, Asked::Content)]
        {
            let rig = Rig::with(SmtpServer::builder().pipelining(pipelining), |settings| settings).await;
            rig.server.once(stage, Fault::Say(GONE));
            let reply = permanent(rig.mailer.send(&mail(1)).await);
            assert_eq!((reply.to, reply.to_string().as_str()), (asked, GONE));
            assert_eq!(reply.concerns_the_mailbox(), asked != Asked::Sender);
            rig.clock.advance(Duration::from_secs(1));
            rig.server.once(stage, Fault::Say("550 it does not exist"));
            let reply = permanent(rig.mailer.send(&mail(1)).await);
            assert_eq!(reply.concerns_the_mailbox(), asked == Asked::Recipient);
            rig.clock.advance(Duration::from_secs(1));
            rig.mailer.send(&mail(2)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_recipient_who_is_refused_for_now_costs_nobody_else_anything() {
    for refusal in ["454 4.7.1 not now", "450 4.7.1 greylisted", "451 4.3.0 try later"] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
        rig.server.when_to("later@reader.example", Stage::Rcpt, Fault::Say(refusal));
        for n in 0..3 {
            assert!(transient(rig.mailer.send(&mail_to(9, "later@reader.example")).await).code.is_some());
            rig.mailer.send(&mail(n)).await.unwrap();
        }
        assert_eq!(rig.server.connections(), 1);
    }
}

#[tokio::test]
async fn a_recipient_who_is_always_throttled_uses_attempts_from_the_second_time_on() {
    for stage in [Stage::Rcpt, Stage::Dot] {
        let rig = Rig::with(SmtpServer::builder(), |settings| settings.connections(1)).await;
        rig.server.when_to("hot@reader.example", stage, Fault::Say("450 4.7.0 too many mails at this rate"));
        unavailable(rig.mailer.send(&mail_to(9, "hot@reader.example")).await);
        unavailable(rig.mailer.send(&mail(1)).await);
        rig.clock.advance(Duration::from_secs(1));
        for n in 0..3 {
            assert_eq!(transient(rig.mailer.send(&mail_to(9, "hot@reader.example")).await).code, Some(450));
            rig.mailer.send(&mail(n)).await.unwrap();
        }
        rig.server.obey();
        rig.mailer.send(&mail_to(9, "hot@reader.example")).await.unwrap();
        rig.server.when_to("hot@reader.example", stage, Fault::Say("450 4.7.0 too many mails"));
        unavailable(rig.mailer.send(&mail_to(9, "hot@reader.example")).await);
    }
}

#[tokio::test]
async fn a_password_that_the_relay_repeats_is_never_told() {
    // \0ada\0correct horse, ada, correct horse
    const FORMS: [&str; 4] = ["AGFkYQBjb3JyZWN0IGhvcnNl", "YWRh", "Y29ycmVjdCBob3JzZQ==", "correct horse"];
    let echo: &'static str = format!("535 5.7.8 cannot handle: {}\r\n", FORMS.join(" ")).leak();
    let nobody: &'static str = format!("550 5.1.1 nobody {}\r\n", FORMS.join(" ")).leak();
    let offer = "250-me\r\n250 AUTH PLAIN\r\n";
    let failing: &'static [_] = vec![("EHLO", offer), ("EHLO", offer), ("AUTH", echo)].leak();
    let later: &'static [_] =
        vec![("EHLO", offer), ("EHLO", offer), ("AUTH", "235 ok\r\n"), ("MAIL", "250 a\r\n"), ("RCPT", nobody)].leak();
    let told = |text: String| {
        assert!(text.contains("***"), "{text}");
        assert!(FORMS.iter().all(|form| !text.contains(form.trim_end_matches('='))), "{text}");
    };
    let (first, _) = mailer(settings(scripted(failing).await.0).sign_in("ada", "correct horse"));
    told(unavailable(first.send(&mail(1)).await));
    let (second, _) = mailer(settings(scripted(later).await.0).sign_in("ada", "correct horse"));
    told(permanent(second.send(&mail(1)).await).to_string());
}
