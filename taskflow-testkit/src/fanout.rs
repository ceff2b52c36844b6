//! Thousands of mails that are due at once, and what became of each: by the relay's account and by the ledger's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::notice::WelcomeNotice;
use taskflow_core::ports::{Clock, Ids, RandomIds, Storage, SystemClock};
use taskflow_core::{
    Changes, DedupeKey, DeliveryId, EmailAddress, NewDelivery, NewUser, Notice, Recipient, User, UserId, UserWrite,
};
use taskflow_mail::testing::{Fault, Received, SmtpServer, Stage};
use taskflow_store_postgres::{PgOptions, PgStore};
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::rows::{LedgerRow, Rows};
use crate::server::Server;
use crate::wait::eventually_within;

/// Connections to the relay, unless the settings say otherwise.
pub const CONNECTIONS: usize = 16;
/// Nobody waits longer than that for the next mail, or for the ledger after the last one.
const PATIENCE: Duration = Duration::from_secs(90);
/// Mails planned by one commit.
const COMMIT: usize = 1000;

/// The settings of a server that sends through this relay, and gives up soon what does not answer.
pub fn through(port: &str) -> Vec<(&str, &str)> {
    vec![
        // Restarts listen elsewhere; what mail links to stays the same.
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_TIMEOUT", "2s"),
        ("LEASE_SECONDS", "4s"),
        ("JOB_TICK", "200ms"),
    ]
}

/// The address of a reader.
pub fn reader(n: usize) -> String {
    format!("reader-{n}@example.org")
}

/// Plans a mail to each of so many readers, due now. Every other one has an account.
pub async fn plan(server: &Server, mails: usize) {
    let url = server.database_url();
    let store: Arc<dyn Storage> = match url.starts_with("sqlite:") {
        true => Arc::new(SqliteStore::open(&url, SqliteOptions::default()).await.expect("a store")),
        false => Arc::new(PgStore::connect(&url, PgOptions::default()).await.expect("a store")),
    };
    let readers: Vec<usize> = (0..mails).collect();
    for some in readers.chunks(COMMIT) {
        let changes = some.iter().fold(Changes::new(), |changes, n| planned(changes, *n));
        store.commit(&changes).await.expect("planned");
    }
}

fn planned(mut changes: Changes, n: usize) -> Changes {
    let (now, ids) = (SystemClock::new().now(), RandomIds::new());
    let email: EmailAddress = reader(n).parse().expect("an address");
    let recipient = match n % 2 {
        0 => Recipient::Address(email),
        _ => {
            let id = UserId::from_uuid(ids.next(now));
            let username = format!("reader-{n}").parse().expect("a name");
            let new = NewUser { username, email, time_zone: None, locale: None, is_admin: false };
            changes = changes.write(UserWrite::Insert(User::new(id, new, now)));
            Recipient::User(id)
        }
    };
    changes.deliveries.push(
        NewDelivery::new(
            DeliveryId::from_uuid(ids.next(now)),
            DedupeKey::new(format!("welcome/reader-{n}")),
            Notice::Welcome(WelcomeNotice { token: None }),
            recipient,
            now,
        )
        .because("a test"),
    );
    changes
}

/// Waits until so many mails have arrived, as long as there is one now and then.
pub async fn arrived(relay: &SmtpServer, mails: usize) {
    while relay.count() < mails {
        let count = relay.count();
        let what = format!("mail {} of {mails} comes", count + 1);
        eventually_within(PATIENCE, &what, async || (relay.count() > count).then_some(())).await;
    }
}

/// The ledger, once nothing in it is open any more.
pub async fn settled(server: &Server) -> Vec<LedgerRow> {
    let rows = Mutex::new(Rows::open(&server.database_url()).await);
    let settled = async || {
        let mut rows = rows.lock().await;
        let states = rows.states("welcome").await;
        let is_open = states.contains_key("scheduled") || states.contains_key("claimed");
        if is_open { None } else { Some(rows.ledger().await) }
    };
    eventually_within(PATIENCE, "nothing in the ledger is open", settled).await
}

/// Comparison of the ledger with the mail that the relay took.
#[derive(Debug, Default)]
pub struct Account {
    /// Deliveries of which the relay took no mail.
    pub lost: BTreeSet<String>,
    /// Mails that the relay took again: how often, for each delivery.
    pub repeated: BTreeMap<String, usize>,
    /// Descriptions of the differences.
    pub wrong: Vec<String>,
}

impl Account {
    /// Compares them. Every Message-ID carries the id of its delivery, and every answer of the relay says which mail it
    /// is about: so an answer that was counted for another mail is seen.
    pub fn of(ledger: &[LedgerRow], mails: &[Received]) -> Self {
        let rows: BTreeMap<&str, &LedgerRow> = ledger.iter().map(|row| (row.id.as_str(), row)).collect();
        let mut first: BTreeMap<&str, &Received> = BTreeMap::new();
        let mut account = Self::default();
        for mail in mails {
            let id = delivery(mail);
            if rows.get(id).is_none_or(|row| mail.to != [row.recipient.as_str()]) {
                account.wrong.push(format!("the mail of {id} went to {:?}", mail.to));
            }
            let Some(before) = first.get(id) else {
                first.insert(id, mail);
                continue;
            };
            *account.repeated.entry(id.to_owned()).or_default() += 1;
            if before.data != mail.data {
                account.wrong.push(format!("the mail of {id} was another one the second time"));
            }
        }
        for row in ledger {
            if !first.contains_key(row.id.as_str()) {
                account.lost.insert(row.id.clone());
            }
            if row.state == "delivered" && answered(row, mails).map(delivery) != Some(&row.id) {
                account.wrong.push(format!("{} was delivered by an answer to another mail: {:?}", row.id, row.reply));
            }
        }
        account
    }

    /// Returns the number of mails that were sent again.
    pub fn repeats(&self) -> usize {
        self.repeated.values().sum()
    }
}

/// The mail that the relay says it took.
fn answered<'a>(row: &LedgerRow, mails: &'a [Received]) -> Option<&'a Received> {
    let (_, number) = row.reply.as_ref()?.split_once("taken as ")?;
    mails.get(number.parse::<usize>().ok()?.checked_sub(1)?)
}

/// The id of its delivery.
pub fn delivery(mail: &Received) -> &str {
    let source = std::str::from_utf8(&mail.data).expect("text");
    let (_, id) = source.split_once("\r\nMessage-ID: <").expect("a Message-ID");
    id.split_once('@').expect("a domain").0
}

/// A fan-out during which the server is killed again and again.
#[derive(Debug, Clone, Copy)]
pub struct Kills {
    /// The store of the server.
    pub backend: Backend,
    /// Number of mails.
    pub mails: usize,
    /// Number of kills.
    pub kills: usize,
}

impl Kills {
    /// Lets it happen, at moments that follow from `seed`; prints what came of it.
    ///
    /// # Panics
    ///
    /// A mail was lost, doubled without need or not the same the second time, or the ledger does not know what happened.
    pub async fn happen(self, case: &str, seed: u64) {
        let Self { backend, mails, kills } = self;
        let (clock, mut random) = (SystemClock::new(), seed);
        let relay = SmtpServer::start().await.expect("a relay");
        // So that mails are on their way whenever the server is killed.
        relay.when(Stage::Dot, Fault::Delay(Duration::from_millis(2)));
        let port = relay.port().to_string();
        let server = backend.hold(&through(&port)).await;
        plan(&server, mails).await;
        let planned = clock.monotonic();
        let mut server = server.restart(&through(&port)).await;
        let mut moments: Vec<_> = (0..kills).map(|_| next(&mut random) as usize % (mails * 9 / 10)).collect();
        moments.sort_unstable();
        for cohort in moments {
            arrived(&relay, cohort).await;
            // A moment by chance: nothing happens that could be waited for.
            tokio::time::sleep(Duration::from_micros(next(&mut random) % 20_000)).await;
            server = server.restart(&through(&port)).await;
        }
        let ledger = settled(&server).await;
        let (status, log) = server.terminate().await;
        let account = Account::of(&ledger, &relay.mails());
        let repeats = account.repeats();
        println!(
            "{{\"case\": \"{case}\", \"store\": \"{backend}\", \"seed\": {seed}, \"mails\": {mails}, \"kills\": {kills}, \
             \"lost\": {}, \"repeated\": {repeats}, \"wrong\": {}, \"seconds\": {:.1}}}",
            account.lost.len(),
            account.wrong.len(),
            (clock.monotonic() - planned).as_secs_f64()
        );
        assert!(status.success(), "{log}");
        assert_eq!((ledger.len(), account.lost.len()), (mails, 0), "{account:?}");
        assert!(account.wrong.is_empty(), "{:?}", account.wrong);
        assert!(ledger.iter().all(|row| row.state == "delivered" && row.attempts == 0), "{log}");
        assert!(repeats <= 2 * CONNECTIONS * kills, "{repeats} mails came again after {kills} kills");
    }
}

/// The next number of a sequence (SplitMix64).
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
