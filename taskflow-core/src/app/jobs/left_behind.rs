//! People whose clock has just become another one, or the minute they chose on it: what it shows as past already, no sweep
//! will find them for today.

use chrono::Datelike;

use super::App;
use super::sweep::{reminder, summary};
use crate::{JobName, LocalMinute, NewDelivery, NoticeKind, Schedule, Timestamp, User};

const REASON: &str = "their clock shows a later time than it did";

impl App {
    /// What somebody has missed by moving past it: the summary of the day and the last of its reminders, as far as they are
    /// planned by people's own clocks. Whether they had them before, the keys know.
    pub(in super::super) fn left_behind(
        &self,
        before: &User,
        after: &User,
        now: Timestamp,
    ) -> impl IntoIterator<Item = NewDelivery> {
        self.summary_left_behind(before, after, now).into_iter().chain(self.reminder_left_behind(before, after, now))
    }

    fn summary_left_behind(&self, before: &User, after: &User, now: Timestamp) -> Option<NewDelivery> {
        let wanted = &after.preferences;
        let has_moved = before.time_zone != after.time_zone;
        let chooses_another = before.preferences.summary_at != wanted.summary_at;
        let is_past = match &self.jobs.plans.get(&JobName::DailySummaries)?.schedule {
            Schedule::Own => (has_moved || chooses_another) && last_shown(after, &[wanted.summary_at], now).is_some(),
            Schedule::Local(minutes) => has_moved && last_shown(after, minutes, now).is_some(),
            Schedule::Every(_) | Schedule::Daily { .. } => false,
        };
        let date = after.time_zone.wall_clock(now).at.date();
        let wants_it = wanted.summary_days.has(date.weekday()) && wanted.wants(NoticeKind::DailySummary);
        (is_past && wants_it).then(|| self.planned_for(after.id, summary(after.id, date), now, now, REASON))
    }

    fn reminder_left_behind(&self, before: &User, after: &User, now: Timestamp) -> Option<NewDelivery> {
        let Schedule::Local(minutes) = &self.jobs.plans.get(&JobName::TaskReminders)?.schedule else { return None };
        if before.time_zone == after.time_zone || !after.preferences.wants(NoticeKind::TaskReminder) {
            return None;
        }
        let date = after.time_zone.wall_clock(now).at.date();
        let minute = last_shown(after, minutes, now)?;
        Some(self.planned_for(after.id, reminder(after.id, date, minute), now, now, REASON))
    }
}

/// The last of these minutes that somebody's clock has shown today.
fn last_shown(user: &User, minutes: &[LocalMinute], now: Timestamp) -> Option<LocalMinute> {
    let date = user.time_zone.wall_clock(now).at.date();
    let is_past = |minute: &LocalMinute| user.time_zone.instant(date.and_time(minute.time())) <= now;
    minutes.iter().copied().filter(is_past).max()
}
