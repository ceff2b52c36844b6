//! Replies of a relay at any stage of the dialogue (RFC 5321): each zero byte waits for the client's next command.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use taskflow_core::ports::{Mailer, SystemClock};
use taskflow_core::{Content, Headers, Mail, Mailbox, Timestamp};
use taskflow_mail::{Security, SmtpMailer, SmtpSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// The longest that one side waits for the other.
const PATIENCE: Duration = Duration::from_millis(10);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

fuzz_target!(|said: &[u8]| {
    RUNTIME.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let settings = SmtpSettings::new("127.0.0.1", port, mailbox("tasks@sender.example"))
            .security(Security::Plain)
            .hello("client.example")
            .connections(1)
            .mail_limit(PATIENCE)
            .command_limit(PATIENCE);
        let mailer = SmtpMailer::new(settings, Arc::new(SystemClock::new())).expect("a mailer");
        let (mail, relay) = (mail(), talk(&listener, said));
        tokio::select! {
            _ = mailer.send(&mail) => {}
            () = relay => {}
        }
    });
});

/// Says all of it on one connection after the other, until the client is done.
async fn talk(listener: &TcpListener, said: &[u8]) {
    let mut heard = vec![0; 4096];
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        for words in said.split(|byte| *byte == 0) {
            if client.write_all(words).await.is_err() {
                break;
            }
            let _ = timeout(PATIENCE, client.read(&mut heard)).await;
        }
    }
}

fn mailbox(address: &str) -> Mailbox {
    Mailbox { name: None, address: address.parse().expect("an address") }
}

fn mail() -> Mail {
    let text = "Hello\n".to_owned();
    Mail {
        id: "0198c0de-0000-7000-8000-000000000001".parse().expect("an id"),
        date: Timestamp::from_micros(1_795_417_200_123_456),
        to: mailbox("ada@reader.example"),
        content: Content { subject: "Hello".to_owned(), text, html: None },
        calendar: None,
        headers: Headers::default(),
    }
}
