use taskflow_core::MemoryStore;
use taskflow_core::ports::{Accepted, MailError, Mailer};
use taskflow_core::{Mail, NewUser};
use tokio::sync::mpsc;

use super::*;
use crate::LocalBus;

fn ran(report: DeliveryReport) -> Outcome {
    Outcome::Ran(report)
}

fn relay_down() -> Outcome {
    ran(DeliveryReport { relay: Some("refused".into()), released: 1, claimed: 1, ..DeliveryReport::default() })
}

#[test]
fn the_relay_going_away_and_coming_back_is_told_once_each() {
    let mut health = Health::default();
    assert_eq!(health.after(&relay_down()), Some(Change::Began(Trouble::Relay)));
    assert_eq!(health.after(&relay_down()), None);
    assert_eq!(health.after(&ran(DeliveryReport::default())), None, "nothing sent shows nothing");
    let sent = ran(DeliveryReport { delivered: 1, claimed: 1, ..DeliveryReport::default() });
    assert_eq!(health.after(&sent), Some(Change::Ended(Trouble::Relay)));
    assert_eq!(health.after(&sent), None);
}

#[test]
fn waits_double_from_one_second_to_thirty_and_begin_anew_after_success() {
    let mut health = Health::default();
    let waits: Vec<u64> = (0..7)
        .map(|_| {
            health.after(&Outcome::Panicked);
            health.backoff.expect("a wait").as_secs()
        })
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    health.after(&ran(DeliveryReport::default()));
    assert_eq!(health.backoff, None);
    health.after(&relay_down());
    assert_eq!(health.backoff, Some(SHORTEST_BACKOFF));
}

#[test]
fn an_idle_step_does_not_forget_how_long_the_relay_has_been_away() {
    let mut health = Health::default();
    health.after(&relay_down());
    health.after(&ran(DeliveryReport::default()));
    health.after(&relay_down());
    assert_eq!(health.backoff, Some(2 * SHORTEST_BACKOFF));
}

/// Panics at its first mail and tells of the others.
struct Shaky {
    sent: mpsc::UnboundedSender<String>,
    calls: std::sync::atomic::AtomicU32,
}

#[async_trait::async_trait]
impl Mailer for Shaky {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        if self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            panic!("on purpose");
        }
        self.sent.send(mail.to.address.to_string()).expect("the test listens");
        Ok(Accepted { reply: "250".into() })
    }
}

#[tokio::test]
async fn mail_leaves_when_it_is_planned_and_the_loop_outlives_a_panic_and_ends_when_told() {
    let (sent, mut received) = mpsc::unbounded_channel();
    let bus: Arc<dyn EventBus> = Arc::new(LocalBus::new());
    let clock: Arc<dyn Clock> = Arc::new(taskflow_core::ports::SystemClock::new());
    let sending = taskflow_core::Sending {
        lease: Duration::from_millis(200),
        mail_timeout: Duration::from_millis(100),
        ..taskflow_core::Sending::default()
    };
    let app = App::builder(Arc::new(MemoryStore::new()))
        .clock(Arc::clone(&clock))
        .mailer(Arc::new(Shaky { sent, calls: 0.into() }))
        .bus(Arc::clone(&bus))
        .sending(sending)
        .build();
    let app = Arc::new(app);
    let stop = CancellationToken::new();
    let worker = Worker::new(Arc::clone(&app), clock, Duration::from_hours(1));
    let running = tokio::spawn(worker.run(bus, stop.clone()));
    // The loop has looked once and waits: only the bus can wake it within the hour.
    tokio::task::yield_now().await;
    let new = NewUser {
        username: "ada".parse().expect("a name"),
        email: "ada@example.org".parse().expect("an address"),
        time_zone: None,
        locale: None,
        is_admin: false,
    };
    app.accounts().register(new, None).await.expect("registered");
    assert_eq!(received.recv().await.as_deref(), Some("ada@example.org"));
    app.outbox().drain();
    stop.cancel();
    running.await.expect("no panic");
    assert!(app.deliveries().ledger().await.expect("a ledger").balances());
}
