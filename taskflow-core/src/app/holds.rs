//! Updates planned deliveries of a user after their quiet hours or time zone changed.

use super::App;
use crate::error::Error;
use crate::notice::TaskDueNotice;
use crate::ports::DeliveryQuery;
use crate::reminder::{leaves_at, task_reminder};
use crate::{Changes, Delivery, DeliveryState, DeliveryWrite, Notice, Recipient, Task, Timestamp, User, Viewer};

/// Maximum number of scheduled deliveries of a user that are examined. The sender examines all others when they are
/// due: mail that would come too late after quiet hours is then sent within them.
const MOST: u32 = 2_000;

impl App {
    /// Plans anew the deliveries that depend on quiet hours: task reminders that are sent before them, and mail that
    /// waits for their end.
    pub(super) async fn follow_quiet_hours(
        &self,
        before: &User,
        after: &User,
        now: Timestamp,
    ) -> Result<Changes, Error> {
        let decides = |user: &User| user.preferences.quiet_hours.map(|quiet| (quiet, user.time_zone.clone()));
        let quiet = decides(after);
        if decides(before) == quiet {
            return Ok(Changes::new());
        }
        let quiet = quiet.as_ref().map(|(quiet, zone)| (*quiet, zone));
        let recipients = Some(vec![Recipient::User(after.id)]);
        let query = DeliveryQuery { states: vec![DeliveryState::Scheduled], recipients, ..DeliveryQuery::default() };
        let planned = self.store.deliveries(&query, None, MOST).await?;
        let tasks: Vec<_> = planned.iter().filter_map(task_of).collect();
        let tasks =
            if tasks.is_empty() { Default::default() } else { self.store.tasks_by_id(&tasks, Viewer::Service).await? };
        let changes = planned.into_iter().filter_map(|delivery| {
            let task = task_of(&delivery).and_then(|id| tasks.get(&id)).and_then(|task| task.as_ref().ok());
            let due_at =
                task.and_then(|task| reminder_leaves_at(&delivery, task, quiet, now)).unwrap_or(delivery.due_at);
            let next_at = match is_held(&delivery, now) {
                true => due_at.max(now),
                false if due_at == delivery.due_at => return None,
                false => due_at,
            };
            Some(DeliveryWrite::Reschedule { key: delivery.dedupe_key, due_at, next_at })
        });
        Ok(changes.fold(Changes::new(), Changes::write))
    }
}

fn task_of(delivery: &Delivery) -> Option<crate::TaskId> {
    match delivery.notice {
        Ok(Notice::TaskDue(TaskDueNotice { task, .. })) => Some(task),
        _ => None,
    }
}

/// Returns the time at which the reminder of a task is sent now. `None` unless the task still asks for it and it was
/// never offered to the relay.
fn reminder_leaves_at(
    delivery: &Delivery,
    task: &Task,
    quiet: Option<(crate::QuietHours, &crate::Zone)>,
    now: Timestamp,
) -> Option<Timestamp> {
    let asked =
        task_reminder(task).filter(|asked| asked.key == delivery.dedupe_key && delivery.last_error.is_none())?;
    Some(leaves_at(asked.due_at, task.due_at?, quiet, now))
}

/// Returns whether a delivery was claimed before and waits for quiet hours to end.
fn is_held(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.first_claimed_at.is_some() && delivery.last_error.is_none() && delivery.next_at > now
}
