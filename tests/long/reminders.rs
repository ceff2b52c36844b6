use std::time::Duration;

use taskflow::store::{PgOptions, PgStore};
use taskflow_mail::testing::SmtpServer;

use taskflow_testkit::cluster::Database;
use taskflow_testkit::meetings::create_at_once;
use taskflow_testkit::reminders::{CONNECTIONS, DueReminders};
use taskflow_testkit::server::Server;

/// R1 and S11: three nodes, 10,000 reminders (`LONG_REMINDERS` for another number, in steps of 500) that come due within
/// a minute, and one node killed when a third of them has left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_nodes_one_is_killed_in_a_wave_of_reminders_and_nobody_is_forgotten() {
    let meetings = crate::amount("LONG_REMINDERS", 10_000).div_ceil(500) as usize;
    for (case, spread) in [("reminders_at_one_instant", Duration::ZERO), ("reminders_in_a_minute", MINUTE)] {
        let reminders = meetings * 500;
        let due = DueReminders { nodes: 3, meetings, people: 500, spread, kill_after: reminders / 3 };
        let outcome = due.send(&database().await).await;
        let (lost, wrong, repeated) = (outcome.lost, outcome.wrong, outcome.repeated);
        let [p50, p99, most] = [50, 99, 100].map(|part| outcome.lateness[(reminders * part / 100).min(reminders - 1)]);
        println!(
            "{{\"case\": \"{case}\", \"reminders\": {reminders}, \"lost\": {lost}, \"wrong\": {wrong}, \
             \"repeated\": {repeated}, \"late_p50_s\": {p50:.3}, \"late_p99_s\": {p99:.3}, \"late_most_s\": {most:.3}}}"
        );
        assert_eq!(outcome.states, [("delivered".to_owned(), reminders)].into());
        assert_eq!((lost, wrong), (0, 0));
        assert!(repeated <= 2 * CONNECTIONS, "{repeated} mails came again");
        assert!(spread.is_zero() || (p50 <= 2.0 && p99 <= 10.0), "later than promised");
    }
}

/// 50 meetings of 500 people (`LONG_CROWDS` for another number) that are called at once, on either store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meetings_of_hundreds_are_called_at_once_and_none_gives_way() {
    let meetings = crate::amount("LONG_CROWDS", 50) as usize;
    let relay = SmtpServer::builder().count_only().start().await.expect("a relay");
    let port = relay.port().to_string();
    let settings = [
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("QUOTA_INVITATIONS", "0"),
    ];
    for (store, server) in [
        ("sqlite", Server::start(&settings).await),
        ("postgresql", Server::start_on(database().await, &settings).await),
    ] {
        let took = create_at_once(&server, meetings).await;
        let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
        println!(
            "{{\"case\": \"meetings_at_once\", \"store\": \"{store}\", \"meetings\": {meetings}, \"median_ms\": {median}, \
             \"most_ms\": {most}}}"
        );
    }
}

async fn database() -> Database {
    Database::migrated(|url| async move {
        PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
    })
    .await
}

const MINUTE: Duration = Duration::from_secs(60);
