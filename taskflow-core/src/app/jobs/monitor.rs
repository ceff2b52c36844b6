//! Looking after the service: what is wrong is told once when it begins or changes, and once when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{App, PageOfWork};
use crate::error::Error;
use crate::notice::{ServerAlertNotice, ServerRecoveryNotice};
use crate::ports::DiskSpace;
use crate::{
    Changes, DedupeKey, DeliveryId, EmailAddress, JobName, JobRun, MailTally, NewDelivery, Notice, NoticeKind,
    ProblemArea, Recipient, Timestamp, Write,
};

/// What counts as wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The store takes longer than this to answer.
    pub store_latency: Duration,
    /// Mail is due for longer than this.
    pub mail_age: Duration,
    /// More than this part of the last mails was given up.
    pub mail_failures: f64,
    /// Less than this part of the disk is free.
    pub disk_free: f64,
}

impl Default for Limits {
    /// Half a second, five minutes, a tenth, a tenth.
    fn default() -> Self {
        Self {
            store_latency: Duration::from_millis(500),
            mail_age: Duration::from_mins(5),
            mail_failures: 0.1,
            disk_free: 0.1,
        }
    }
}

/// The last mails that are looked at.
const MAILS: u32 = 1_000;
/// Fewer say nothing about a rate.
const FEWEST_MAILS: u64 = 20;

/// A node that is gone is missed for so long.
const MISSED_FOR: Duration = Duration::from_hours(1);

/// What was found.
struct Reading {
    store_latency: Duration,
    oldest_due_at: Option<Timestamp>,
    mail: MailTally,
    disk: Option<DiskSpace>,
    /// Nodes that fell silent without saying good-bye.
    missing_nodes: Vec<String>,
}

/// What is known to be wrong; what a run of the job leaves to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Since when anything is.
    since: Option<Timestamp>,
    /// What, by a word that stays the same as numbers change, and as it was told.
    problems: BTreeMap<String, String>,
    /// The key of the last mail about it, so that the next one takes its place if it has not left.
    #[serde(default)]
    told: Option<String>,
}

/// What there is to tell.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    Nothing,
    Alert { since: Timestamp, problems: Vec<String> },
    Recovery { since: Timestamp, problems: Vec<String> },
}

impl Known {
    /// What is known after a reading, and what there is to tell of the difference. Other numbers of the same thing are none.
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
        (Self { since, problems, told: self.told.clone() }, tell)
    }
}

impl Known {
    /// The parts of the service that have problems.
    fn areas(&self) -> Vec<ProblemArea> {
        let area = |word: &String| match word.as_str() {
            "store" => ProblemArea::Database,
            "mail_age" => ProblemArea::MailQueue,
            "mail_failures" => ProblemArea::MailFailures,
            "disk" => ProblemArea::Disk,
            _ => ProblemArea::Nodes,
        };
        self.problems.keys().map(area).collect::<BTreeSet<_>>().into_iter().collect()
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
        let MailTally { delivered, discarded } = self.mail;
        let mails = delivered + discarded;
        if mails >= FEWEST_MAILS && discarded as f64 > limits.mail_failures * mails as f64 {
            problem("mail_failures", format!("{discarded} of the last {mails} emails could not be delivered"));
        }
        if let Some(DiskSpace { free, total }) = self.disk
            && (free as f64) < limits.disk_free * total as f64
        {
            problem("disk", format!("Only {} of {} MB of disk space are free", free >> 20, total >> 20));
        }
        for node in &self.missing_nodes {
            problem(&format!("node {node}"), format!("Node {node} has stopped responding"));
        }
        problems
    }
}

impl App {
    /// Looks, and tells of what is different from the last time.
    pub(super) async fn monitor_page(&self, run: &JobRun) -> Result<PageOfWork, Error> {
        let mut page = PageOfWork::default();
        let states = self.slots.jobs().await?;
        let memo = states.into_iter().find(|state| state.job == JobName::ServerMonitoring).and_then(|state| state.memo);
        let known: Known = memo.and_then(|memo| serde_json::from_str(&memo).ok()).unwrap_or_default();
        let reading = self.reading().await?;
        let now = self.clock.now();
        let problems = reading.problems(&self.jobs.limits, now);
        page.counts.add("problems", problems.len() as u64);
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
        if let (Some(notice), Some(admin)) = (notice, &self.jobs.admin) {
            page.counts.add("planned", 1);
            let news = self.news_for(admin, notice, run.slot, now);
            let outdated = known.told.replace(news.dedupe_key.to_string());
            page.changes = outdated.map(|key| outdated_news(key, now)).into_iter().fold(Changes::new(), Changes::write);
            page.changes = page.changes.deliver([news]);
        }
        page.memo = serde_json::to_string(&known).ok();
        Ok(page)
    }

    fn news_for(&self, admin: &EmailAddress, notice: Notice, slot: Timestamp, now: Timestamp) -> NewDelivery {
        let word = if notice.kind() == NoticeKind::ServerAlert { "server-alert" } else { "server-recovery" };
        NewDelivery {
            id: DeliveryId::from_uuid(self.ids.next(now)),
            dedupe_key: DedupeKey::new(format!("{word}/{slot}")),
            notice,
            recipient: Recipient::Address(admin.clone()),
            planned_at: now,
            due_at: now,
            reason: "monitoring found the service different".to_owned(),
        }
    }

    async fn reading(&self) -> Result<Reading, Error> {
        let began = self.clock.monotonic();
        self.store.ping().await?;
        let store_latency = self.clock.monotonic().saturating_sub(began);
        let backlog = self.outbox.backlog(self.clock.now()).await?;
        let disk = match &self.probe {
            Some(probe) => probe.disk().await,
            None => None,
        };
        Ok(Reading {
            store_latency,
            oldest_due_at: backlog.oldest_due_at,
            mail: self.upkeep.recent_mail(MAILS).await?,
            disk,
            missing_nodes: self.missing_nodes().await?,
        })
    }

    /// Who fell silent within the hour without saying good-bye. Who is gone for longer is not coming back by that name.
    async fn missing_nodes(&self) -> Result<Vec<String>, Error> {
        let nodes = self.nodes.nodes().await?.into_iter();
        let missing = nodes.filter(|node| !node.is_live && node.silent_for < MISSED_FOR);
        Ok(missing.map(|node| node.said.id.to_string()).collect())
    }
}

/// After an outage of the relay only the last mail counts: an alert from before it would tell of what is over by now.
fn outdated_news(key: String, now: Timestamp) -> Write {
    Write::CancelDelivery { key: DedupeKey::new(key), reason: "there is newer news of the service".to_owned(), at: now }
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
            mail: MailTally { delivered: 95, discarded: 5 },
            disk: Some(DiskSpace { free: 50 << 20, total: 100 << 20 }),
            missing_nodes: Vec::new(),
        };
        let limits = Limits::default();
        assert!(fine.problems(&limits, at(100)).is_empty());
        let wrong = Reading {
            store_latency: Duration::from_secs(1),
            oldest_due_at: Some(at(90)),
            mail: MailTally { delivered: 80, discarded: 20 },
            disk: Some(DiskSpace { free: 5 << 20, total: 100 << 20 }),
            missing_nodes: vec!["b".to_owned()],
        };
        let found: Vec<_> = wrong.problems(&limits, at(100)).into_keys().collect();
        assert_eq!(found, ["disk", "mail_age", "mail_failures", "node b", "store"]);
        let few = Reading { mail: MailTally { delivered: 0, discarded: 3 }, ..fine };
        assert!(few.problems(&limits, at(100)).is_empty());
    }
}
