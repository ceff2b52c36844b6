//! The state of the service for administrators who ask.

use std::collections::BTreeMap;

use super::area;
use crate::app::StatisticsUseCases;
use crate::error::Error;
use crate::{Actor, MailTally, ProblemArea, Timestamp};

/// The state of the service as monitoring sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitoringReport {
    /// The time of the check.
    pub at: Timestamp,
    /// The problems: the part of the service that has each, and a sentence.
    pub problems: Vec<(ProblemArea, String)>,
    /// The time since which the longest waiting of the due mails has been waiting.
    pub oldest_due_at: Option<Timestamp>,
    /// The outcomes of mail within the last hour; at most the last ten thousand.
    pub mail: MailTally,
    /// Requests that limits refused on this node within the last hour, by limit.
    pub refused_requests: BTreeMap<String, u64>,
}

impl StatisticsUseCases<'_> {
    /// Checks the service as the job does, and returns the result; for administrators. Nobody else is notified.
    pub async fn monitoring(self, actor: Actor) -> Result<MonitoringReport, Error> {
        self.app.admit_admin(actor).await?;
        let reading = self.app.reading().await?;
        let at = self.app.clock.now();
        let problems = reading.problems(&self.app.jobs.limits, at);
        Ok(MonitoringReport {
            at,
            problems: problems.into_iter().map(|(word, text)| (area(&word), text)).collect(),
            oldest_due_at: reading.oldest_due_at,
            mail: reading.lately.mail,
            refused_requests: reading.lately.refused,
        })
    }
}
