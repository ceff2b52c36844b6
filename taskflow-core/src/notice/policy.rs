//! Policies that hold for every notice of a kind.

/// What a kind of notice is about. With whether the clock makes it due or somebody by hand, it decides the
/// [class](crate::DeliveryClass) in which it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Accounts and alerts.
    Security = 0,
    /// Meetings.
    Meeting = 1,
    /// Tasks.
    Task = 2,
    /// Summaries.
    Digest = 3,
}

impl Priority {
    /// Every priority, first to last.
    pub const ALL: [Self; 4] = [Self::Security, Self::Meeting, Self::Task, Self::Digest];

    /// Returns its rank in rows that an earlier release planned.
    #[must_use]
    pub fn rank(self) -> i16 {
        self as i16
    }
}

/// The policy for every notice of a kind. Stores keep what they search by in columns, so that no SQL names a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticePolicy {
    /// Its priority among others that are due.
    pub priority: Priority,
    /// True if it protects an account or runs the service. Only such a notice is sent in spite of an opt-out, or to an
    /// address that its account has not verified where that is [required](crate::AppBuilder::require_verified_email).
    pub security: bool,
    /// True if its reader can switch it off and it waits for the end of their quiet hours.
    pub optional: bool,
    /// True if it comes again and again by itself, so that one click ends it (RFC 8058).
    pub recurring: bool,
    /// True if several that are due in one minute are one mail to their reader, of up to
    /// [`MOST_TOGETHER`](crate::MOST_TOGETHER).
    pub gathered: bool,
    /// True if a cancelled one is kept until it would have been due: without its key, a repair would plan it again.
    pub kept_until_due: bool,
}

impl NoticePolicy {
    /// The policy of a notice that protects an account or runs the service: it is sent at any time, and in spite of every
    /// opt-out.
    #[must_use]
    pub const fn security(priority: Priority) -> Self {
        Self { security: true, ..Self::required(priority) }
    }

    /// The policy of a notice that is sent at any time because somebody asked for it. No preference switches it off;
    /// whoever has opted out of it by their address gets none.
    #[must_use]
    pub const fn required(priority: Priority) -> Self {
        Self { priority, security: false, optional: false, recurring: false, gathered: false, kept_until_due: false }
    }

    /// The policy of a notice that its reader can switch off, and that waits for the end of their quiet hours.
    #[must_use]
    pub const fn optional(priority: Priority) -> Self {
        Self { optional: true, ..Self::required(priority) }
    }

    /// The policy of an optional notice that comes again and again by itself.
    #[must_use]
    pub const fn recurring(priority: Priority) -> Self {
        Self { recurring: true, ..Self::optional(priority) }
    }
}
