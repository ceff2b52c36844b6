//! Who is written to: made-up people with tasks, made page by page and forgotten.

use std::ops::Range;
use std::time::Duration;

use taskflow_core::ports::{Ids, RandomIds};
use taskflow_core::{
    Changes, Description, Locale, NewTask, NewUser, ReminderMinutes, Task, TaskId, Timestamp, Title, User, UserId,
    Write, Zone,
};

use crate::cli::failure::Failure;

/// Where people live, in turn.
const HOMES: [(&str, &str); 4] =
    [("Europe/Berlin", "de"), ("America/New_York", "en"), ("Asia/Kolkata", "en"), ("Europe/Zurich", "de")];

/// How long before a task is due its owner is reminded.
const REMINDER_MINUTES: u32 = 65;

/// One more task than the one that is due has every person whose number this divides.
const SECOND_TASK: u64 = 4;

/// Enough about a task for its mail to have about 8 kB.
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
    reminder: ReminderMinutes,
    homes: Vec<(Zone, Locale)>,
}

impl Crowd {
    /// A crowd whose reminders have all come due shortly before `now`.
    pub(super) fn new(now: Timestamp) -> Result<Self, Failure> {
        let homes = HOMES.iter().map(|(zone, locale)| Ok((value(zone)?, value(locale)?)));
        Ok(Self {
            ids: RandomIds::new(),
            now,
            title: value("Figures of the last quarter")?,
            description: value(DESCRIPTION)?,
            reminder: ReminderMinutes::new(REMINDER_MINUTES).map_err(|error| Failure::of("a reminder", &error))?,
            homes: homes.collect::<Result<_, Failure>>()?,
        })
    }

    /// People of these numbers with their tasks.
    pub(super) fn page(&self, numbers: Range<u64>) -> Result<Changes, Failure> {
        let mut changes = Changes::new();
        for number in numbers {
            let user = self.user(number)?;
            let mut new = NewTask {
                description: Some(self.description.clone()),
                due_at: Some(self.due_at(number)),
                reminder_minutes: Some(self.reminder),
                ..NewTask::titled(self.title.clone())
            };
            let at = user.created_at;
            changes = changes.write(Write::InsertTask(task(due_task(user.id), user.id, new.clone(), at)?));
            if number % SECOND_TASK == 0 {
                (new.due_at, new.reminder_minutes) = (None, None);
                let id = TaskId::from_uuid(self.ids.next(at));
                changes = changes.write(Write::InsertTask(task(id, user.id, new, at)?));
            }
            changes = changes.write(Write::InsertUser(user));
        }
        Ok(changes)
    }

    /// How many reminders come due before this one: each a microsecond after the one before.
    pub(super) fn reached(&self, reminder_due_at: Timestamp) -> u64 {
        let first = self.due_at(0) - self.reminder.duration();
        u64::try_from(reminder_due_at.since(first).as_micros()).unwrap_or(u64::MAX)
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
        // An hour ago, one after the other, so that ids are in the order of numbers, as those of real accounts.
        let at = self.now - Duration::from_hours(1) + Duration::from_micros(number);
        let user = User::new(UserId::from_uuid(self.ids.next(at)), new, at);
        Ok(User { email_verified: true, ..user })
    }

    fn due_at(&self, number: u64) -> Timestamp {
        self.now + Duration::from_hours(1) + Duration::from_micros(number)
    }
}

/// The task of a person that is due: it has its owner's own number, so that nobody has to remember it.
pub(super) fn due_task(owner: UserId) -> TaskId {
    TaskId::from_uuid(owner.as_uuid())
}

fn task(id: TaskId, owner: UserId, new: NewTask, at: Timestamp) -> Result<Task, Failure> {
    Task::new(id, owner, new, at).map_err(|error| Failure::of("cannot make up a task", &error))
}

fn value<T: std::str::FromStr<Err: std::error::Error + 'static>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::of(&format!("cannot make up {text:?}"), &error))
}

#[cfg(test)]
mod tests {
    use taskflow_core::task_reminder;

    use super::*;

    #[test]
    fn everybody_has_a_task_whose_reminder_is_due_and_says_how_far_the_run_is() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let crowd = Crowd::new(now).expect("a crowd");
        let page = crowd.page(7..9).expect("people");
        assert_eq!(page.writes.len(), 5, "two people with a task each, and one more");
        let reminders = page.writes.iter().filter_map(|write| match write {
            Write::InsertTask(task) => task_reminder(task),
            _ => None,
        });
        let due: Vec<Timestamp> = reminders.map(|reminder| reminder.due_at).collect();
        assert!(due.iter().all(|at| *at < now));
        assert_eq!(due.iter().map(|at| crowd.reached(*at)).collect::<Vec<_>>(), [7, 8]);
    }

    #[test]
    fn ids_are_in_the_order_of_numbers() {
        let crowd = Crowd::new(Timestamp::from_micros(1_800_000_000_000_000)).expect("a crowd");
        let ids: Vec<UserId> = (0..5_000).map(|number| crowd.user(number).expect("a person").id).collect();
        assert!(ids.is_sorted());
    }
}
