//! Monitoring of the service itself: a problem is reported once when it begins or changes, and once when it is over.

mod lately;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use self::lately::{Lately, RefusedByNode};
pub use self::report::MonitoringReport;
use super::super::{App, Job, JobContext, JobPage};
use crate::error::Error;
use crate::notice::{ServerAlertNotice, ServerRecoveryNotice};
use crate::ports::{DiskSpace, UnreadableRow};
use crate::{
    CatchUp, Changes, ChannelKind, ClockCheck, DedupeKey, DeliveryWrite, EmailAddress, JobName, JobPlan, MailTally,
    NewDelivery, Notice, NoticeKind, ProblemArea, Recipient, Schedule, Timestamp,
};

/// Limits beyond which monitoring reports a problem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Maximum time for a response of the store.
    pub store_latency: Duration,
    /// Longest time that mail may be overdue.
    pub mail_age: Duration,
    /// Largest share of the last mails that may be given up, from 0 to 1.
    pub mail_failures: f64,
    /// Smallest share of the disk that must be free, from 0 to 1.
    pub disk_free: f64,
    /// Most mails that may expire within an hour because they were not sent in time; 0: no limit.
    pub expired_mails: u64,
    /// Most mails that may be given up within an hour; 0: no limit.
    pub discarded_mails: u64,
    /// Most requests that limits may refuse within an hour; 0: no limit.
    pub refused_requests: u64,
}

impl Default for Limits {
    /// Half a second, five minutes, a tenth, a tenth; within an hour 10 expired mails, 100 discarded ones and 1,000 refused
    /// requests.
    fn default() -> Self {
        Self {
            store_latency: Duration::from_millis(500),
            mail_age: Duration::from_mins(5),
            mail_failures: 0.1,
            disk_free: 0.1,
            expired_mails: 10,
            discarded_mails: 100,
            refused_requests: 1_000,
        }
    }
}

/// The number of last mails that are counted.
const MAILS: u32 = 1_000;
/// Fewest mails that say anything about a rate.
const FEWEST_MAILS: u64 = 20;

/// The most rows that cannot be read whose ids a mail names.
const ROWS_NAMED: usize = 20;

/// The time for which a node that is gone is missed.
const MISSED_FOR: Duration = Duration::from_hours(1);

/// The findings of one check.
struct Reading {
    store_latency: Duration,
    oldest_due_at: Option<Timestamp>,
    mail: MailTally,
    disk: Option<DiskSpace>,
    /// Nodes that fell silent without signing off.
    missing_nodes: Vec<String>,
    lately: Lately,
    /// Nodes whose clocks differ from the store's, and how many seconds they are ahead.
    wrong_clocks: Vec<(String, f64)>,
    /// Rows that cannot be read.
    unreadable: Vec<UnreadableRow>,
}

/// The known problems, which a run of the job leaves for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The time since which there are problems.
    since: Option<Timestamp>,
    /// Each problem in its last reported form, by a key that stays the same while its numbers change.
    problems: BTreeMap<String, String>,
    /// The key of the last mail about them, which the next one replaces if it has not left.
    #[serde(default)]
    told: Option<String>,
    #[serde(default)]
    refused: RefusedByNode,
}

/// The mail that a check calls for.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    Nothing,
    Alert { since: Timestamp, problems: Vec<String> },
    Recovery { since: Timestamp, problems: Vec<String> },
}

impl Known {
    /// Returns the state after a check, and what to report about the difference. Other numbers of the same problem are
    /// no difference.
    fn after(&self, problems: BTreeMap<String, String>, now: Timestamp) -> (Self, Tell) {
        let same = problems.keys().eq(self.problems.keys());
        let tell = match (self.since, problems.is_empty()) {
            (_, false) if !same => {
                Tell::Alert { since: self.since.unwrap_or(now), problems: problems.values().cloned().collect() }
            }
            (Some(since), true) => Tell::Recovery { since, problems: self.problems.values().cloned().collect() },
            _ => Tell::Nothing,
        };
        let since = if problems.is_empty() { None } else { self.since.or(Some(now)) };
        (Self { since, problems, ..self.clone() }, tell)
    }
}

impl Known {
    /// Returns the parts of the service that have problems.
    fn areas(&self) -> Vec<ProblemArea> {
        self.problems.keys().map(|word| area(word)).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Returns the part of the service that a problem is about.
fn area(word: &str) -> ProblemArea {
    match word {
        "store" => ProblemArea::Database,
        "mail_age" | "mail_expired" => ProblemArea::MailQueue,
        "mail_failures" | "mail_discarded" => ProblemArea::MailFailures,
        "disk" => ProblemArea::Disk,
        "limits" => ProblemArea::Limits,
        row if row.starts_with("row") => ProblemArea::Database,
        _ => ProblemArea::Nodes,
    }
}

impl Reading {
    fn problems(&self, limits: &Limits, now: Timestamp) -> BTreeMap<String, String> {
        let mut problems = BTreeMap::new();
        let mut problem = |word: &str, text: String| problems.insert(word.to_owned(), text);
        if self.store_latency > limits.store_latency {
            problem("store", format!("The database takes {} ms to answer", self.store_latency.as_millis()));
        }
        if let Some(due) = self.oldest_due_at.filter(|due| now.since(*due) > limits.mail_age) {
            problem(
                "mail_age",
                format!("The oldest email has been waiting for {} minutes", now.since(due).as_secs() / 60),
            );
        }
        let MailTally { delivered, discarded, .. } = self.mail;
        let mails = delivered + discarded;
        if mails >= FEWEST_MAILS && discarded as f64 > limits.mail_failures * mails as f64 {
            problem("mail_failures", format!("{discarded} of the last {mails} emails could not be delivered"));
        }
        if let Some(DiskSpace { free, total }) = self.disk
            && (free as f64) < limits.disk_free * total as f64
        {
            problem("disk", format!("Only {} of {} MB of disk space are free", free >> 20, total >> 20));
        }
        for (word, text) in self.lately.problems(limits) {
            problem(word, text);
        }
        for node in &self.missing_nodes {
            problem(&format!("node {node}"), format!("Node {node} has stopped responding"));
        }
        for (node, ahead) in &self.wrong_clocks {
            let way = if *ahead < 0.0 { "behind" } else { "ahead of" };
            problem(
                &format!("clock {node}"),
                format!("The clock of node {node} is {:.0} seconds {way} the database's", ahead.abs()),
            );
        }
        for UnreadableRow { table, id, column, message } in self.unreadable.iter().take(ROWS_NAMED) {
            let row = if id.is_empty() { "a row".to_owned() } else { format!("row {id}") };
            problem(
                &format!("row {table} {id}"),
                format!("The value of {column} in {row} of {table} cannot be read: it {message}"),
            );
        }
        if let Some(more) = self.unreadable.len().checked_sub(ROWS_NAMED).filter(|more| *more > 0) {
            problem("rows", format!("{more} more rows cannot be read; the log names them"));
        }
        problems
    }
}

impl JobName {
    /// The job that monitors the service.
    pub const SERVER_MONITORING: Self = Self::new("server_monitoring");
}

pub(super) struct ServerMonitoring;

#[async_trait]
impl Job for ServerMonitoring {
    fn name(&self) -> JobName {
        JobName::SERVER_MONITORING
    }

    fn summary(&self) -> &'static str {
        "checks the service itself"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_mins(5)), catch_up: CatchUp::Skip }
    }

    /// Checks the service, and reports what has changed since the last check.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let app = context.app;
        let memo = context.memo().await?;
        let known: Known = memo.and_then(|memo| serde_json::from_str(&memo).ok()).unwrap_or_default();
        let mut reading = app.reading().await?;
        let now = context.now();
        let refused = known.refused.after(&app.jobs.node, reading.lately.refused, now);
        reading.lately.refused = refused.sum();
        let known = Known { refused, ..known };
        let problems = reading.problems(&app.jobs.limits, now);
        let mut page = JobPage::new().count("problems", problems.len() as u64);
        let (mut known, tell) = known.after(problems, now);
        let notice = match tell {
            Tell::Nothing => None,
            Tell::Alert { since, problems } => {
                tracing::warn!(%since, problems = problems.join("; "), "something is wrong with the service");
                Some(Notice::ServerAlert(ServerAlertNotice { since, problems, areas: known.areas() }))
            }
            Tell::Recovery { since, problems } => {
                tracing::info!(%since, problems = problems.join("; "), "the service is right again");
                Some(Notice::ServerRecovery(ServerRecoveryNotice { since, until: now, problems }))
            }
        };
        if let (Some(notice), Some(admin)) = (notice, &app.jobs.admin) {
            let mail = mail_about(context, admin, notice);
            let outdated = known.told.replace(mail.dedupe_key.to_string());
            let changes =
                outdated.map(|key| cancel_outdated(key, now)).into_iter().fold(Changes::new(), Changes::write);
            page = page.count("planned", 1).commit(changes.deliver([mail]));
        }
        Ok(page.leave_memo(serde_json::to_string(&known).ok()))
    }
}

fn mail_about(context: &JobContext<'_>, admin: &EmailAddress, notice: Notice) -> NewDelivery {
    let word = if notice.kind() == NoticeKind::ServerAlert { "server-alert" } else { "server-recovery" };
    let key = DedupeKey::new(format!("{word}/{}", context.run.slot));
    let reason = "monitoring found the service different";
    context.delivery(key, notice, Recipient::Address(admin.clone()), context.now(), reason)
}

impl App {
    async fn reading(&self) -> Result<Reading, Error> {
        let began = self.clock.monotonic();
        self.store.ping().await?;
        let store_latency = self.clock.monotonic().saturating_sub(began);
        let backlog = self.outbox.backlog(ChannelKind::MAIL, self.clock.now()).await?;
        let disk = match &self.probe {
            Some(probe) => probe.disk().await,
            None => None,
        };
        Ok(Reading {
            store_latency,
            oldest_due_at: backlog.oldest_due_at,
            mail: self.maintenance_port()?.recent_mail(None, MAILS).await?,
            disk,
            missing_nodes: self.missing_nodes().await?,
            lately: self.lately().await?,
            wrong_clocks: self.wrong_clocks().await?,
            unreadable: self.maintenance_port()?.unreadable_rows(),
        })
    }

    /// Returns the live nodes whose clocks differ from the store's by what is worth a warning.
    async fn wrong_clocks(&self) -> Result<Vec<(String, f64)>, Error> {
        let live = self.known_nodes().await?.into_iter().filter(|node| node.is_live);
        let ahead = live.filter_map(|node| Some((node.said.id.to_string(), node.said.clock_ahead? as f64 / 1e6)));
        Ok(ahead.filter(|(_, ahead)| ahead.abs() >= ClockCheck::WARN.as_secs_f64()).collect())
    }

    /// Returns the nodes that fell silent within the hour without signing off. A node that is gone for longer does not come
    /// back by that name.
    async fn missing_nodes(&self) -> Result<Vec<String>, Error> {
        let nodes = self.known_nodes().await?.into_iter();
        let missing = nodes.filter(|node| !node.is_live && node.silent_for < MISSED_FOR);
        Ok(missing.map(|node| node.said.id.to_string()).collect())
    }
}

/// Cancels the mail about the state before: after an outage of the relay only the last one counts.
fn cancel_outdated(key: String, now: Timestamp) -> DeliveryWrite {
    DeliveryWrite::Cancel { key: DedupeKey::new(key), reason: "there is newer news of the service".to_owned(), at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * 60_000_000)
    }

    fn problems(words: &[&str]) -> BTreeMap<String, String> {
        words.iter().map(|word| ((*word).to_owned(), format!("{word} is wrong"))).collect()
    }

    #[test]
    fn advice_goes_by_the_parts_that_have_problems() {
        let known =
            Known { problems: problems(&["disk", "mail_age", "node a", "node b", "store"]), ..Known::default() };
        let all = [ProblemArea::Database, ProblemArea::MailQueue, ProblemArea::Disk, ProblemArea::Nodes];
        assert_eq!(known.areas(), all);
    }

    #[test]
    fn what_is_wrong_is_told_once_when_it_begins_changes_and_ends() {
        let (known, tell) = Known::default().after(problems(&[]), at(0));
        assert_eq!(tell, Tell::Nothing);
        let (known, tell) = known.after(problems(&["disk"]), at(5));
        assert_eq!(tell, Tell::Alert { since: at(5), problems: vec!["disk is wrong".to_owned()] });
        let (known, tell) = known.after(problems(&["disk"]), at(10));
        assert_eq!(tell, Tell::Nothing);
        let (known, tell) = known.after(problems(&["disk", "store"]), at(15));
        assert!(matches!(tell, Tell::Alert { since, problems } if since == at(5) && problems.len() == 2));
        let (known, tell) = known.after(problems(&[]), at(20));
        assert!(matches!(tell, Tell::Recovery { since, problems } if since == at(5) && problems.len() == 2));
        assert_eq!(known, Known::default());
    }

    #[test]
    fn limits_decide_what_is_wrong() {
        let fine = Reading {
            store_latency: Duration::from_millis(3),
            oldest_due_at: Some(at(99)),
            mail: MailTally { delivered: 95, discarded: 5, expired: 0 },
            disk: Some(DiskSpace { free: 50 << 20, total: 100 << 20 }),
            missing_nodes: Vec::new(),
            lately: Lately::default(),
            wrong_clocks: Vec::new(),
            unreadable: Vec::new(),
        };
        let limits = Limits::default();
        assert!(fine.problems(&limits, at(100)).is_empty());
        let bad = UnreadableRow {
            table: "taskflow_tasks",
            id: "7".to_owned(),
            column: "title",
            message: "must be short".to_owned(),
        };
        let wrong = Reading {
            store_latency: Duration::from_secs(1),
            oldest_due_at: Some(at(90)),
            mail: MailTally { delivered: 80, discarded: 20, expired: 0 },
            disk: Some(DiskSpace { free: 5 << 20, total: 100 << 20 }),
            missing_nodes: vec!["b".to_owned()],
            lately: Lately { mail: MailTally { expired: 11, ..MailTally::default() }, ..Lately::default() },
            wrong_clocks: vec![("c".to_owned(), -3.0)],
            unreadable: vec![bad; ROWS_NAMED + 1],
        };
        let found: Vec<_> = wrong.problems(&limits, at(100)).into_keys().collect();
        let expected = [
            "clock c",
            "disk",
            "mail_age",
            "mail_expired",
            "mail_failures",
            "node b",
            "row taskflow_tasks 7",
            "rows",
            "store",
        ];
        assert_eq!(found, expected);
        let few = Reading { mail: MailTally { delivered: 0, discarded: 3, expired: 0 }, ..fine };
        assert!(few.problems(&limits, at(100)).is_empty());
    }
}
