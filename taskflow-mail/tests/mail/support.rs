//! What the tests share.

use std::sync::Arc;

use taskflow_conformance::ManualClock;
use taskflow_core::ports::{MailError, Reply};
use taskflow_core::{
    Content, Headers, Invitation, Invitee, Mail, Mailbox, Meeting, NewMeeting, NoticeContent, NoticeKind, Participant,
    StartsAt, Timestamp,
};
use taskflow_mail::testing::{SmtpServer, SmtpServerBuilder};
use taskflow_mail::{Security, SmtpMailer, SmtpSettings};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server, a clock that stands still, and a mailer that uses both.
pub(crate) struct Rig {
    pub(crate) server: SmtpServer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) mailer: Arc<SmtpMailer>,
}

impl Rig {
    pub(crate) async fn plain() -> Self {
        Self::with(SmtpServer::builder(), |settings| settings).await
    }

    pub(crate) async fn with(offers: SmtpServerBuilder, adjust: impl FnOnce(SmtpSettings) -> SmtpSettings) -> Self {
        let server = offers.start().await.unwrap();
        let (mailer, clock) = mailer(adjust(settings(server.port())));
        Self { server, clock, mailer }
    }
}

pub(crate) fn settings(port: u16) -> SmtpSettings {
    SmtpSettings::new("127.0.0.1", port, from()).security(Security::Plain).hello("client.example")
}

pub(crate) fn mailer(settings: SmtpSettings) -> (Arc<SmtpMailer>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(noon()));
    (Arc::new(SmtpMailer::new(settings, clock.clone()).unwrap()), clock)
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn from() -> Mailbox {
    Mailbox { name: Some("TaskFlow".to_owned()), address: "tasks@sender.example".parse().unwrap() }
}

/// The mail number `n`, to `to`.
pub(crate) fn mail_to(n: u32, to: &str) -> Mail {
    Mail {
        id: format!("0198c0de-0000-7000-8000-{n:012}").parse().unwrap(),
        date: noon(),
        to: Mailbox { name: Some("Ada".to_owned()), address: to.parse().unwrap() },
        content: Content {
            subject: format!("Mail {n}"),
            text: "Hello\n".to_owned(),
            html: Some("<p>Hello</p>\n".to_owned()),
        },
        calendar: None,
        headers: Headers::default(),
    }
}

pub(crate) fn mail(n: u32) -> Mail {
    mail_to(n, "ada@reader.example")
}

pub(crate) const MEETING: &str = "0198c0de-0000-7000-8000-0000000000aa";

/// A meeting of Ada's, on Monday at 15:00 in Berlin.
pub(crate) fn meeting(title: &str) -> Meeting {
    let starts_at = StartsAt::Instant("2026-11-23T14:00:00Z".parse().unwrap());
    let new = NewMeeting {
        description: Some("Bring, if you can:\n* cake; tea".parse().unwrap()),
        location: Some("Room 1, first floor".parse().unwrap()),
        meeting_url: Some("https://meet.example.org/room?a=1&b=2".parse().unwrap()),
        ..NewMeeting::titled(title.parse().unwrap(), starts_at)
    };
    let organizer = Mailbox { name: Some("Ada \"A\" <x>".to_owned()), address: "ada@reader.example".parse().unwrap() };
    let by = "0198c0de-0000-7000-8000-000000000002".parse().unwrap();
    Meeting::new(MEETING.parse().unwrap(), by, organizer, &"Europe/Berlin".parse().unwrap(), new, noon()).unwrap()
}

/// A guest of the meeting.
pub(crate) fn guest() -> Participant {
    let name = Some("Bob \"B\"; ROLE=CHAIR:^x".parse().unwrap());
    let invitee = Invitee { name, ..Invitee::new("bob+x=y@guest.example".parse().unwrap()) };
    let id = "0198c0de-0000-7000-8000-0000000000bb".parse().unwrap();
    Participant::invited(id, MEETING.parse().unwrap(), invitee, None)
}

/// The guest's invitation to `meeting`.
pub(crate) fn invitation(meeting: Meeting) -> Invitation {
    let respond_url = Some("https://tasks.example.org/r/token".to_owned());
    Invitation { meeting, participant: guest(), respond_url }
}

pub(crate) fn unavailable<T: std::fmt::Debug>(result: Result<T, MailError>) -> String {
    match result {
        Err(MailError::Unavailable(cause)) => cause,
        other => panic!("{other:?} is not unavailable"),
    }
}

pub(crate) fn transient<T: std::fmt::Debug>(result: Result<T, MailError>) -> Reply {
    match result {
        Err(MailError::Transient(reply)) => reply,
        other => panic!("{other:?} is not transient"),
    }
}

pub(crate) fn permanent<T: std::fmt::Debug>(result: Result<T, MailError>) -> Reply {
    match result {
        Err(MailError::Permanent(reply)) => reply,
        other => panic!("{other:?} is not permanent"),
    }
}

/// A relay that knows one dialogue: each pair is what a line must begin with, and what to answer. It keeps the
/// connection open until the client leaves.
pub(crate) async fn scripted(script: &'static [(&'static str, &'static str)]) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = tokio::spawn(async move {
        let mut wire = BufReader::new(listener.accept().await.unwrap().0);
        wire.get_mut().write_all(b"220 script\r\n").await.unwrap();
        for (expected, answer) in script {
            loop {
                let mut line = String::new();
                assert_ne!(wire.read_line(&mut line).await.unwrap(), 0, "the client left before {expected:?}");
                if line.starts_with(expected) {
                    break;
                }
            }
            wire.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
        // Only end of file or a reset can follow.
        let _ = wire.read_line(&mut String::new()).await;
    });
    (port, relay)
}

/// The sample of a notice as its own type.
pub(crate) fn sample_of<C: NoticeContent + Clone>(kind: NoticeKind) -> C {
    kind.sample(noon()).unwrap().downcast_ref::<C>().unwrap().clone()
}
