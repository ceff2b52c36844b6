//! Many reminders that are due together on several servers, of which one is killed while it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mail_parser::MessageParser;
use serde_json::json;
use sqlx::query_as;
use taskflow_core::ports::{Clock, SystemClock};
use taskflow_mail::testing::{Fault, Received, SmtpServer, Stage};
use tokio::sync::Mutex;

use crate::cluster::Database;
use crate::faketime;
use crate::fanout::arrived;
use crate::server::{Person, Server};
use crate::wait::eventually_within;

/// Connections of each node to the relay.
pub const CONNECTIONS: usize = 16;
/// Time for which the claims of a dead node last, in seconds.
const LEASE: &str = "5";
/// From the moment the nodes are up until the first reminder is due.
const LEAD: Duration = Duration::from_secs(5);
/// The longest time that the ledger may take to know of the last mail.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of reminders that are due, and what happens meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct DueReminders {
    /// Number of servers.
    pub nodes: usize,
    /// Number of meetings.
    pub meetings: usize,
    /// In each meeting, the organizer included; everybody gets one reminder.
    pub people: usize,
    /// From the first reminder's time to the last one's.
    pub spread: Duration,
    /// One node is killed when so many mails have arrived.
    pub kill_after: usize,
}

/// The mails that were sent, and what the ledger says about them.
#[derive(Debug)]
pub struct Outcome {
    /// Reminders in each state; all of them should be delivered.
    pub states: BTreeMap<String, usize>,
    /// Reminders that the relay never got.
    pub lost: usize,
    /// Mails that the relay got again.
    pub repeated: usize,
    /// Mails that were not the same as the one they repeat, or went to somebody else than the ledger says.
    pub wrong: usize,
    /// From when each was due until the ledger knew that it had arrived, in seconds, ascending.
    pub lateness: Vec<f64>,
}

impl DueReminders {
    /// Creates the meetings, lets the time come and kills a node, on a database without anything in it but the schema.
    pub async fn send(self, database: &Database) -> Outcome {
        let first_due = SystemClock::new().now() + Duration::from_mins(45);
        self.create_meetings(database, first_due + Duration::from_mins(15)).await;
        let relay = SmtpServer::start().await.expect("a relay");
        // So that mails are on their way whenever a node is killed.
        relay.when(Stage::Dot, Fault::Delay(Duration::from_millis(5)));
        let port = relay.port().to_string();
        let shifted = faketime::ahead(first_due.since(SystemClock::new().now()) - LEAD);
        let mut settings = settings(database, &port).to_vec();
        settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
        let mut nodes = Vec::new();
        for _ in 0..self.nodes {
            nodes.push(Server::start(&settings).await);
        }
        arrived(&relay, self.kill_after).await;
        nodes[0].kill();
        arrived(&relay, self.meetings * self.people).await;
        let ledger = settled(database).await;
        for node in nodes.into_iter().skip(1) {
            let (status, log) = node.terminate().await;
            assert!(status.success(), "{log}");
        }
        outcome(&ledger, &relay.mails())
    }

    /// Has everybody invited, so that nothing but reminders is left to send.
    async fn create_meetings(self, database: &Database, first_start: taskflow_core::Timestamp) {
        let relay = SmtpServer::builder().count_only().start().await.expect("a relay");
        let server = Server::start(&settings(database, &relay.port().to_string())).await;
        let ada = server.person("ada").await;
        for n in 0..self.meetings {
            self.create_meeting(&ada, n, first_start).await;
        }
        arrived(&relay, 1 + self.meetings * (self.people - 1)).await;
        let (status, log) = server.terminate().await;
        assert!(status.success(), "{log}");
    }

    async fn create_meeting(self, organizer: &Person<'_>, n: usize, first_start: taskflow_core::Timestamp) {
        let people: Vec<_> = (1..self.people).map(|guest| format!("guest-{guest}@example.org")).collect();
        let meeting = json!({
            "title": format!("meeting {n}"),
            "meeting_date": (first_start + self.spread * n as u32 / self.meetings as u32).to_string(),
            "reminder_minutes": 15,
            "participant_emails": people,
        });
        organizer.meeting(meeting).await;
    }
}

/// The settings of every node.
fn settings<'a>(database: &'a Database, relay: &'a str) -> [(&'static str, &'a str); 8] {
    [
        ("DATABASE_URL", &database.url),
        ("SECRET_KEY", KEY),
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", relay),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_TIMEOUT", "2s"),
        ("LEASE_SECONDS", LEASE),
    ]
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A reminder in the ledger.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    email: String,
    state: String,
    late: Option<f64>,
}

const REMINDERS: &str = "
    SELECT id::text, email, state, extract(epoch FROM sent_at - due_at)::float8 AS late FROM taskflow.meeting_reminders";

/// The ledger, once nothing in it is open any more.
async fn settled(database: &Database) -> Vec<Row> {
    let rows = Mutex::new(database.connection().await);
    let settled = async || {
        let ledger: Vec<Row> = query_as(REMINDERS).fetch_all(&mut *rows.lock().await).await.expect("a ledger");
        ledger.iter().all(|row| row.state != "scheduled" && row.state != "claimed").then_some(ledger)
    };
    eventually_within(PATIENCE, "no reminder is open after the last mail has come", settled).await
}

fn outcome(ledger: &[Row], mails: &[Received]) -> Outcome {
    let whose: BTreeMap<&str, &str> = ledger.iter().map(|row| (row.id.as_str(), row.email.as_str())).collect();
    let mut states = BTreeMap::new();
    for row in ledger {
        *states.entry(row.state.clone()).or_default() += 1;
    }
    let mut first: BTreeMap<String, &Received> = BTreeMap::new();
    let (mut repeated, mut wrong) = (0, 0);
    for mail in mails {
        let parsed = MessageParser::default().parse(&mail.data).expect("a mail");
        // Every Message-ID carries the id of its delivery.
        let id = parsed.message_id().and_then(|id| id.split_once('@')).expect("a Message-ID").0.to_owned();
        wrong += usize::from(whose.get(id.as_str()).is_none_or(|email| mail.to != [*email]));
        match first.get(&id) {
            Some(first) => {
                repeated += 1;
                wrong += usize::from(first.data != mail.data);
            }
            None => drop(first.insert(id, mail)),
        }
    }
    let arrived: BTreeSet<&str> = first.keys().map(String::as_str).collect();
    let lost = whose.keys().filter(|id| !arrived.contains(*id)).count();
    let mut lateness: Vec<f64> = ledger.iter().filter_map(|row| row.late).collect();
    lateness.sort_by(f64::total_cmp);
    Outcome { states, lost, repeated, wrong, lateness }
}
