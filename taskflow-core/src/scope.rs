//! Scopes: the right to read and write an owner's rows.

use crate::error::StoreError;
use crate::{Changes, UserId};

/// The rights of a user over an owner's rows, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads them: who takes part in a meeting.
    Reader,
    /// Changes them as well: the owner of a task, the organizer of a meeting.
    Owner,
}

/// The right under which a user reads and writes: the user, the owner of the rows, and the least role that the user
/// must have with them.
///
/// Everybody has the role [`Owner`](Role::Owner) with their own rows, and nobody has a role with the rows of others. A
/// right that one user gives another is looked up where the scope is made, and no read changes for it: reads select the
/// owner's rows. [`AccessWrite::Require`] makes a commit depend on the scope that its reads were made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    person: UserId,
    owner: UserId,
    least: Role,
}

impl Scope {
    /// Returns the scope of a user over their own rows.
    #[must_use]
    pub const fn own(person: UserId) -> Self {
        Self { person, owner: person, least: Role::Owner }
    }

    /// Returns the scope in which a reader's role is enough.
    #[must_use]
    pub const fn reading(self) -> Self {
        Self { least: Role::Reader, ..self }
    }

    /// Returns the scope of the same user over the rows of another owner.
    #[must_use]
    pub const fn of(self, owner: UserId) -> Self {
        Self { owner, ..self }
    }

    /// Returns the user who reads and writes.
    #[must_use]
    pub const fn person(self) -> UserId {
        self.person
    }

    /// Returns the owner whose rows are read.
    #[must_use]
    pub const fn owner(self) -> UserId {
        self.owner
    }

    /// Returns the least role that the user must have with the owner's rows.
    #[must_use]
    pub const fn least(self) -> Role {
        self.least
    }

    /// Returns whether the user has the role by themselves, without a right that another user has given.
    #[must_use]
    pub fn is_own(self) -> bool {
        self.person == self.owner
    }
}

/// The viewer for whom rows are looked up by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// The service itself, which acts for everybody.
    Service,
    /// A user: rows outside the scope are absent.
    Person(Scope),
}

impl From<Scope> for Viewer {
    fn from(scope: Scope) -> Self {
        Self::Person(scope)
    }
}

/// A precondition of a commit: it writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessWrite {
    /// `Stale` unless the scope still holds when the changes are committed: the accounts of the user and of the owner
    /// exist and are not [deleted](crate::User::deleted_at), and remain so until the commit is done.
    Require(Scope),
}

impl AccessWrite {
    /// Checks the part of the precondition that needs no lookup, for the write with this index. Nobody can give a right
    /// over their rows yet, so a scope holds only if it is a user's own.
    pub fn check(self, index: usize) -> Result<(), StoreError> {
        match self {
            Self::Require(scope) if scope.is_own() => Ok(()),
            Self::Require(_) => Err(StoreError::Stale { write: index }),
        }
    }

    /// Returns the account that must be there.
    #[must_use]
    pub fn account(self) -> UserId {
        match self {
            Self::Require(scope) => scope.person(),
        }
    }
}

impl Changes {
    /// Makes the commit depend on the scope that the changes were decided under, whose person causes what is delivered; the
    /// service itself needs none.
    pub(crate) fn under(self, viewer: impl Into<Viewer>) -> Self {
        match viewer.into() {
            Viewer::Service => self,
            Viewer::Person(scope) => self.caused_by(Some(scope.person())).write(AccessWrite::Require(scope)),
        }
    }
}
