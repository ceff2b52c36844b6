//! Recipients of a benchmark: made-up users with tasks, created page by page and not kept in memory.

use std::ops::Range;
use std::time::Duration;

use taskflow_core::ports::{Ids, RandomIds};
use taskflow_core::{
    Changes, Description, Locale, NewTask, NewUser, Task, TaskId, TaskWrite, Timestamp, Title, User, UserId, UserWrite,
    Zone,
};

use crate::cli::failure::Failure;

/// Time zones and locales of users, in turn.
const HOMES: [(&str, &str); 4] =
    [("Europe/Berlin", "de"), ("America/New_York", "en"), ("Asia/Kolkata", "en"), ("Europe/Zurich", "de")];

/// Every so many-th person has one more open task, and the one after the next one that was done yesterday.
const SECOND_TASK: u64 = 4;

/// As much as people write about a task.
const DESCRIPTION: &str = "Go through the figures of the last quarter once more before they leave the house.

* Sales by region: the north is complete, the south still waits for two invoices from October.
* Costs: compare with the plan of January, and say in one sentence each what is more than five per cent off.
* People: three new colleagues since September, one of them half-time. Their equipment was paid from another budget.
* Outlook: the order that was promised for December is signed. Put it into the table, not into the text.

When this is done, send the file to everybody who was at the last meeting, and ask for answers until noon. Whoever needs \
longer calls. The slides are made from the same file, so nothing has to be typed twice; only the first page is new.

Thank you – the last time this took a whole afternoon, and it was worth it.";

/// The people of one run, by their numbers from 0 on.
pub(super) struct Crowd {
    ids: RandomIds,
    now: Timestamp,
    title: Title,
    description: Description,
    homes: Vec<(Zone, Locale)>,
}

impl Crowd {
    /// A crowd that has something to be told at `now`.
    pub(super) fn new(now: Timestamp) -> Result<Self, Failure> {
        let homes = HOMES.iter().map(|(zone, locale)| Ok((value(zone)?, value(locale)?)));
        Ok(Self {
            ids: RandomIds::new(),
            now,
            title: value("Figures of the last quarter")?,
            description: value(DESCRIPTION)?,
            homes: homes.collect::<Result<_, Failure>>()?,
        })
    }

    /// People of these numbers with their tasks.
    pub(super) fn page(&self, numbers: Range<u64>) -> Result<Changes, Failure> {
        let mut changes = Changes::new();
        for number in numbers {
            let user = self.user(number)?;
            let due = self.now + Duration::from_hours(1);
            changes = changes.write(TaskWrite::Insert(self.task(&user, Some(due))?));
            match number % SECOND_TASK {
                0 => changes = changes.write(TaskWrite::Insert(self.task(&user, None)?)),
                2 => changes = changes.write(TaskWrite::Insert(self.done_yesterday(&user)?)),
                _ => {}
            }
            changes = changes.write(UserWrite::Insert(user));
        }
        Ok(changes)
    }

    fn user(&self, number: u64) -> Result<User, Failure> {
        let (zone, locale) = &self.homes[number as usize % self.homes.len()];
        let new = NewUser {
            username: value(&format!("person-{number}"))?,
            email: value(&format!("person-{number}@fanout.example"))?,
            time_zone: Some(zone.clone()),
            locale: Some(locale.clone()),
            is_admin: false,
        };
        // Two days ago, one after the other, so that ids are in the order of numbers, as those of real accounts.
        let at = self.now - Duration::from_hours(48) + Duration::from_micros(number);
        let user = User::new(UserId::from_uuid(self.ids.next(at)), new, at);
        Ok(User { email_verified: true, ..user })
    }

    fn task(&self, owner: &User, due_at: Option<Timestamp>) -> Result<Task, Failure> {
        let at = owner.created_at;
        let new =
            NewTask { description: Some(self.description.clone()), due_at, ..NewTask::titled(self.title.clone()) };
        let task = Task::new(TaskId::from_uuid(self.ids.next(at)), owner.id, new, at);
        task.map_err(|error| Failure::of("cannot make up a task", &error))
    }

    fn done_yesterday(&self, owner: &User) -> Result<Task, Failure> {
        let done = self.task(owner, None)?.complete(self.now - Duration::from_hours(24));
        done.map_err(|error| Failure::of("cannot make up a task", &error))
    }
}

fn value<T: std::str::FromStr<Err: std::error::Error + 'static>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::of(&format!("cannot make up {text:?}"), &error))
}

#[cfg(test)]
mod tests {
    use taskflow_core::Write;

    use super::*;

    #[test]
    fn everybody_has_a_task_and_some_have_two() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let page = Crowd::new(now).expect("a crowd").page(4..8).expect("people");
        let tasks: Vec<&Task> = page
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Task(TaskWrite::Insert(task)) => Some(task),
                _ => None,
            })
            .collect();
        let owners: std::collections::BTreeSet<UserId> = tasks.iter().map(|task| task.user_id).collect();
        assert_eq!((tasks.len(), owners.len()), (6, 4));
        assert_eq!(tasks.iter().filter(|task| task.completed_at.is_some()).count(), 1);
    }

    #[test]
    fn ids_are_in_the_order_of_numbers() {
        let crowd = Crowd::new(Timestamp::from_micros(1_800_000_000_000_000)).expect("a crowd");
        let ids: Vec<UserId> = (0..5_000).map(|number| crowd.user(number).expect("a person").id).collect();
        assert!(ids.is_sorted());
    }
}
