//! The outcomes of mail, and the requests refused by limits, within the last hour.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{App, Limits};
use crate::error::Error;
use crate::{MailTally, Timestamp};

/// The period of these counts.
const LATELY: Duration = Duration::from_hours(1);

/// Maximum number of mails that are counted.
const MAILS: u32 = 10_000;

/// The mail and the refused requests of the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lately {
    pub(super) mail: MailTally,
    /// Requests that limits refused, by limit.
    pub(super) refused: BTreeMap<String, u64>,
}

impl Lately {
    /// Returns what is beyond the limits, each problem by a word that stays the same while its numbers change.
    pub(super) fn problems(&self, limits: &Limits) -> Vec<(&'static str, String)> {
        let is_over = |count: u64, most: u64| most > 0 && count > most;
        let mut problems = Vec::new();
        let MailTally { expired, discarded, .. } = self.mail;
        if is_over(expired, limits.expired_mails) {
            let text = format!("{expired} emails were not sent in time within the last hour and have expired");
            problems.push(("mail_expired", text));
        }
        if is_over(discarded, limits.discarded_mails) {
            problems
                .push(("mail_discarded", format!("{discarded} emails could not be delivered within the last hour")));
        }
        let refused: u64 = self.refused.values().sum();
        if is_over(refused, limits.refused_requests) {
            let by_limit: Vec<_> = self.refused.iter().map(|(limit, count)| format!("{limit}: {count}")).collect();
            let by_limit = by_limit.join(", ");
            problems.push(("limits", format!("Limits refused {refused} requests within the last hour ({by_limit})")));
        }
        problems
    }
}

/// The requests that each node refused, as it said last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefusedByNode(BTreeMap<String, (Timestamp, BTreeMap<String, u64>)>);

impl RefusedByNode {
    /// Returns the same after a node has said what it refused within the last hour. What others said counts for an hour.
    pub(super) fn after(&self, node: &str, refused: BTreeMap<String, u64>, now: Timestamp) -> Self {
        let recent = self.0.iter().filter(|(_, (at, _))| now.since(*at) < LATELY);
        let mut all: BTreeMap<_, _> = recent.map(|(node, said)| (node.clone(), said.clone())).collect();
        all.insert(node.to_owned(), (now, refused));
        Self(all)
    }

    /// Returns the requests that all nodes refused, by limit.
    pub(super) fn sum(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for (limit, count) in self.0.values().flat_map(|(_, refused)| refused) {
            *sum.entry(limit.clone()).or_default() += count;
        }
        sum
    }
}

impl App {
    /// Counts the last hour; requests are those of this node.
    pub(super) async fn lately(&self) -> Result<Lately, Error> {
        let since = self.clock.now() - LATELY;
        Ok(Lately {
            mail: self.maintenance_port()?.recent_mail(Some(since), MAILS).await?,
            refused: self.probe.as_ref().map(|probe| probe.refused_requests()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(count: u64) -> BTreeMap<String, u64> {
        [("sign-in".to_owned(), count)].into()
    }

    #[test]
    fn each_number_has_a_limit_of_its_own_and_none_with_0() {
        let lately = |expired, discarded, count| Lately {
            mail: MailTally { delivered: 0, discarded, expired },
            refused: refused(count),
        };
        let limits = Limits { expired_mails: 2, discarded_mails: 3, refused_requests: 4, ..Limits::default() };
        let words = |lately: Lately, limits: &Limits| -> Vec<_> {
            lately.problems(limits).into_iter().map(|(word, _)| word).collect()
        };
        assert_eq!(words(lately(2, 3, 4), &limits), [""; 0]);
        assert_eq!(words(lately(3, 4, 5), &limits), ["mail_expired", "mail_discarded", "limits"]);
        assert_eq!(
            lately(0, 0, 5).problems(&limits)[0].1,
            "Limits refused 5 requests within the last hour (sign-in: 5)"
        );
        let off = Limits { expired_mails: 0, discarded_mails: 0, refused_requests: 0, ..limits };
        assert_eq!(words(lately(99, 99, 99), &off), [""; 0]);
    }

    #[test]
    fn what_nodes_said_adds_up_for_an_hour() {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        let first = RefusedByNode::default().after("a", refused(5), at(0)).after("b", refused(7), at(5));
        assert_eq!(first.sum(), refused(12));
        assert_eq!(first.after("b", refused(1), at(10)).sum(), refused(6));
        assert_eq!(first.after("b", refused(1), at(60)).sum(), refused(1), "a has said nothing for an hour");
    }
}
