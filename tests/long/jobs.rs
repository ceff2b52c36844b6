use std::time::Duration;

use taskflow::ports::{Clock, Deliveries, JobStore, SystemClock};
use taskflow::store::{PgOptions, PgStore};
use taskflow::{JobName, LocalMinute, Timestamp};
use taskflow_mail::testing::SmtpServer;

use crate::next;
use taskflow_testkit::accounts::{
    Expected, LEASE, ZonedAccount, assert_same, delivered, insert_accounts, node, scheduled_runs, summaries,
    task_reminders,
};
use taskflow_testkit::cluster::Database;
use taskflow_testkit::faketime;
use taskflow_testkit::fanout::{Account, CONNECTIONS};
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

const NODES: [&str; 3] = ["one", "two", "three"];
/// A minute on the nodes' clocks passes in a second.
const TIMES: u32 = 60;
/// On the nodes' clocks; two seconds for everybody else.
const SLOT: Duration = Duration::from_mins(2);
/// The jobs that one clock decides, each slot of which gets a run of its own.
const BY_ONE_CLOCK: [(&str, JobName); 4] = [
    ("JOB_MEETING_REMINDERS", JobName::MEETING_REMINDERS),
    ("JOB_SERVER_MONITORING", JobName::SERVER_MONITORING),
    ("JOB_DATA_CLEANUP", JobName::DATA_CLEANUP),
    ("JOB_STATISTICS", JobName::STATISTICS),
];
/// Where the clocks go forward meanwhile, where they do another day, and where they never do.
const ZONES: [&str; 4] = ["Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kolkata"];

/// R1 for the duties: three nodes for ten minutes (`LONG_JOBS_MINUTES` for another number), through ten hours of short
/// slots around the night in which Europe's clocks go forward. They are killed, stopped for longer than their leases last,
/// and started again at random.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_come_and_go_do_each_slot_once_and_leave_none_out() {
    let minutes = crate::amount("LONG_JOBS_MINUTES", 10);
    let mut random = crate::seed("jobs");
    let (database, relay) = (database().await, SmtpServer::start().await.expect("a relay"));
    let store = PgStore::connect(&database.url, PgOptions::default().without_migrating()).await.expect("a store");
    let accounts = accounts();
    insert_accounts(&store, &accounts).await;
    let port = relay.port().to_string();
    let change: Timestamp = "2027-03-28T01:00:00Z".parse().expect("a time");
    let begin = change - Duration::from_secs(60) * minutes * TIMES / 2;
    for job in [JobName::TASK_REMINDERS, JobName::DAILY_SUMMARIES] {
        assert!(store.advance_to(job, None, begin).await.expect("a slot"));
    }

    let cast = Cast { database: &database, port: &port, began: SystemClock::new().now(), begin };
    let mut nodes = Vec::new();
    for name in NODES {
        nodes.push(cast.start(name).await);
    }
    let (clock, mut kills, mut stops) = (SystemClock::new(), 0, 0);
    while clock.monotonic() < Duration::from_secs(60) * minutes {
        let which = next(&mut random) as usize % NODES.len();
        match next(&mut random) % 3 {
            0 => {
                kills += 1;
                nodes[which].kill();
                pause(next(&mut random) % 4000).await;
                nodes[which] = cast.start(NODES[which]).await;
            }
            1 => {
                stops += 1;
                nodes[which].signal("STOP");
                pause(LEASE.as_millis() as u64 / 2 + next(&mut random) % 5000).await;
                nodes[which].signal("CONT");
            }
            _ => pause(next(&mut random) % 4000).await,
        }
    }
    for node in nodes {
        let (status, log) = node.terminate().await;
        assert!(status.success(), "{log}");
    }
    cast.finish(&store).await;

    let mut runs = 0;
    for (_, job) in BY_ONE_CLOCK {
        let of_job = scheduled_runs(&store, job).await;
        assert!(of_job.windows(2).all(|two| two[1].since == two[0].slot), "{job}: a gap between two runs");
        assert!(of_job.iter().all(|run| run.slot == run.since + SLOT), "{job}: a slot without a run");
        runs += of_job.len();
    }
    let mut taken_over = 0;
    let mut mails = 0;
    for (job, kind) in [(JobName::TASK_REMINDERS, "task_reminder"), (JobName::DAILY_SUMMARIES, "daily_summary")] {
        let of_job = scheduled_runs(&store, job).await;
        taken_over += of_job.iter().filter(|run| run.tries > 1).count();
        let (first, last) = (of_job.first().expect("runs").since, of_job.last().expect("runs").slot);
        let until = store.jobs().await.expect("jobs").iter().find(|state| state.job == job).expect("the job").slot;
        assert!(first >= begin && until >= last);
        if job == JobName::DAILY_SUMMARIES {
            assert!(of_job.windows(2).all(|two| two[1].since == two[0].slot), "{job}: a gap between two runs");
        }
        let found = delivered(&database, kind).await;
        assert_same(&found, &expected(job, &accounts, begin, until));
        (runs, mails) = (runs + of_job.len(), mails + found.len());
    }
    let account = Account::of(&Rows::open(&database.url).await.ledger().await, &relay.mails());
    let repeated = account.repeats();
    println!(
        "{{\"case\": \"jobs\", \"minutes\": {minutes}, \"kills\": {kills}, \"stops\": {stops}, \"runs\": {runs}, \
         \"sweeps_taken_over\": {taken_over}, \"mails\": {mails}, \"repeated\": {repeated}, \"lost\": {}, \"wrong\": {}}}",
        account.lost.len(),
        account.wrong.len()
    );
    assert!(account.lost.is_empty() && account.wrong.is_empty(), "{account:?}");
    assert!(repeated <= 2 * CONNECTIONS * (kills + stops), "{repeated} mails came again");
    let ledger = store.ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.due == 0 && ledger.planned as usize == mails, "{ledger:?}");
}

/// Somebody for each minute of the day, so that every slot of the summaries is somebody's, and people in other zones.
fn accounts() -> Vec<ZonedAccount> {
    let minute = |n: u16| LocalMinute::new(n).expect("a minute").to_string();
    let everywhere = (0..LocalMinute::PER_DAY).map(|n| ZonedAccount::of("UTC", &minute(n), n % 5 == 0));
    let elsewhere = ZONES.into_iter().flat_map(|zone| (0..144).map(move |n| (zone, n * 10)));
    everywhere.chain(elsewhere.map(|(zone, n)| ZonedAccount::of(zone, &minute(n), true))).collect()
}

/// The whole hours at which people are reminded of their tasks.
fn hours() -> Vec<LocalMinute> {
    (0..24).map(|hour| LocalMinute::new(hour * 60).expect("a minute")).collect()
}

fn expected(job: JobName, accounts: &[ZonedAccount], since: Timestamp, until: Timestamp) -> Expected {
    match job {
        JobName::DAILY_SUMMARIES => summaries(accounts, since, until),
        _ => task_reminders(accounts, &hours(), since, until),
    }
}

/// The nodes, and the time they live in.
struct Cast<'a> {
    database: &'a Database,
    port: &'a str,
    /// When it was `begin` on the nodes' clocks.
    began: Timestamp,
    begin: Timestamp,
}

impl Cast<'_> {
    /// What the nodes' clocks show now.
    fn now(&self) -> Timestamp {
        self.begin + SystemClock::new().now().since(self.began) * TIMES
    }

    fn ahead(&self) -> Duration {
        self.now().since(SystemClock::new().now())
    }

    async fn start(&self, name: &str) -> Server {
        let slots = format!("every {}m all", SLOT.as_secs() / 60);
        let hours: Vec<_> = hours().iter().map(ToString::to_string).collect();
        let local = format!("local {}", hours.join(","));
        let mut settings = node(self.database, self.port, name);
        settings.extend(BY_ONE_CLOCK.map(|(setting, _)| (setting, slots.as_str())));
        settings.push(("JOB_TASK_REMINDERS", &local));
        let shifted = faketime::faster(self.ahead(), TIMES);
        settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
        Server::start(&settings).await
    }

    /// Lets a node that begins nothing end what the others have left.
    async fn finish(&self, store: &PgStore) {
        let mut settings = node(self.database, self.port, "last");
        settings.extend(BY_ONE_CLOCK.map(|(setting, _)| (setting, "off")));
        settings.extend([("JOB_TASK_REMINDERS", "off"), ("JOB_DAILY_SUMMARIES", "off")]);
        let shifted = faketime::ahead(self.ahead());
        settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
        let server = Server::start(&settings).await;
        eventually("every run is over and every mail is settled", || async {
            let open = store.jobs().await.expect("jobs").iter().any(|job| job.open.is_some());
            (!open && store.ledger().await.expect("a ledger").due == 0).then_some(())
        })
        .await;
        let (status, log) = server.terminate().await;
        assert!(status.success(), "{log}");
    }
}

/// Lets a moment by chance pass: nothing happens that could be waited for.
async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

async fn database() -> Database {
    Database::migrated(|url| async move {
        PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
    })
    .await
}
