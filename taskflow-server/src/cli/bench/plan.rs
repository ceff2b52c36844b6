//! Planning a mail to everybody.

use taskflow_core::ports::{Clock, Ids, RandomIds, Store};
use taskflow_core::{Changes, DeliveryId, NewDelivery, Recipient, StoreError, UserId, task_reminder};

use super::crowd::due_task;

/// People per page: what is held in memory, and what one commit writes.
const PAGE: u32 = 1_000;

/// Plans the reminder of everybody's due task, page by page, and says how many there were; `planned` hears of each page.
pub(super) async fn plan(
    store: &dyn Store,
    clock: &dyn Clock,
    mut planned: impl FnMut(u64),
) -> Result<u64, StoreError> {
    let ids = RandomIds::new();
    let (mut after, mut count) = (None, 0);
    loop {
        let people: Vec<UserId> = store.users_after(after, PAGE).await?.iter().map(|user| user.id).collect();
        let Some(last) = people.last() else { return Ok(count) };
        after = Some(*last);
        let wanted: Vec<_> = people.iter().copied().map(due_task).collect();
        let mut tasks = store.tasks_by_id(&wanted, None).await?;
        let now = clock.now();
        let mut deliveries = Vec::with_capacity(people.len());
        // In the order of people, so that rows of the same page stay together.
        for id in wanted {
            let Some(task) = tasks.remove(&id).transpose()? else { continue };
            let Some(reminder) = task_reminder(&task) else { continue };
            deliveries.push(NewDelivery {
                id: DeliveryId::from_uuid(ids.next(now)),
                dedupe_key: reminder.key,
                notice: reminder.notice,
                recipient: Recipient::User(task.user_id),
                planned_at: now,
                due_at: reminder.due_at,
                reason: "a bench".to_owned(),
            });
        }
        count += deliveries.len() as u64;
        store.commit(&Changes::new().deliver(deliveries)).await?;
        planned(count);
    }
}
