//! The repair of meeting reminders as a job.

use super::{App, PageOfWork};
use crate::error::Error;
use crate::{JobRun, MeetingId, Timestamp};

impl App {
    /// Looks at the next meetings. Each is repaired by a commit of its own, which expects the meeting as it was read.
    pub(super) async fn repair_page(&self, run: &JobRun) -> Result<PageOfWork, Error> {
        let mut page = PageOfWork::default();
        let Some(cursor) = &run.cursor else {
            let moved = if run.dry_run { 0 } else { self.follow_the_rules_of_zones().await? };
            page.counts.add("moved", moved);
            page.cursor = Some(String::new());
            return Ok(page);
        };
        let (planned, next) = self.repair_some(read(cursor), run.dry_run).await?;
        page.counts.add("planned", planned);
        page.cursor = next.map(|(starts_at, id)| format!("{} {id}", starts_at.as_micros()));
        Ok(page)
    }
}

fn read(cursor: &str) -> Option<(Timestamp, MeetingId)> {
    let (starts_at, id) = cursor.split_once(' ')?;
    Some((Timestamp::from_micros(starts_at.parse().ok()?), id.parse().ok()?))
}
