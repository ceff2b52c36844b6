use std::collections::HashSet;
use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::error::{StoreError, UniqueField};
use crate::{Participant, ParticipantWrite, UserId, Write};

impl MemoryWrite for ParticipantWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        let state = check.state;
        match self {
            Self::Insert(new) => {
                new.user_id.map_or(Ok(()), |id| check.require_user(id))?;
                let key = new.email.key();
                let verified = |id: &UserId| state.users.get(id).is_some_and(|user| user.email_verified);
                let is_somebody =
                    new.user_id.is_none() && state.unique.get(&(UniqueField::Email, key.clone())).is_some_and(verified);
                // Changes of participants come before new ones, and may give an address up.
                let gives_up = |row: &Participant| {
                    check.writes().any(|write| {
                        matches!(write, Write::Participant(Self::Update(other))
                            if other.id == row.id && other.email.key() != key)
                    })
                };
                let mut same = state.participants_of(new.meeting_id).filter(|row| row.email.key() == key);
                check.require(!is_somebody && same.all(gives_up))
            }
            Self::Update(new) => {
                new.user_id.map_or(Ok(()), |id| check.require_user_row(id))?;
                check.require_next(state.participants.get(&new.id).map(|row| row.version), new.version)
            }
            Self::ExpectVersions { meeting, versions } => {
                let stored: u64 = state.participants_of(*meeting).map(|row| row.version).sum();
                check.require(stored == *versions)
            }
            Self::LinkGuests { user_id, .. } => check.require_user(*user_id),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Insert(new) => {
                state.people.entry(new.meeting_id).or_default().insert(new.id);
                state.participants.insert(new.id, new.clone());
            }
            Self::Update(new) => {
                let told = state.participants.get(&new.id).and_then(|row| row.told);
                state.participants.insert(new.id, Participant { told, ..new.clone() });
            }
            Self::ExpectVersions { .. } => {}
            Self::LinkGuests { email, user_id } => state.link_guests(&email.key(), *user_id),
        }
    }
}

impl State {
    fn link_guests(&mut self, email: &str, user: UserId) {
        let there: HashSet<_> =
            self.participants.values().filter(|row| row.user_id == Some(user)).map(|row| row.meeting_id).collect();
        let guests = self.participants.values_mut().filter(|row| row.user_id.is_none() && row.email.key() == email);
        let guests = guests.filter(|row| row.merged_into.is_none());
        for guest in guests.filter(|row| !there.contains(&row.meeting_id)) {
            guest.user_id = Some(user);
            guest.version += 1;
        }
    }
}
