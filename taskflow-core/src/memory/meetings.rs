use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{Lookup, MeetingCursor, Meetings};
use crate::{
    DedupeKey, EmailAddress, Meeting, MeetingId, MeetingQuery, MeetingSort, MeetingSortKey, MeetingStatus,
    MeetingWrite, Page, Participant, ParticipantId, Revision, Role, Scope, Timestamp, UserId, Viewer, fold,
    meeting_reminder_key, reminder_minutes, search_key,
};

impl MemoryWrite for MeetingWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        let stored = |id| check.state.meetings.get(id).map(|row| row.version);
        match self {
            Self::Insert(new) => new.created_by.map_or(Ok(()), |id| check.require_user(id)),
            Self::Update(new) => check.require_next(stored(&new.id), new.version),
            Self::ExpectVersion { id, version } => check.require(stored(id) == Some(*version)),
            Self::ConfirmStart { .. } | Self::InsertRevision(_) => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Insert(meeting) => {
                state.meetings.insert(meeting.id, meeting.clone());
            }
            Self::Update(new) => {
                let created_by = state.meetings.get(&new.id).and_then(|row| row.created_by);
                state.meetings.insert(new.id, Meeting { created_by, ..new.clone() });
            }
            Self::ExpectVersion { .. } => {}
            Self::ConfirmStart { id, tzdb } => {
                if let Some(row) = state.meetings.get_mut(id) {
                    row.tzdb.clone_from(tzdb);
                }
            }
            Self::InsertRevision(revision) => {
                state.revisions.insert((revision.meeting_id, revision.version), revision.clone());
            }
        }
    }
}

impl State {
    pub(super) fn shows(&self, meeting: &Meeting, viewer: Viewer) -> bool {
        match viewer {
            Viewer::Service => true,
            Viewer::Person(scope) => match scope.least() {
                Role::Owner => meeting.created_by == Some(scope.owner()),
                Role::Reader => {
                    self.participants_of(meeting.id).any(|one| one.user_id == Some(scope.owner()) && one.is_in())
                }
            },
        }
    }

    pub(super) fn meetings_page(&self, scope: Scope, query: &MeetingQuery, now: Timestamp) -> Page<Meeting> {
        let viewer = Viewer::Person(scope.reading());
        let fits = |meeting: &&Meeting| matches(meeting, query, now) && self.shows(meeting, viewer);
        let mut found: Vec<_> = self.meetings.values().filter(fits).collect();
        found.sort_by(|a, b| in_order(a, b, &query.sort));
        let page = found.iter().skip(query.page.offset() as usize).take(query.page.size() as usize);
        let items = page.map(|meeting| (*meeting).clone()).collect();
        Page { items, total: found.len() as u64, request: query.page }
    }

    pub(super) fn misses_a_reminder(&self, meeting: &Meeting, due_after: Timestamp) -> bool {
        let planned = |key: &DedupeKey| self.by_key.contains_key(key);
        self.participants_of(meeting.id).any(|one| {
            let due = reminder_minutes(meeting, one).iter().filter(|m| meeting.starts_at - m.duration() > due_after);
            due.into_iter().any(|minutes| !planned(&meeting_reminder_key(meeting, one.id, *minutes)))
        })
    }

    /// Returns the meetings in which a user has a participant besides a guest of this address, at least one of whom
    /// still participates.
    pub(super) fn meetings_with_two(&self, email: &str, user: UserId) -> BTreeSet<MeetingId> {
        let guest = |row: &&Participant| row.user_id.is_none() && row.merged_into.is_none() && row.email.key() == email;
        let own = |guest: &&Participant| {
            let mut people = self.participants_of(guest.meeting_id);
            people.any(|row| row.user_id == Some(user) && (row.is_in() || guest.is_in()))
        };
        self.participants.values().filter(guest).filter(own).map(|row| row.meeting_id).collect()
    }

    /// Returns the meetings that are not cancelled and that a user joins when the guests of this address become them.
    pub(super) fn guest_meetings(&self, email: &str, user: UserId) -> BTreeSet<MeetingId> {
        let guests = self.participants.values().filter(|one| one.user_id.is_none() && one.email.key() == email);
        let meetings = guests.filter(|one| one.is_in()).map(|one| one.meeting_id);
        let is_off = |id| self.meetings.get(&id).is_none_or(|meeting| meeting.cancelled_at.is_some());
        let knows_them = |id| self.participants_of(id).any(|one| one.user_id == Some(user));
        meetings.filter(|id| !is_off(*id) && !knows_them(*id)).collect()
    }

    /// Returns everybody who was ever invited, by id.
    pub(super) fn participants_of(&self, meeting: MeetingId) -> impl Iterator<Item = &Participant> {
        self.people.get(&meeting).into_iter().flatten().map(|id| &self.participants[id])
    }
}

fn matches(meeting: &Meeting, query: &MeetingQuery, now: Timestamp) -> bool {
    let status = meeting.status(now);
    let text = || {
        let texts = [
            Some(meeting.title.as_str()),
            meeting.description.as_ref().map(crate::Description::as_str),
            meeting.location.as_ref().map(crate::Location::as_str),
        ];
        texts.map(|text| search_key(text.unwrap_or_default())).join("\n")
    };
    let wanted = match query.status.as_slice() {
        [] => status != MeetingStatus::Cancelled,
        wanted => wanted.contains(&status),
    };
    wanted
        && query.starts_before.is_none_or(|before| meeting.starts_at < before)
        && query.starts_after.is_none_or(|after| meeting.starts_at >= after)
        && (query.words.is_empty() || {
            let text = text();
            query.words.iter().all(|word| text.contains(word.as_str()))
        })
}

fn in_order(a: &Meeting, b: &Meeting, sort: &[MeetingSort]) -> Ordering {
    let latest_first = [MeetingSort { by: MeetingSortKey::MeetingDate, descending: true }];
    let sort = if sort.is_empty() { &latest_first[..] } else { sort };
    let by = |MeetingSort { by, descending }: &MeetingSort| {
        let order = match by {
            MeetingSortKey::MeetingDate => a.starts_at.cmp(&b.starts_at),
            MeetingSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
            MeetingSortKey::UpdatedAt => a.updated_at.cmp(&b.updated_at),
            MeetingSortKey::Title => fold(a.title.as_str()).cmp(&fold(b.title.as_str())),
        };
        if *descending { order.reverse() } else { order }
    };
    sort.iter().map(by).find(|order| order.is_ne()).unwrap_or_else(|| b.id.cmp(&a.id))
}

#[async_trait]
impl Meetings for MemoryStore {
    async fn meetings_by_id(
        &self,
        ids: &[MeetingId],
        viewer: Viewer,
    ) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.meetings.get(id)).filter(|meeting| state.shows(meeting, viewer));
        Ok(found.map(|meeting| (meeting.id, Ok(meeting.clone()))).collect())
    }

    async fn meetings(&self, scope: Scope, query: &MeetingQuery, now: Timestamp) -> Result<Page<Meeting>, StoreError> {
        Ok(self.state().meetings_page(scope, query, now))
    }

    async fn meetings_to_leave(
        &self,
        user: UserId,
        now: Timestamp,
        after: Option<MeetingId>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let state = self.state();
        let viewer = Viewer::Person(Scope::own(user).reading());
        let found = state.meetings.values().filter(|meeting| after.is_none_or(|after| meeting.id > after));
        let found = found.filter(|meeting| meeting.may_take_place(now) && state.shows(meeting, viewer));
        Ok(found.take(limit as usize).map(|meeting| meeting.id).collect())
    }

    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
        let state = self.state();
        let meetings: BTreeSet<_> = meetings.iter().copied().collect();
        Ok(meetings.into_iter().flat_map(|meeting| state.participants_of(meeting)).cloned().collect())
    }

    async fn participants_by_id(
        &self,
        ids: &[ParticipantId],
    ) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.participants.get(id));
        Ok(found.map(|participant| (participant.id, Ok(participant.clone()))).collect())
    }

    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let found = self.state().guest_meetings(&email.key(), user);
        Ok(found.into_iter().rev().take(limit as usize).collect())
    }

    async fn accepted_before(
        &self,
        organizer: UserId,
        addresses: &[EmailAddress],
    ) -> Result<HashSet<String>, StoreError> {
        let state = self.state();
        let wanted: HashSet<_> = addresses.iter().map(EmailAddress::key).collect();
        let theirs = |one: &&Participant| {
            state.meetings.get(&one.meeting_id).is_some_and(|meeting| meeting.created_by == Some(organizer))
        };
        let accepted = state.participants.values().filter(|one| one.has_accepted()).filter(theirs);
        Ok(accepted.map(|one| one.email.key()).filter(|key| wanted.contains(key)).collect())
    }

    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
        let state = self.state();
        let newest = |(meeting, version): &(MeetingId, u64)| {
            let (_, revision) = state.revisions.range((*meeting, 0)..=(*meeting, *version)).next_back()?;
            Some(((*meeting, *version), Ok(revision.clone())))
        };
        Ok(wanted.iter().filter_map(newest).collect())
    }

    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = state.meetings.values().filter(|meeting| meeting.is_on()).collect();
        found.retain(|meeting| meeting.starts_at > now && meeting.starts_at <= until);
        found.retain(|meeting| after.is_none_or(|after| (meeting.starts_at, meeting.id) > after));
        found.retain(|meeting| state.misses_a_reminder(meeting, due_after));
        found.sort_by_key(|meeting| (meeting.starts_at, meeting.id));
        Ok(found.into_iter().take(limit as usize).map(|meeting| meeting.id).collect())
    }

    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError> {
        let state = self.state();
        let old = state.meetings.values().filter(|meeting| meeting.tzdb.as_str() < tzdb);
        let old = old.filter(|meeting| meeting.is_on() && meeting.starts_at > now);
        Ok(old.take(limit as usize).map(|meeting| meeting.id).collect())
    }

    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let found = self.state().meetings_with_two(&email.key(), user);
        Ok(found.into_iter().rev().take(limit as usize).collect())
    }
}
