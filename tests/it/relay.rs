//! Relays that no one would wish for, and what the ledger says when all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};

use crate::admins::admin;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::fanout::{Account, plan, reader, settled, through};
use taskflow_testkit::rows::{FailedAttempt, LedgerRow, Rows};
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually_within;

const GREYLISTED: &str = "450 4.2.0 greylisted, try again later";
const GONE: &str = "550 5.1.1 no such user here";
const UNWANTED: &str = "550 5.7.1 not from you";

/// What a reader's mail meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing but the weather.
    Fine,
    /// It is refused for now, the first time.
    Greylisted,
    /// There is no such mailbox.
    Gone,
    /// It is refused for good, and the mailbox is there.
    Unwanted,
    /// The relay falls silent over it, the first time.
    Hung,
}

impl Fate {
    /// A tenth is refused for now, a hundredth for good, a thousandth hangs.
    fn of(n: usize) -> Self {
        match n {
            _ if n % 10 == 3 => Self::Greylisted,
            _ if n % 200 == 7 => Self::Gone,
            _ if n % 200 == 108 => Self::Unwanted,
            _ if n % 1000 == 11 => Self::Hung,
            _ => Self::Fine,
        }
    }

    fn befalls(self, relay: &SmtpServer, reader: &str) {
        match self {
            Self::Fine => {}
            Self::Greylisted => relay.once_to(reader, Stage::Rcpt, Fault::Say(GREYLISTED)),
            Self::Gone => relay.when_to(reader, Stage::Rcpt, Fault::Say(GONE)),
            Self::Unwanted => relay.when_to(reader, Stage::Rcpt, Fault::Say(UNWANTED)),
            Self::Hung => relay.once_to(reader, Stage::Dot, Fault::Hang),
        }
    }
}

/// Connections that are dropped at any stage, and 421 after every hundred mails.
fn storm(relay: &SmtpServer) {
    relay.close_after(100);
    for (times, stage) in [(290, Stage::Mail), (310, Stage::Rcpt), (330, Stage::Data), (350, Stage::Dot)] {
        relay.every(times, stage, Fault::Drop);
    }
}

async fn through_a_storm(backend: Backend) {
    const MAILS: usize = 3000;
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let mut settings = through(&port);
    settings.extend([("RETRY_SCHEDULE", "300ms"), ("MAX_RETRIES", "10"), ("LEASE_SECONDS", "5s")]);
    let server = backend.hold(&settings).await;
    admin(&server, "ada").await;
    plan(&server, MAILS).await;
    let fates: BTreeMap<String, Fate> = (0..MAILS).map(|n| (reader(n), Fate::of(n))).collect();
    for (reader, fate) in &fates {
        fate.befalls(&relay, reader);
    }
    storm(&relay);
    let server = server.restart(&settings).await;
    let ledger = settled(&server).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;

    let account = Account::of(&ledger, &relay.mails());
    // Ada was welcomed as well.
    assert_eq!((ledger.len(), account.repeats()), (MAILS + 1, 0), "{account:?}");
    assert!(account.wrong.is_empty(), "{:?}", account.wrong);
    let failed = Rows::open(&server.database_url()).await.failed_attempts().await;
    for row in &ledger {
        let fate = fates.get(&row.recipient).copied().unwrap_or(Fate::Fine);
        let errors: Vec<_> = failed.iter().filter(|(id, ..)| *id == row.id).map(|(.., error)| error.as_str()).collect();
        accounts_for(row, fate, &errors, account.lost.contains(&row.id));
    }
    told_by_the_api(&ada, &ledger, &failed).await;
    let gone: BTreeSet<_> =
        fates.iter().filter(|(_, fate)| **fate == Fate::Gone).map(|(reader, _)| reader.clone()).collect();
    assert_eq!(suppressed(&ada).await, gone);
    assert!(server.terminate().await.0.success());
    println!(
        "{{\"case\": \"storm\", \"store\": \"{backend}\", \"mails\": {MAILS}, \"failed_attempts\": {}, \"connections\": {}}}",
        failed.len(),
        relay.connections()
    );
}

/// Whether the ledger says what was done to a mail: nothing that was not, and nothing less.
fn accounts_for(row: &LedgerRow, fate: Fate, errors: &[&str], lost: bool) {
    let of = |beginning: &str| errors.iter().filter(|error| error.starts_with(beginning)).count();
    let dropped = of("the connection was lost");
    let (refused, silent) = (of(GREYLISTED) + of(GONE) + of(UNWANTED), of("no answer within"));
    let (state, expected) = match fate {
        Fate::Fine => ("delivered", (0, 0)),
        Fate::Greylisted => ("delivered", (of(GREYLISTED).max(1), 0)),
        Fate::Gone => ("discarded", (of(GONE).max(1), 0)),
        Fate::Unwanted => ("discarded", (of(UNWANTED).max(1), 0)),
        Fate::Hung => ("delivered", (0, 1)),
    };
    assert_eq!((row.state.as_str(), (refused, silent), refused.max(1)), (state, expected, 1), "{row:?} {errors:?}");
    assert_eq!((lost, row.reply.is_none()), (state == "discarded", state == "discarded"), "{row:?}");
    assert_eq!((row.attempts as usize, dropped + refused + silent), (errors.len(), errors.len()), "{row:?} {errors:?}");
    if state == "discarded" {
        assert_eq!(row.last_error.as_deref(), errors.last().copied(), "{row:?}");
    }
}

/// Administrators read the same as somebody with a SQL prompt.
async fn told_by_the_api(admin: &Person<'_>, ledger: &[LedgerRow], failed: &[FailedAttempt]) {
    let mut told = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = admin.get(&format!("/api/deliveries?size=100{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        told.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(told.len(), ledger.len());
    // Newest first.
    told.reverse();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for (told, row) in told.iter().zip(ledger) {
        let seen = (text(&told["id"]), text(&told["state"]), told["attempts"].as_i64());
        assert_eq!(seen, (Some(row.id.clone()), Some(row.state.clone()), Some(row.attempts)), "{told}");
        assert_eq!((text(&told["last_error"]), text(&told["reply"])), (row.last_error.clone(), row.reply.clone()));
    }
    for state in ["delivered", "discarded"] {
        let tried = ledger.iter().filter(|row| row.state == state && row.attempts > 0).max_by_key(|row| row.attempts);
        let row = tried.expect("one that was refused");
        let (_, detail) = admin.get(&format!("/api/deliveries/{}", row.id)).await;
        let told = detail["failed_attempts"].as_array().expect("attempts").iter();
        let told: Vec<FailedAttempt> = told
            .map(|one| (row.id.clone(), one["attempt"].as_i64().expect("a number"), text(&one["error"]).expect("text")))
            .collect();
        let known: Vec<_> = failed.iter().filter(|(id, ..)| *id == row.id).cloned().collect();
        assert_eq!(told, known, "{detail}");
    }
}

/// Every address that gets no mail any more.
async fn suppressed(admin: &Person<'_>) -> BTreeSet<String> {
    let (status, page) = admin.get("/api/suppressions?size=100").await;
    assert_eq!((status, page.get("next")), (StatusCode::OK, None), "{page}");
    page["items"].as_array().expect("items").iter().filter_map(|one| one["email"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_storm_everybody_gets_one_mail_and_the_ledger_knows_what_it_took_on_sqlite() {
    through_a_storm(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_storm_everybody_gets_one_mail_and_the_ledger_knows_what_it_took_on_postgresql() {
    through_a_storm(Backend::Postgres).await;
}

/// How long a mail may take here.
const LIMIT: Duration = Duration::from_secs(3);
/// An answer that comes late, but in time. Whoever rode along has taken another connection by then.
const LATE: Duration = Duration::from_millis(1500);
/// One that nobody waits for any more.
const TOO_LATE: Duration = Duration::from_secs(4);

/// What the relay does to some of the mails, after it has seen all of them: beginning with this one, and every so many.
const DAWDLING: [(usize, usize, Stage, Fault); 5] = [
    (21, 1000, Stage::Dot, Fault::Delay(TOO_LATE)),
    (72, 1000, Stage::Taken, Fault::Delay(TOO_LATE)),
    (123, 1000, Stage::Dot, Fault::Hang),
    (174, 1000, Stage::Taken, Fault::Hang),
    (225, 100, Stage::Dot, Fault::Delay(LATE)),
];

fn dawdling(n: usize) -> Option<(Stage, Fault)> {
    let found = DAWDLING.iter().find(|(first, step, ..)| n >= *first && (n - first).is_multiple_of(*step));
    found.map(|(.., stage, fault)| (*stage, *fault))
}

/// A mail that is answered after we gave it up, or never, costs itself an attempt and nobody else anything: its answer
/// is counted for no other mail, and nothing more is said on its connection. One that is answered late, but in time, costs
/// nobody anything.
async fn answered_too_late(backend: Backend, pipelining: bool) {
    const MAILS: usize = 1000;
    let relay = SmtpServer::builder().pipelining(pipelining).start().await.expect("a relay");
    let port = relay.port().to_string();
    let mut settings = through(&port);
    // Few, so that each is wanted again as soon as it is free.
    settings.extend([("SMTP_CONNECTIONS", "6"), ("RETRY_SCHEDULE", "300ms")]);
    settings.extend([("EMAIL_TIMEOUT", "3s"), ("LEASE_SECONDS", "8s")]);
    let server = backend.hold(&settings).await;
    plan(&server, MAILS).await;
    let fates: BTreeMap<String, _> = (0..MAILS).filter_map(|n| Some((reader(n), dawdling(n)?))).collect();
    for (reader, (stage, fault)) in &fates {
        relay.once_to(reader, *stage, *fault);
    }
    // So that mails wait for a connection until the last answer is too late.
    relay.when(Stage::Dot, Fault::Delay(Duration::from_millis(20)));
    let server: Server = server.restart(&settings).await;
    let ledger = settled(&server).await;
    assert!(server.terminate().await.0.success());
    // Three of the four were taken twice; the relay may take the first copy after the second one.
    let mails = relay.await_mails(MAILS + 3).await;
    let account = Account::of(&ledger, &mails);
    assert_eq!((ledger.len(), account.lost.len()), (MAILS, 0), "{account:?}");
    assert!(account.wrong.is_empty(), "{:?}", account.wrong);
    for row in &ledger {
        let fate = fates.get(&row.recipient).copied();
        let given_up = fate.is_some_and(|(_, fault)| fault != Fault::Delay(LATE));
        // All of them were taken, before or after we gave up, but the one over which the relay hung.
        let taken_twice = given_up && fate != Some((Stage::Dot, Fault::Hang));
        assert_eq!((row.state.as_str(), row.attempts), ("delivered", i64::from(given_up)), "{row:?} {pipelining}");
        assert_eq!(account.repeated.contains_key(&row.id), taken_twice, "{row:?} {pipelining}");
    }
    let (in_time, too_late): (Vec<_>, Vec<_>) =
        relay.said_after_silence().into_iter().partition(|said| said.silence.is_some_and(|silence| silence < LIMIT));
    assert_eq!(too_late, [], "{pipelining}");
    // Where nobody rides along, the connection is as good as before: which also shows that the relay would have noticed.
    assert!(pipelining || !in_time.is_empty(), "nobody waited any more");
    println!(
        "{{\"case\": \"too_late\", \"store\": \"{backend}\", \"pipelining\": {pipelining}, \"mails\": {MAILS}, \
         \"connections\": {}, \"repeated\": {}, \"used_after_a_late_answer\": {}, \"after_too_late_a_one\": 0}}",
        relay.connections(),
        account.repeats(),
        in_time.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_counts_for_no_other_mail() {
    tokio::join!(answered_too_late(Backend::Sqlite, true), answered_too_late(Backend::Postgres, true));
    tokio::join!(answered_too_late(Backend::Sqlite, false), answered_too_late(Backend::Postgres, false));
}

/// Trouble that is not about a mailbox, as a relay tells it at each stage of the dialogue.
const TROUBLES: [(Stage, Fault); 9] = [
    (Stage::Greeting, Fault::Say("421 4.3.2 not now")),
    (Stage::Greeting, Fault::Say("554 5.3.2 no service for you")),
    (Stage::Greeting, Fault::Drop),
    (Stage::Hello, Fault::Say("421 4.7.0 too many connections")),
    (Stage::Mail, Fault::Say("451 4.3.0 temporary failure")),
    (Stage::Mail, Fault::Say("550 5.7.1 sender refused")),
    (Stage::Rcpt, Fault::Say("452 4.3.1 insufficient system storage")),
    (Stage::Dot, Fault::Say("552 5.2.2 quota exceeded")),
    (Stage::Dot, Fault::Say("421 4.3.2 shutting down")),
];

/// A relay that has nothing but trouble is asked once a second. When it is over all mail leaves once, and no attempt is used.
async fn waits_out(backend: Backend, stage: Stage, fault: Fault) {
    const MAILS: usize = 40;
    const TIMES: usize = 6;
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let server = backend.hold(&through(&port)).await;
    plan(&server, MAILS).await;
    relay.when(stage, fault);
    let began = tokio::time::Instant::now();
    let server = server.restart(&through(&port)).await;
    let lets_in = !matches!(stage, Stage::Greeting | Stage::Hello);
    let asked = || match lets_in {
        true => relay.commands().iter().filter(|line| line.starts_with("MAIL")).count(),
        false => relay.connections(),
    };
    eventually_within(Duration::from_secs(60), "it is asked again and again", async || {
        (asked() >= TIMES).then_some(())
    })
    .await;
    let (span, connections) = (began.elapsed(), relay.connections());
    let seconds = span.as_secs() as usize + 2;
    assert!(connections <= seconds, "{stage:?} {fault:?}: {connections} connections in {span:?}");
    // What is offered before the circuit opens is answered alike, and costs nothing.
    assert!(asked() <= seconds + 5, "{stage:?} {fault:?}: asked {} times in {span:?}", asked());
    relay.obey();
    let ledger = settled(&server).await;
    assert!(server.terminate().await.0.success());
    let account = Account::of(&ledger, &relay.mails());
    assert_eq!((ledger.len(), account.lost.len(), account.repeats()), (MAILS, 0, 0), "{fault:?}: {account:?}");
    assert!(account.wrong.is_empty(), "{fault:?}: {:?}", account.wrong);
    assert!(ledger.iter().all(|row| (row.state.as_str(), row.attempts) == ("delivered", 0)), "{fault:?}: {ledger:?}");
    println!(
        "{{\"case\": \"trouble\", \"store\": \"{backend}\", \"stage\": \"{stage:?}\", \"fault\": \"{fault:?}\", \
         \"mails\": {MAILS}, \"lost\": 0, \"attempts\": 0, \"connections\": {connections}, \"seconds\": {:.1}}}",
        span.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_of_the_relay_is_waited_out_and_costs_no_mail_and_no_attempt_on_sqlite() {
    join_all(TROUBLES.map(|(stage, fault)| waits_out(Backend::Sqlite, stage, fault))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_of_the_relay_is_waited_out_and_costs_no_mail_and_no_attempt_on_postgresql() {
    join_all(TROUBLES.map(|(stage, fault)| waits_out(Backend::Postgres, stage, fault))).await;
}
