use std::time::Duration;

use taskflow::ports::{Clock, SystemClock};
use taskflow_mail::testing::{Fault, SmtpServer, Stage};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::fanout::{Account, Kills, plan, settled, through};

/// R1: 50 fan-outs (`LONG_FANOUTS` for another number) of 10,000 mails, each with several kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_ten_thousand_mails_again_and_again_the_server_loses_none() {
    let mut random = crate::seed("fanout_kills");
    for run in 0..crate::amount("LONG_FANOUTS", 50) {
        let backend = if run % 2 == 0 { Backend::Sqlite } else { Backend::Postgres };
        let kills = 2 + crate::next(&mut random) as usize % 5;
        Kills { backend, mails: 10_000, kills }.happen("fanout_kills", crate::next(&mut random)).await;
    }
}

/// R6: nobody listens for a while, then everybody is turned away at the door, in words and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_away_is_asked_once_a_second_and_costs_no_attempt() {
    const MAILS: usize = 2000;
    const AWAY: Duration = Duration::from_secs(15);
    let knocks_at_most = AWAY.as_secs() as usize + 1;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let relay = SmtpServer::start().await.expect("a relay");
        let port = relay.port().to_string();
        let mut settings = through(&port);
        settings.extend([("RETRY_SCHEDULE", "200ms"), ("LOG", "warn,taskflow_mail=debug")]);
        let server = backend.hold(&settings).await;
        plan(&server, MAILS).await;
        relay.stop().await;
        let server = server.restart(&settings).await;
        // How often it is asked shows only as time passes.
        tokio::time::sleep(AWAY).await;
        // Whoever is refused leaves no trace but in the log of the server.
        let mut knocks = vec![server.log().matches(" the relay is unavailable").count()];
        relay.when(Stage::Greeting, Fault::Answer(421));
        relay.restart().await.expect("a relay");
        for turned_away in [Fault::Answer(421), Fault::Drop] {
            relay.obey();
            relay.when(Stage::Greeting, turned_away);
            let before = relay.connections();
            tokio::time::sleep(AWAY).await;
            knocks.push(relay.connections() - before);
        }
        relay.obey();
        let clock = SystemClock::new();
        let ledger = settled(&server).await;
        let back = clock.monotonic().as_secs_f64();
        assert!(server.terminate().await.0.success());
        let account = Account::of(&ledger, &relay.mails());
        println!(
            "{{\"case\": \"relay_away\", \"store\": \"{backend}\", \"mails\": {MAILS}, \"seconds_each\": {}, \
             \"knocks\": {knocks:?}, \"lost\": {}, \"repeated\": {}, \"sent_after_s\": {back:.1}}}",
            AWAY.as_secs(),
            account.lost.len(),
            account.repeats()
        );
        assert_eq!((ledger.len(), account.lost.len(), account.repeats()), (MAILS, 0, 0), "{account:?}");
        assert!(account.wrong.is_empty(), "{:?}", account.wrong);
        assert!(ledger.iter().all(|row| row.state == "delivered" && row.attempts == 0));
        assert!(knocks.iter().all(|knocks| (1..=knocks_at_most).contains(knocks)), "{knocks:?}");
    }
}
