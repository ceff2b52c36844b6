use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::error::{CorruptRow, StoreError};
use crate::ports::{CohortPage, CohortPosition, CohortQuery, CohortScan, DigestQuery};
use crate::{Day, Digest, LocalMinute, LocalTimeCohort, Meeting, MeetingResponse, Task, Timestamp, User, UserId};

/// Returns whether an instant lies in a period, whose start is included and whose end is not.
fn within(at: Timestamp, (begins, ends): (Timestamp, Timestamp)) -> bool {
    at >= begins && at < ends
}

impl State {
    /// Returns the users of a cohort, in the order of the minute they chose and their id.
    fn people_of(&self, cohort: &LocalTimeCohort) -> Vec<&User> {
        let (first, last) = cohort.chosen;
        let lives_there =
            |user: &&User| user.time_zone == cohort.zone && (first..=last).contains(&user.preferences.summary_at);
        let mut people: Vec<_> = self.users.values().filter(lives_there).collect();
        people.sort_by_key(|user| (user.preferences.summary_at, user.id));
        people
    }

    /// Returns the users among these who have something to be notified of.
    fn concerned(&self, people: &HashSet<UserId>, day: Option<Day>) -> HashSet<UserId> {
        let tasks = self.tasks.values().filter(|task| people.contains(&task.user_id) && task.deleted_at.is_none());
        let tells = |task: &&Task| {
            let done = day.zip(task.completed_at).is_some_and(|(day, at)| within(at, day.yesterday));
            task.is_open() || done
        };
        let mut concerned: HashSet<_> = tasks.filter(tells).map(|task| task.user_id).collect();
        if let Some(day) = day {
            let left = people.difference(&concerned).copied().collect::<Vec<_>>();
            concerned.extend(left.into_iter().filter(|id| !self.meetings_of(*id, day).is_empty()));
        }
        concerned
    }

    /// Returns the meetings of a day in which the user participates.
    fn meetings_of(&self, user: UserId, day: Day) -> Vec<&Meeting> {
        let theirs = self
            .participants
            .values()
            .filter(|one| one.user_id == Some(user) && one.is_in() && one.response != MeetingResponse::Declined);
        let meetings = theirs.filter_map(|one| self.meetings.get(&one.meeting_id));
        meetings.filter(|meeting| meeting.is_on() && within(meeting.starts_at, day.today)).collect()
    }

    fn digest(&self, query: &DigestQuery) -> Digest {
        let theirs = self.tasks.values().filter(|task| task.user_id == query.user_id && task.deleted_at.is_none());
        let (open, done): (Vec<&Task>, Vec<&Task>) = theirs.partition(|task| task.is_open());
        let day = query.day;
        let in_time = |task: &&Task| task.completed_at.is_some_and(|at| within(at, day.yesterday));
        let mut digest = Digest::of(query.date);
        for task in open {
            let list = match task.due_at {
                Some(at) if at < query.now => &mut digest.overdue,
                Some(at) if at < day.today.1 => &mut digest.today,
                Some(at) if at < day.week.1 => &mut digest.week,
                _ => &mut digest.later,
            };
            list.items.push(task.clone());
        }
        if query.whole {
            digest.done.items.extend(done.into_iter().filter(in_time).cloned());
            digest.meetings.items.extend(self.meetings_of(query.user_id, day).into_iter().cloned());
        }
        digest.put_in_order();
        let mut digest = Digest {
            date: digest.date,
            overdue: digest.overdue.items.into(),
            today: digest.today.items.into(),
            meetings: digest.meetings.items.into(),
            week: digest.week.items.into(),
            later: digest.later.items.into(),
            done: digest.done.items.into(),
        };
        digest.put_in_order();
        digest
    }
}

#[async_trait]
impl CohortScan for MemoryStore {
    async fn with_users(&self, moments: &[LocalTimeCohort]) -> Result<Vec<usize>, StoreError> {
        let state = self.state();
        let mut minutes: HashMap<&str, BTreeSet<LocalMinute>> = HashMap::new();
        for user in state.users.values() {
            minutes.entry(user.time_zone.name()).or_default().insert(user.preferences.summary_at);
        }
        let is_somebodys = |cohort: &LocalTimeCohort| {
            let (first, last) = cohort.chosen;
            minutes.get(cohort.zone.name()).is_some_and(|there| there.range(first..=last).next().is_some())
        };
        Ok(moments.iter().enumerate().filter(|(_, cohort)| is_somebodys(cohort)).map(|(index, _)| index).collect())
    }

    async fn recipients(
        &self,
        query: &CohortQuery,
        after: Option<CohortPosition>,
        size: u32,
    ) -> Result<CohortPage, StoreError> {
        let state = self.state();
        let position = |user: &User| (user.preferences.summary_at, user.id);
        let people = state.people_of(&query.cohort).into_iter();
        let left: Vec<_> = people.filter(|user| after.is_none_or(|after| position(user) > after)).collect();
        let page: Vec<_> = left.iter().take(size as usize).copied().collect();
        let concerned = state.concerned(&page.iter().map(|user| user.id).collect(), query.day);
        let wants = |user: &&&User| {
            let wanted = &user.preferences;
            user.is_active
                && wanted.wants(query.kind)
                && query.weekday.is_none_or(|day| wanted.summary_days.has(day))
                && concerned.contains(&user.id)
        };
        Ok(CohortPage {
            people: page.iter().filter(wants).map(|user| position(user)).collect(),
            examined: u32::try_from(page.len()).unwrap_or(u32::MAX),
            next: page.last().filter(|_| left.len() > page.len()).map(|user| position(user)),
        })
    }

    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError> {
        let state = self.state();
        Ok(queries.iter().map(|query| Ok(state.digest(query))).collect())
    }
}
