use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};
use taskflow::ports::{Clock, Deliveries, JobStore, SystemClock};
use taskflow::store::{PgOptions, PgStore};
use taskflow::{JobName, JobRun, RunState, Timestamp};
use taskflow_mail::testing::SmtpServer;

use taskflow_testkit::accounts::{
    LEASE, ZonedAccount, assert_same, delivered, insert_accounts, node, scheduled_runs, summaries,
};
use taskflow_testkit::backend::migrated;
use taskflow_testkit::cluster::Database;
use taskflow_testkit::faketime;
use taskflow_testkit::fanout::{Account, CONNECTIONS, arrived};
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

/// From the moment the nodes are started until it is nine.
const LEAD: Duration = Duration::from_secs(6);

/// Who lives where: zone, chosen minute, how many, and every which of them has nothing to hear (0: none of them). At 07:00 in
/// UTC on 28 March 2027, hours after the clocks went forward in Europe, it is that minute for most of them.
const HOMES: [(&str, &str, usize, usize); 10] = [
    ("Europe/Berlin", "09:00", 3000, 5),
    ("Europe/Berlin", "08:59", 40, 2),
    // Whoever went by the offset of the day before would send these instead.
    ("Europe/Berlin", "08:00", 40, 0),
    ("Europe/Berlin", "10:00", 40, 0),
    ("Europe/London", "08:00", 60, 2),
    ("America/New_York", "03:00", 60, 2),
    ("Asia/Kolkata", "12:30", 60, 2),
    ("Australia/Sydney", "18:00", 60, 2),
    ("Pacific/Kiritimati", "21:00", 60, 2),
    // There it is the day before.
    ("Pacific/Honolulu", "21:00", 60, 2),
];

fn accounts() -> Vec<ZonedAccount> {
    let home = |(zone, minute, people, idle): (&'static str, &'static str, usize, usize)| {
        (0..people).map(move |n| ZonedAccount::of(zone, minute, idle == 0 || n % idle != 0))
    };
    HOMES.into_iter().flat_map(home).collect()
}

/// Each page of deliveries takes a moment longer to plan, so that a sweep over thousands can be met in the middle.
async fn take_time(database: &Database) {
    let mut conn = database.connection().await;
    let function = "
        CREATE FUNCTION public.take_time() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.03); RETURN NULL; END'";
    let trigger = "
        CREATE TRIGGER take_time AFTER INSERT ON taskflow.deliveries
        FOR EACH STATEMENT EXECUTE FUNCTION public.take_time()";
    for statement in [function, trigger] {
        conn.execute(AssertSqlSafe(statement)).await.expect("a trigger");
    }
}

/// The run that makes the summaries of nine o'clock.
async fn run_of(store: &PgStore, nine: Timestamp) -> Option<JobRun> {
    let runs = store.runs(JobName::DAILY_SUMMARIES, None, 100).await.expect("runs");
    runs.into_iter().find(|run| run.since < nine && run.slot >= nine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_morning_after_the_clocks_changed_a_node_dies_and_everybody_hears_of_their_day_once() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let store = PgStore::connect(&database.url, PgOptions::default().without_migrating()).await.expect("a store");
    let accounts = accounts();
    insert_accounts(&store, &accounts).await;
    take_time(&database).await;
    let nine: Timestamp = "2027-03-28T07:00:00Z".parse().expect("a time");
    let before = nine - Duration::from_mins(2);
    assert!(store.advance_to(JobName::DAILY_SUMMARIES, None, before).await.expect("a slot"));

    let port = relay.port().to_string();
    let shifted = faketime::ahead(nine.since(SystemClock::new().now()) - LEAD);
    let names = ["one", "two", "three"];
    let mut nodes = Vec::new();
    for name in names {
        let mut settings = node(&database, &port, name);
        settings.push(("JOB_TASK_REMINDERS", "off"));
        settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
        nodes.push(Server::start(&settings).await);
    }

    let met = eventually("a sweep that has begun and has not ended", || async {
        let run = run_of(&store, nine).await?;
        assert_ne!(run.state(), RunState::Finished, "it was over too soon: {run:?}");
        (run.counts.get("examined") >= 400).then_some(run)
    })
    .await;
    let died = SystemClock::new();
    let dead = names.iter().position(|name| met.node.as_deref() == Some(*name)).expect("one of the nodes");
    nodes.remove(dead).kill();
    let left = store.run(met.id).await.expect("a run").expect("the run");
    assert_eq!((left.state(), left.tries), (RunState::Running, 1), "it was killed too late");
    let done = eventually("another node ends what the dead one had begun", || async {
        store.run(met.id).await.expect("a run").filter(|run| run.state() == RunState::Finished)
    })
    .await;
    let took_over_s = died.monotonic().as_secs_f64();
    // Whoever goes on at the cursor looks at everybody once, whoever begins anew would look at some again.
    let examined = accounts.iter().filter(|account| account.is_reached(done.since, done.slot)).count() as u64;
    let planned = summaries(&accounts, done.since, done.slot).len() as u64;
    assert_eq!((done.counts.get("examined"), done.counts.get("found")), (examined, planned), "{done:?}");
    assert_eq!(done.tries, 2);
    assert_ne!(done.node, met.node);
    assert!(took_over_s > LEASE.as_secs_f64() - 0.5, "it was taken from a node that might have lived");

    let expected = summaries(&accounts, before, done.slot);
    arrived(&relay, expected.len()).await;
    eventually("everything is settled", || async { (store.ledger().await.expect("a ledger").due == 0).then_some(()) })
        .await;
    for node in nodes {
        let (status, log) = node.terminate().await;
        assert!(status.success(), "{log}");
    }
    // A minute may have passed meanwhile.
    let jobs = store.jobs().await.expect("jobs");
    let until = jobs.iter().find(|job| job.job == JobName::DAILY_SUMMARIES).expect("the job").slot;
    assert_same(&delivered(&database, "daily_summary").await, &summaries(&accounts, before, until));
    for job in taskflow::shipped_jobs() {
        scheduled_runs(&store, job.name()).await;
    }
    let account = Account::of(&Rows::open(&database.url).await.ledger().await, &relay.mails());
    assert!(account.lost.is_empty() && account.wrong.is_empty(), "{account:?}");
    assert!(account.repeats() <= 2 * CONNECTIONS, "{} mails came again", account.repeats());
    let ledger = store.ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.due == 0, "{ledger:?}");
    println!(
        "{{\"case\": \"morning\", \"examined\": {examined}, \"planned\": {planned}, \"examined_by_the_dead\": {}, \
         \"taken_over_and_done_after_s\": {took_over_s:.1}, \"repeated\": {}}}",
        left.counts.get("examined"),
        account.repeats()
    );
}
