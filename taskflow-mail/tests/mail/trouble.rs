//! Trouble of a relay for ten seconds and for an hour of a turned clock: no mail is lost, none counts as refused, and the relay
//! is asked once a second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use taskflow_conformance::ManualClock;
use taskflow_core::notice::WelcomeNotice;
use taskflow_core::ports::{Deliveries, Storage, Store};
use taskflow_core::{
    App, Changes, DedupeKey, DeliveryId, DeliveryState, MemoryStore, NewDelivery, Notice, Recipient, Sending,
};
use taskflow_mail::testing::{Fault, SmtpServer, Stage};
use taskflow_mail::{Security, SmtpMailer};

use crate::support::{noon, settings};

const SECOND: Duration = Duration::from_secs(1);
const PASSWORD: &str = "correct horse";

/// Mails that wait when the trouble begins.
const MAILS: u32 = 60;

/// What goes wrong with all mail.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Nobody listens.
    Away,
    /// This, at this stage.
    At(Stage, Fault),
}

const TROUBLES: [Trouble; 22] = [
    Trouble::Away,
    Trouble::At(Stage::Greeting, Fault::Say("421 4.3.2 not now")),
    Trouble::At(Stage::Greeting, Fault::Say("554 5.3.2 no service for you")),
    Trouble::At(Stage::Greeting, Fault::Drop),
    Trouble::At(Stage::Greeting, Fault::Hang),
    Trouble::At(Stage::Hello, Fault::Say("421 4.7.0 too many connections")),
    Trouble::At(Stage::Hello, Fault::Say("550 5.7.1 your name is unknown")),
    Trouble::At(Stage::StartTls, Fault::Say("454 4.7.0 TLS not available")),
    Trouble::At(Stage::Auth, Fault::Say("535 5.7.8 wrong name or password")),
    Trouble::At(Stage::Auth, Fault::Say("454 4.7.0 temporary authentication failure")),
    Trouble::At(Stage::Mail, Fault::Say("451 4.3.0 temporary failure")),
    Trouble::At(Stage::Mail, Fault::Say("550 5.7.1 sender refused")),
    Trouble::At(Stage::Mail, Fault::Hang),
    Trouble::At(Stage::Rcpt, Fault::Say("452 4.3.1 insufficient system storage")),
    Trouble::At(Stage::Rcpt, Fault::Say("550 5.4.5 daily sending quota exceeded")),
    Trouble::At(Stage::Rcpt, Fault::Hang),
    Trouble::At(Stage::Data, Fault::Say("421 4.3.2 shutting down")),
    Trouble::At(Stage::Dot, Fault::Say("552 5.2.2 quota exceeded")),
    Trouble::At(Stage::Dot, Fault::Say("450 4.7.1 sending rate exceeded")),
    Trouble::At(Stage::Dot, Fault::Say("421 4.3.2 shutting down")),
    Trouble::At(Stage::Dot, Fault::Drop),
    Trouble::At(Stage::Dot, Fault::Hang),
];

impl Trouble {
    /// Whether it is met before the first mail of a connection.
    fn is_before_mail(self) -> bool {
        match self {
            Self::Away => true,
            Self::At(stage, _) => matches!(stage, Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Auth),
        }
    }

    /// Whether nobody knows what became of a mail that met it: such attempts are recorded.
    fn leaves_doubt(self) -> bool {
        matches!(self, Self::At(Stage::Dot, Fault::Drop | Fault::Hang))
    }

    /// How long an answer and a mail may take: not long where the relay is silent.
    fn limits(self) -> (Duration, Duration) {
        match self {
            Self::At(_, Fault::Hang) => (Duration::from_millis(400), Duration::from_millis(1_200)),
            Self::Away | Self::At(..) => (SECOND * 3, SECOND * 9),
        }
    }

    async fn begins(self, relay: &SmtpServer) {
        if self.is_before_mail() {
            // Open connections would go on working.
            relay.stop().await;
        }
        if let Self::At(stage, fault) = self {
            relay.when(stage, fault);
            if self.is_before_mail() {
                relay.restart().await.unwrap();
            }
        }
    }

    async fn ends(self, relay: &SmtpServer) {
        relay.obey();
        if matches!(self, Self::Away) {
            relay.restart().await.unwrap();
        }
    }
}

struct Service {
    relay: SmtpServer,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    app: App,
}

impl Service {
    /// A service that has sent mail over several connections.
    async fn start(trouble: Trouble) -> Self {
        let (command_limit, mail_limit) = trouble.limits();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let relay = SmtpServer::builder().login("ada", PASSWORD).starttls(&certificate, &key).start().await.unwrap();
        let settings = settings(relay.port()).security(Security::StartTls).sign_in("ada", PASSWORD);
        let settings = settings.root_certificate(certificate).command_limit(command_limit);
        let settings = settings.mail_limit(mail_limit);
        let clock = Arc::new(ManualClock::at(noon()));
        let mailer = Arc::new(SmtpMailer::new(settings, clock.clone()).unwrap());
        let store = Arc::new(MemoryStore::new());
        let sending = Sending { mail_timeout: mail_limit, ..Sending::default() };
        let storage: Arc<dyn Storage> = store.clone();
        let app = App::builder(storage).clock(clock.clone()).mailer(mailer).sending(sending).build();
        let service = Self { relay, clock, store, app };
        service.plan(0..MAILS).await;
        // On a busy machine a handshake may take longer than that.
        for _ in 0..100 {
            service.step().await;
            service.clock.advance(SECOND * 10);
            if service.relay.count() == MAILS as usize {
                return service;
            }
        }
        panic!("{trouble:?}: {} mails were sent before it began", service.relay.count());
    }

    async fn plan(&self, numbers: std::ops::Range<u32>) {
        let now = taskflow_core::ports::Clock::now(&*self.clock);
        let deliveries = numbers.map(|n| {
            let id: DeliveryId = format!("0198c0de-0000-7000-8000-{n:012}").parse().unwrap();
            let to = Recipient::Address(format!("reader-{n}@reader.example").parse().unwrap());
            let notice = Notice::Welcome(WelcomeNotice { token: None });
            NewDelivery::new(id, DedupeKey::new(format!("welcome/{n}")), notice, to, now)
        });
        self.store.commit(&Changes::new().deliver(deliveries)).await.unwrap();
    }

    async fn step(&self) {
        self.app.outbox().deliver_due().await.unwrap();
    }

    /// How many connections were tried; of a relay that is away, as many as its socket has not seen.
    fn connections(&self) -> usize {
        self.relay.connections()
    }

    async fn goes_through_from_the_start(trouble: Trouble) {
        Self::start(trouble).await.goes_through(trouble).await;
    }

    async fn goes_through(&self, trouble: Trouble) {
        trouble.begins(&self.relay).await;
        self.plan(MAILS..2 * MAILS).await;
        let mut before = self.connections();
        let mut opened = Vec::new();
        // Ten seconds, in quarters.
        for _ in 0..10 {
            for _ in 0..4 {
                self.step().await;
                self.clock.advance(SECOND / 4);
            }
            opened.push(self.connections() - before);
            before = self.connections();
        }
        // What is open already when it begins is no attempt; after that there is one a second.
        assert!(opened[1..].iter().all(|count| *count <= 1), "{trouble:?}: {opened:?}");
        assert!(opened[0] <= 1 + usize::from(!trouble.is_before_mail()), "{trouble:?}: {opened:?}");
        // An hour.
        for step in 0..30 {
            self.step().await;
            let now = self.connections();
            assert!(now - before <= 1, "{trouble:?}: {} in step {step}", now - before);
            before = now;
            self.clock.advance(SECOND * 120);
        }
        let all = self.store.deliveries_after(None, 1000).await.unwrap();
        let waiting: Vec<_> = all.iter().filter(|one| one.state == DeliveryState::Scheduled).collect();
        assert_eq!(waiting.len(), MAILS as usize, "{trouble:?}: all wait");
        for one in waiting {
            assert!(one.attempts == 0 || trouble.leaves_doubt(), "{trouble:?}: {one:?}");
        }
        assert!(self.app.outbox().relay_trouble().is_some() || trouble.leaves_doubt(), "{trouble:?}");
        trouble.ends(&self.relay).await;
        for _ in 0..20 {
            self.clock.advance(SECOND * 60);
            self.step().await;
        }
        let all = self.store.deliveries_after(None, 1000).await.unwrap();
        assert!(all.iter().all(|one| one.state == DeliveryState::Delivered), "{trouble:?}");
        assert_eq!(self.app.outbox().relay_trouble(), None, "{trouble:?}");
        let mails = self.relay.mails();
        let ids: BTreeSet<_> = mails.iter().map(|mail| message_id(&mail.data)).collect();
        let expected: BTreeSet<_> = all.iter().map(|one| format!("<{}@sender.example>", one.id)).collect();
        assert_eq!((mails.len(), ids), (2 * MAILS as usize, expected), "{trouble:?}: each once");
    }
}

fn message_id(source: &[u8]) -> String {
    let source = String::from_utf8_lossy(source);
    source.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_of_a_relay_loses_no_mail_uses_no_attempt_and_opens_a_connection_a_second() {
    for some in TROUBLES.chunks(4) {
        let some = some.iter().map(|trouble| tokio::spawn(Service::goes_through_from_the_start(*trouble)));
        for one in some.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}
