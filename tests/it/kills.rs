//! What a fan-out comes to when the server ends in the middle of it, one way or the other.

use taskflow_mail::testing::SmtpServer;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::fanout::{Account, Kills, arrived, plan, settled, through};

/// R1, with fewer mails than in `tests/long`: 15,000 in five runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_thousands_of_mails_the_server_loses_none() {
    const MAILS: usize = 3000;
    for run in 0..5 {
        let backend = if run % 2 == 0 { Backend::Sqlite } else { Backend::Postgres };
        Kills { backend, mails: MAILS, kills: 3 }.happen("kills", run).await;
    }
}

/// R3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_in_the_middle_of_thousands_of_mails_the_server_loses_and_repeats_none() {
    const MAILS: usize = 3000;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let relay = SmtpServer::start().await.expect("a relay");
        let port = relay.port().to_string();
        let server = backend.hold(&through(&port)).await;
        plan(&server, MAILS).await;
        let mut server = server.restart(&through(&port)).await;
        for part in [MAILS / 3, MAILS * 2 / 3] {
            arrived(&relay, part).await;
            let status = server.stop().await;
            assert!(status.success(), "{}", server.log());
            // Nothing is left that somebody would have to wait for.
            let count = relay.count();
            assert!(count < MAILS, "it had nothing to do any more");
            server = server.restart(&through(&port)).await;
        }
        let ledger = settled(&server).await;
        assert!(server.terminate().await.0.success());
        let account = Account::of(&ledger, &relay.mails());
        assert_eq!((ledger.len(), account.lost.len(), account.repeats()), (MAILS, 0, 0), "{account:?}");
        assert!(account.wrong.is_empty(), "{:?}", account.wrong);
        assert!(ledger.iter().all(|row| row.state == "delivered" && row.attempts == 0));
    }
}
