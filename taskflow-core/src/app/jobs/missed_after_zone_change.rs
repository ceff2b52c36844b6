//! Users who have just changed their time zone, or the time of their summary: today no fan-out finds them for a time
//! that has already passed.

use chrono::Datelike;

use super::App;
use super::shipped::{reminder, summary};
use crate::{JobName, LocalMinute, NewDelivery, NoticeKind, Schedule, Timestamp, User};

const REASON: &str = "their clock shows a later time than it did";

impl App {
    /// Returns the deliveries that a user has missed by moving past them: the summary of the day and the last of its
    /// reminders, as far as they are scheduled by local time. Returns nothing for a user who merely corrects their
    /// zone.
    pub(in super::super) fn missed_after_zone_change(
        &self,
        before: &User,
        after: &User,
        now: Timestamp,
    ) -> impl IntoIterator<Item = NewDelivery> {
        self.missed_summary(before, after, now).into_iter().chain(self.missed_reminder(before, after, now))
    }

    fn missed_summary(&self, before: &User, after: &User, now: Timestamp) -> Option<NewDelivery> {
        let wanted = &after.preferences;
        let has_moved = before.time_zone != after.time_zone;
        let passed = match &self.jobs.plans.get(&JobName::DAILY_SUMMARIES)?.schedule {
            Schedule::Own => {
                let (was, is) = (before.preferences.summary_at, wanted.summary_at);
                (has_moved || was != is) && passed(before, was, after, is, now)
            }
            Schedule::Local(minutes) => {
                let minute = last_shown(after, minutes, now).filter(|_| has_moved)?;
                passed(before, minute, after, minute, now)
            }
            Schedule::Every(_) | Schedule::Daily { .. } => false,
        };
        let date = after.time_zone.wall_clock(now).at.date();
        let wants_it = wanted.summary_days.has(date.weekday()) && wanted.wants(NoticeKind::DailySummary);
        (passed && wants_it).then(|| self.planned_for(after.id, summary(after.id, date), now, now, REASON))
    }

    fn missed_reminder(&self, before: &User, after: &User, now: Timestamp) -> Option<NewDelivery> {
        let Schedule::Local(minutes) = &self.jobs.plans.get(&JobName::TASK_REMINDERS)?.schedule else { return None };
        if before.time_zone == after.time_zone || !after.preferences.wants(NoticeKind::TaskReminder) {
            return None;
        }
        let date = after.time_zone.wall_clock(now).at.date();
        let minute = last_shown(after, minutes, now).filter(|minute| passed(before, *minute, after, *minute, now))?;
        Some(self.planned_for(after.id, reminder(after.id, date, minute), now, now, REASON))
    }
}

/// Returns whether a change of settings moved a user past a minute of their present day. By the old time zone or chosen
/// minute it lay ahead; by the new one it has passed since the account was created. A minute that had passed before the
/// change is not missed: the user got its mail or had no account then.
fn passed(before: &User, was: LocalMinute, after: &User, is: LocalMinute, now: Timestamp) -> bool {
    let date = after.time_zone.wall_clock(now).at.date();
    let is_at = after.time_zone.instant(date.and_time(is.time()));
    let was_at = before.time_zone.instant(date.and_time(was.time()));
    was_at > now && is_at <= now && is_at >= after.created_at
}

/// Returns the last of these minutes that has passed today in the user's local time.
fn last_shown(user: &User, minutes: &[LocalMinute], now: Timestamp) -> Option<LocalMinute> {
    let date = user.time_zone.wall_clock(now).at.date();
    let is_past = |minute: &LocalMinute| user.time_zone.instant(date.and_time(minute.time())) <= now;
    minutes.iter().copied().filter(is_past).max()
}
