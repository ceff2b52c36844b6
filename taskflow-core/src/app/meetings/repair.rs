//! Repair of reminders: plans missing ones.

use std::collections::HashSet;
use std::time::Duration;

use super::super::{App, MeetingUseCases};
use crate::error::Error;
use crate::meeting::{MeetingDetails, current_tzdb};
use crate::ports::MeetingCursor;
use crate::reminder::meeting_reminders;
use crate::{Actor, Changes, MeetingId, MeetingWrite, Timestamp, Viewer, meeting_reminder_key, reminder_minutes};

/// Meetings of one page.
const PAGE: u32 = 100;
/// Period within which a meeting must begin to be checked: 25 hours, because some days are an hour longer.
const AHEAD: Duration = Duration::from_hours(25);
/// Reminders that were due longer ago have left the ledger in their turn, perhaps.
const BACK: Duration = Duration::from_hours(24);

/// The result of a repair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Meetings that begin at another instant by the current rules of their zone.
    pub moved: u64,
    /// Reminders that were missing and are planned now.
    pub planned: u64,
}

impl MeetingUseCases<'_> {
    /// Finds and plans reminders that a restored backup, a manual change in the database or a new time zone database
    /// left unplanned.
    ///
    /// Meetings whose start was found with an older time zone database are examined once. Of all others, the store
    /// examines those that begin within 25 hours, and only meetings with missing reminders are read. Concurrently
    /// changed meetings are left to the next repair.
    pub async fn repair_reminders(self) -> Result<RepairReport, Error> {
        let mut report = RepairReport { moved: self.app.follow_the_rules_of_zones().await?, ..RepairReport::default() };
        let mut after = None;
        loop {
            let (planned, next) = self.app.repair_some(after, false).await?;
            report.planned += planned;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(report),
            }
        }
    }
}

impl App {
    /// Looks at a page of meetings after `after`: how many reminders were missing, and where to go on. In a dry run they stay
    /// so.
    pub(in super::super) async fn repair_some(
        &self,
        after: Option<MeetingCursor>,
        dry_run: bool,
    ) -> Result<(u64, Option<MeetingCursor>), Error> {
        let now = self.clock.now();
        let page = self.store.meetings_unplanned(now, now + AHEAD, now - BACK, after, PAGE).await?;
        let (mut planned, mut last) = (0, after);
        for id in &page {
            let details = match self.meeting_details(Viewer::Service, *id).await {
                Err(Error::NotFound(_)) => continue,
                details => details?,
            };
            last = Some((details.meeting.starts_at, *id));
            planned += self.plan_what_is_missing(&details, now, dry_run).await?;
        }
        // What has gone or moved away meanwhile is left to the next sweep.
        let is_last = page.len() < PAGE as usize || last == after;
        Ok((planned, last.filter(|_| !is_last)))
    }

    async fn plan_what_is_missing(
        &self,
        details: &MeetingDetails,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<u64, Error> {
        let MeetingDetails { meeting, participants } = details;
        let all = participants.iter().map(|one| reminder_minutes(meeting, one).len()).sum::<usize>();
        let Some(first) = participants.first() else { return Ok(0) };
        // Everything of this start has the same beginning.
        let key = meeting_reminder_key(meeting, first.id, meeting.reminder_minutes);
        let prefix = key.as_str().split_inclusive('/').take(3).collect::<String>();
        let limit = u32::try_from(all + participants.len() * 8).unwrap_or(u32::MAX);
        let planned = self.store.deliveries_with_key(&prefix, limit).await?;
        let planned: HashSet<_> = planned.into_iter().map(|row| row.dedupe_key).collect();
        let missing = meeting_reminders(details).into_iter();
        let missing = missing.filter(|reminder| !planned.contains(&reminder.key) && reminder.due_at > now - BACK);
        let deliveries: Vec<_> = missing.map(|reminder| self.remind(reminder, now)).collect();
        let found = deliveries.len() as u64;
        if found == 0 || dry_run {
            return Ok(found);
        }
        let expect = MeetingWrite::ExpectVersion { id: meeting.id, version: meeting.version };
        let changes = Changes::new().write(expect).deliver(deliveries).caused_by(meeting.created_by);
        match self.commit(&changes).await {
            Err(Error::Stale) => Ok(0),
            result => result.map(|()| found),
        }
    }

    /// Moves meetings to the rules of the zones in this build, and returns the number of meetings that begin at another
    /// instant now.
    pub(in super::super) async fn follow_the_rules_of_zones(&self) -> Result<u64, Error> {
        let (tzdb, mut moved) = (current_tzdb(), 0);
        loop {
            let page = self.store.meetings_before_tzdb(&tzdb, self.clock.now(), PAGE).await?;
            let mut settled = 0;
            for id in &page {
                match self.follow_the_rules(*id).await {
                    Ok(another) => {
                        settled += 1;
                        moved += u64::from(another);
                    }
                    Err(Error::Stale | Error::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if page.len() < PAGE as usize || settled == 0 {
                return Ok(moved);
            }
        }
    }

    async fn follow_the_rules(&self, id: MeetingId) -> Result<bool, Error> {
        let before = self.meeting_details(Viewer::Service, id).await?;
        let now = self.clock.now();
        let meeting = before.meeting.by_current_rules(now, self.change_quiet);
        let moved = meeting != before.meeting;
        let changes = match moved {
            true => {
                let after = MeetingDetails { meeting, participants: before.participants.clone() };
                self.meeting_changes(Actor::System, Some(&before), &after, now)
            }
            false => Changes::new().write(MeetingWrite::ConfirmStart { id, tzdb: current_tzdb() }),
        };
        self.commit(&changes).await.map(|()| moved)
    }
}
