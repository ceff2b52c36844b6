//! Merges guests who turn out to be another participant of the same meeting.

use super::super::App;
use super::super::retry::Attempt;
use crate::error::Error;
use crate::meeting::merge_guest;
use crate::{Actor, Changes, MeetingId, Timestamp, User, Viewer};

/// Number of meetings that are examined together.
const PAGE: u32 = 100;

impl App {
    /// Returns the changes that merge `user` with the guests of their address, in up to 100 meetings.
    pub(in super::super) async fn merges(&self, user: &User, now: Timestamp) -> Result<Changes, Error> {
        let mut changes = Changes::new();
        for id in self.store.meetings_with_two(&user.email, user.id, PAGE).await? {
            changes = changes.and(self.merge(user, id, now).await?);
        }
        Ok(changes)
    }

    /// Merges the rest after an address was verified: more meetings than one commit takes, and guests that were added
    /// in between. Merges one meeting at a time, so that a run that fails half-way can be repeated.
    pub(in super::super) async fn merge_the_rest(&self, user: &User) -> Result<(), Error> {
        loop {
            let found = self.store.meetings_with_two(&user.email, user.id, PAGE).await?;
            if found.is_empty() {
                return Ok(());
            }
            for id in found {
                self.retry(id.as_uuid(), || async {
                    Ok(Attempt::Commit(self.merge(user, id, self.clock.now()).await?, ()))
                })
                .await?;
            }
        }
    }

    async fn merge(&self, user: &User, id: MeetingId, now: Timestamp) -> Result<Changes, Error> {
        let before = match self.meeting_details(Viewer::Service, id).await {
            Err(Error::NotFound(_)) => return Ok(Changes::new()),
            details => details?,
        };
        // Who did it is nobody's business: it would tell that somebody in the meeting has an account.
        let merged = merge_guest(&before, &user.email, user.id, now);
        Ok(merged.map(|after| self.meeting_changes(Actor::System, Some(&before), &after, now)).unwrap_or_default())
    }
}
