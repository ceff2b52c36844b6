//! Deletion of accounts: the first commit makes an account absent, and bounded steps remove what it leaves.

use std::collections::HashMap;
use std::time::Duration;

use super::retry::Attempt;
use super::{AccountUseCases, App};
use crate::error::Error;
use crate::meeting::MeetingDetails;
use crate::{Actor, Changes, MeetingId, Participant, SessionWrite, Timestamp, UserId, UserWrite, Viewer};

/// Meetings that are read at once.
const MEETINGS: u32 = 100;
/// Participants of the meetings that one commit changes, unless it changes only one meeting.
const PEOPLE: usize = 500;
/// Rows of each kind that one commit clears.
const ROWS: u32 = 500;
/// The time after which a use case leaves the remaining steps to the job.
const PATIENCE: Duration = Duration::from_secs(8);

impl AccountUseCases<'_> {
    /// Deletes an account with everything in it, for its owner or the service itself.
    ///
    /// From the first commit on the account is absent: nobody can sign in to it, act as it or invite it, and its
    /// username and address are free. Further commits, each of bounded size, cancel the meetings that it organizes,
    /// leave the others, cancel mail to it, and remove the rest. The other participants are notified. Work that takes
    /// longer than eight seconds, or was interrupted, is done by the job `account_deletion`.
    pub async fn delete(self, actor: Actor, id: UserId) -> Result<(), Error> {
        self.app
            .retry(id.as_uuid(), || async {
                let before = self.get(actor, id).await?;
                let now = self.app.clock.now();
                let changes = Changes::new().write(UserWrite::Update(before.deleted(now))).write(SessionWrite::End {
                    user_id: id,
                    only: None,
                    at: now,
                });
                Ok(Attempt::Commit(changes, ()))
            })
            .await?;
        let began = self.app.clock.monotonic();
        while self.app.clock.monotonic().saturating_sub(began) < PATIENCE {
            match self.app.deletion_step(id).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(user = %id, %error, "a deletion is interrupted; the job account_deletion goes on");
                    break;
                }
            }
        }
        Ok(())
    }
}

impl App {
    /// Takes the next step of a deletion. Returns whether there may be another one.
    pub(super) async fn deletion_step(&self, id: UserId) -> Result<bool, Error> {
        if self.leave_some_meetings(id).await? {
            return Ok(true);
        }
        let at = self.clock.now();
        match self.commit(&Changes::new().write(UserWrite::Clear { id, limit: ROWS, at })).await {
            Err(Error::Stale) => {}
            result => return result.map(|()| true),
        }
        match self.commit(&Changes::new().write(UserWrite::Delete { id, at })).await {
            // Somebody else was faster.
            Ok(()) | Err(Error::Stale) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Cancels or leaves up to [`MEETINGS`] meetings, and returns whether it has. A meeting that cannot be read or
    /// changed is skipped: it continues without the account.
    async fn leave_some_meetings(&self, user: UserId) -> Result<bool, Error> {
        let (now, mut after) = (self.clock.now(), None);
        loop {
            let ids = self.store.meetings_to_leave(user, now, after, MEETINGS).await?;
            let Some(last) = ids.last() else { return Ok(false) };
            after = Some(*last);
            if self.leave_meetings(user, &ids).await? > 0 {
                return Ok(true);
            }
        }
    }

    async fn leave_meetings(&self, user: UserId, ids: &[MeetingId]) -> Result<usize, Error> {
        let mut found = self.store.meetings_by_id(ids, Viewer::Service).await?;
        let mut people: HashMap<MeetingId, Vec<Participant>> = HashMap::new();
        for participant in self.store.participants(ids).await? {
            people.entry(participant.meeting_id).or_default().push(participant);
        }
        let (mut batch, mut weight, mut left) = (Vec::new(), 0, 0);
        for id in ids {
            let meeting = match found.remove(id) {
                Some(Ok(meeting)) => meeting,
                Some(Err(error)) => {
                    passed_over(user, *id, &error);
                    continue;
                }
                None => continue,
            };
            let participants = people.remove(id).unwrap_or_default();
            if !batch.is_empty() && weight + participants.len() > PEOPLE {
                left += self.leave_batch(user, std::mem::take(&mut batch)).await?;
                weight = 0;
            }
            weight += participants.len();
            batch.push(MeetingDetails { meeting, participants });
        }
        Ok(left + self.leave_batch(user, batch).await?)
    }

    /// Leaves these meetings in one commit, or one by one if that is refused because of a concurrent change or because
    /// one of them cannot be changed. Returns the number of meetings that were left.
    async fn leave_batch(&self, user: UserId, batch: Vec<MeetingDetails>) -> Result<usize, Error> {
        let (now, mut changes) = (self.clock.now(), Changes::new());
        let mut leaving = Vec::new();
        for before in batch {
            match self.cancel_or_leave(user, &before, now).await {
                Ok(Some(departure)) => {
                    changes = changes.and(departure);
                    leaving.push(before.meeting.id);
                }
                Ok(None) => {}
                Err(Error::Unavailable(cause)) => return Err(Error::Unavailable(cause)),
                Err(error) => passed_over(user, before.meeting.id, &error),
            }
        }
        if leaving.is_empty() {
            return Ok(0);
        }
        match self.commit(&changes).await {
            Ok(()) => return Ok(leaving.len()),
            Err(Error::Unavailable(cause)) => return Err(Error::Unavailable(cause)),
            Err(_) => {}
        }
        let mut left = 0;
        for id in leaving {
            let attempt = self.retry(id.as_uuid(), || async {
                let before = self.meeting_details(Viewer::Service, id).await?;
                let changes = self.cancel_or_leave(user, &before, self.clock.now()).await?;
                Ok(changes.map_or(Attempt::Unchanged(()), |changes| Attempt::Commit(changes, ())))
            });
            match attempt.await {
                Ok(()) => left += 1,
                Err(Error::NotFound(_)) => {}
                Err(Error::Unavailable(cause)) => return Err(Error::Unavailable(cause)),
                Err(error) => passed_over(user, id, &error),
            }
        }
        Ok(left)
    }

    /// Returns the changes by which a user cancels a meeting that they organize, or leaves another one; `None` if they
    /// do not participate.
    async fn cancel_or_leave(
        &self,
        user: UserId,
        before: &MeetingDetails,
        now: Timestamp,
    ) -> Result<Option<Changes>, Error> {
        if !before.meeting.may_take_place(now) {
            return Ok(None);
        }
        if before.meeting.created_by == Some(user) {
            let after =
                MeetingDetails { meeting: before.meeting.cancel(now), participants: before.participants.clone() };
            let after = self.keep_what_stands(before, after).await?;
            return Ok(Some(self.meeting_changes(Actor::User(user), Some(before), &after, now)));
        }
        let theirs = before.participants.iter().filter(|one| one.user_id == Some(user) && one.is_in());
        Ok(theirs.cloned().map(|who| self.departure(user, before, who, now)).reduce(Changes::and))
    }
}

fn passed_over(user: UserId, meeting: MeetingId, error: &impl std::fmt::Display) {
    tracing::warn!(%user, %meeting, %error, "a meeting of a deleted account can be neither cancelled nor left");
}
