//! Notices to one recipient. A stored notice holds ids and a kind; its words are rendered when it is sent.
//!
//! Each notice is one file: its data, its policy, how long it is of use, what must be loaded for it, the check before
//! sending, the content of its mail ([`NoticeContent`]: plain text, variables of its templates, links, thread,
//! reply-to, calendar entry), and a sample. The list in this file makes it known. Its words are in the templates of the
//! folder with the name of its kind, and in the locales.

mod check;
mod custom;
mod day;
mod made_up;
mod meeting;
mod policy;

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub(crate) use check::{
    A_MOMENT, Addressee, BatchContext, Checked, Needs, ON_TIME, Overrides, PreSendCheck, Thread, Urls, cancelled,
    expired, found, held_aside, unreadable,
};
pub use custom::{CustomCheck, CustomKind, CustomNotice, StoredNotice};
pub(crate) use made_up::MadeUp;
pub(crate) use meeting::{MAY_HAVE_ARRIVED, SAME_PERSON, organizer_mailbox};
pub use policy::{NoticePolicy, Priority};

use crate::{Entity, InvalidValue, NoticeContent, Outcome, ParticipantId, Timestamp};

/// Most deliveries that are one mail together.
pub const MOST_TOGETHER: usize = 50;

/// A type of notice. Its fields are its stored form, beside the kind: they are only ever added, with a default.
pub trait NoticeType: fmt::Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in stores and on the wire, and the folder of its templates: lowercase letters and `_`. Never changes.
    const KIND: &'static str;

    /// The policy for every notice of this kind.
    const POLICY: NoticePolicy;

    /// Returns from when on a notice that was due at `due_at` is no longer worth sending (catch-up after downtime).
    /// Later it is expired, and counted. `None`: it always is.
    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        let _ = due_at;
        None
    }
}

/// A type of notice that this crate plans and sends itself. Its [`NoticeContent`] is in its file, too.
pub(crate) trait ShippedNotice: NoticeType {
    /// Returns the rows that must be loaded before it is checked.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Checks whether it is still worth a mail, and returns the content of that mail.
    ///
    /// # Errors
    ///
    /// The outcome of the delivery, when no mail is sent.
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome>;

    /// Returns made-up content. `None` if there is nothing to make up.
    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>>;

    /// Returns the participant who gets it about a meeting, not the participant whom an organizer is notified about.
    fn participant(&self) -> Option<ParticipantId> {
        None
    }

    /// Returns the thread within which it keeps its order.
    fn order_thread(&self) -> Option<Thread> {
        None
    }

    /// Returns the entity that it reminds of, if it is a requested reminder.
    fn reminds(&self) -> Option<Entity> {
        None
    }

    /// Returns the suppressions in spite of which it is sent.
    fn overrides(&self) -> Overrides {
        Overrides::Nothing
    }
}

macro_rules! notices {
    ($($(#[$doc:meta])* $kind:ident = $file:ident::$notice:ident,)*) => {
        $(mod $file; pub use $file::*;)*

        /// A notice to one recipient. This is a stored format: a JSON object with its `kind` and its fields.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Notice {
            $($(#[$doc])* $kind($notice),)*
            /// One that a host defines.
            Custom(StoredNotice),
        }

        /// The kind of a [`Notice`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum NoticeKind {
            $($(#[$doc])* $kind,)*
            /// One that a host defines.
            Custom(CustomKind),
        }

        /// The words of the shipped kinds.
        const SHIPPED: &[&str] = &[$(<$notice as NoticeType>::KIND),*];

        impl NoticeKind {
            /// Every kind that is shipped.
            pub const ALL: [Self; SHIPPED.len()] = [$(Self::$kind),*];

            /// Returns its word on the wire and in stores.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => <$notice as NoticeType>::KIND,)*
                    Self::Custom(kind) => kind.as_str(),
                }
            }

            /// Returns the policy for every notice of this kind.
            #[must_use]
            pub fn policy(self) -> NoticePolicy {
                match self {
                    $(Self::$kind => <$notice as NoticeType>::POLICY,)*
                    Self::Custom(kind) => kind.policy(),
                }
            }

            fn made_up(self, made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
                match self {
                    $(Self::$kind => $notice::sample(made_up),)*
                    Self::Custom(kind) => kind.sample(made_up.now),
                }
            }
        }

        impl Notice {
            /// Returns its kind.
            #[must_use]
            pub fn kind(&self) -> NoticeKind {
                match self {
                    $(Self::$kind(_) => NoticeKind::$kind,)*
                    Self::Custom(stored) => stored.kind().into(),
                }
            }

            /// Returns from when on a notice that was due at `due_at` is no longer worth sending
            /// ([`NoticeType::expires_at`]).
            #[must_use]
            pub fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
                match self {
                    $(Self::$kind(notice) => notice.expires_at(due_at),)*
                    Self::Custom(stored) => stored.expires_at(due_at),
                }
            }

            /// Returns the participant who gets it about a meeting, not the participant whom an organizer is notified
            /// about.
            #[must_use]
            pub fn participant(&self) -> Option<ParticipantId> {
                match self {
                    $(Self::$kind(notice) => notice.participant(),)*
                    Self::Custom(_) => None,
                }
            }

            pub(crate) fn needs(&self) -> Needs {
                match self {
                    $(Self::$kind(notice) => notice.needs(),)*
                    Self::Custom(_) => Needs::default(),
                }
            }

            pub(crate) fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
                match self {
                    $(Self::$kind(notice) => notice.check(check),)*
                    Self::Custom(stored) => check::custom(stored, check),
                }
            }

            pub(crate) fn order_thread(&self) -> Option<Thread> {
                match self {
                    $(Self::$kind(notice) => notice.order_thread(),)*
                    Self::Custom(_) => None,
                }
            }

            pub(crate) fn reminds(&self) -> Option<Entity> {
                match self {
                    $(Self::$kind(notice) => notice.reminds(),)*
                    Self::Custom(_) => None,
                }
            }

            pub(crate) fn overrides(&self) -> Overrides {
                match self {
                    $(Self::$kind(notice) => notice.overrides(),)*
                    Self::Custom(_) => Overrides::Nothing,
                }
            }
        }

        impl Serialize for Notice {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$kind(notice) => Tagged { kind: <$notice as NoticeType>::KIND, notice }.serialize(serializer),)*
                    Self::Custom(stored) => stored.serialize(serializer),
                }
            }
        }

        impl<'de> Deserialize<'de> for Notice {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut fields = Map::deserialize(deserializer)?;
                let kind = fields.remove("kind").ok_or_else(|| D::Error::missing_field("kind"))?;
                let kind = serde_json::from_value(kind).map_err(D::Error::custom)?;
                match kind {
                    $(NoticeKind::$kind => {
                        serde_json::from_value(Value::Object(fields)).map(Self::$kind).map_err(D::Error::custom)
                    })*
                    NoticeKind::Custom(kind) => Ok(Self::Custom(StoredNotice::of(kind, fields))),
                }
            }
        }

        $(impl From<$notice> for Notice {
            fn from(notice: $notice) -> Self {
                Self::$kind(notice)
            }
        })*
    };
}

notices! {
    /// The account is there.
    Welcome = welcome::WelcomeNotice,
    /// An address is to be verified.
    VerifyEmail = verify_email::VerifyEmailNotice,
    /// A password reset was requested.
    PasswordReset = password_reset::PasswordResetNotice,
    /// The password was changed; who did not do it must know.
    PasswordChanged = password_changed::PasswordChangedNotice,
    /// The status of a task was changed.
    TaskStatus = task_status::TaskStatusNotice,
    /// A custom email of an administrator.
    Letter = letter::CustomEmail,
    /// A sample of another kind of notice with made-up content.
    Sample = sample::SampleNotice,
    /// The reminder of open tasks, twice a day.
    TaskReminder = task_reminder::TaskReminderNotice,
    /// The day ahead.
    DailySummary = daily_summary::DailySummaryNotice,
    /// Something is wrong with the service.
    ServerAlert = server_alert::ServerAlertNotice,
    /// The service is right again.
    ServerRecovery = server_recovery::ServerRecoveryNotice,
    /// A task is due soon.
    TaskDue = task_due::TaskDueNotice,
    /// A participant is invited to a meeting.
    MeetingInvite = meeting_invite::MeetingInviteNotice,
    /// A meeting differs from what a participant was last notified of.
    MeetingChange = meeting_change::MeetingChangeNotice,
    /// A meeting is off, for everybody or for this participant.
    MeetingCancel = meeting_cancel::MeetingCancelNotice,
    /// A meeting begins soon.
    MeetingReminder = meeting_reminder::MeetingReminderNotice,
    /// A participant has left a meeting; for its organizer.
    MeetingLeft = meeting_left::MeetingLeftNotice,
    /// A participant proposes another time; for the organizer.
    MeetingProposal = meeting_proposal::MeetingProposalNotice,
    /// Mail about a meeting does not reach a participant; for the organizer.
    MeetingUndelivered = meeting_undelivered::MeetingUndeliveredNotice,
}

/// A notice beside its kind.
#[derive(Serialize)]
struct Tagged<'a, N> {
    kind: &'static str,
    #[serde(flatten)]
    notice: &'a N,
}

impl Notice {
    /// Returns the notice of a host, as [`AppBuilder::notice`](crate::AppBuilder::notice) registers them.
    ///
    /// # Errors
    ///
    /// The notice is not serialized as a map of its fields.
    pub fn custom<N: CustomNotice>(notice: &N) -> Result<Self, serde_json::Error> {
        StoredNotice::new(notice).map(Self::Custom)
    }
}

impl NoticeKind {
    /// Returns every kind that this process knows: those that are shipped, and those that hosts have registered.
    #[must_use]
    pub fn known() -> Vec<Self> {
        Self::ALL.into_iter().chain(CustomKind::registered().into_iter().map(Self::Custom)).collect()
    }

    /// Returns made-up content of this kind as of `now`; the same for the same instant. `None` if there is nothing to
    /// make up.
    #[must_use]
    pub fn sample(self, now: Timestamp) -> Option<Box<dyn NoticeContent>> {
        self.made_up(MadeUp { now, typed: None })
    }

    /// Returns made-up content with `typed` in every field that users fill in, to test templates with hostile input.
    #[must_use]
    pub fn sample_typed(self, typed: &str, now: Timestamp) -> Option<Box<dyn NoticeContent>> {
        self.made_up(MadeUp { now, typed: Some(typed) })
    }

    /// Returns its priority among others that are due.
    #[must_use]
    pub fn priority(self) -> Priority {
        self.policy().priority
    }

    /// Returns whether it protects an account or runs the service, so that no opt-out holds it.
    #[must_use]
    pub fn is_security(self) -> bool {
        self.policy().security
    }

    /// Returns whether a person can do without it: everything but what protects their account, what runs the service,
    /// and what somebody wrote by hand.
    #[must_use]
    pub fn can_be_switched_off(self) -> bool {
        self.policy().optional
    }

    /// Returns whether one click unsubscribes from its mail (RFC 8058): mail that is repeated by itself.
    #[must_use]
    pub fn is_recurring(self) -> bool {
        self.policy().recurring
    }

    /// Returns whether several that are due in one minute are one mail to their reader, of up to [`MOST_TOGETHER`].
    #[must_use]
    pub fn is_gathered(self) -> bool {
        self.policy().gathered
    }

    /// Returns whether a cancelled delivery of this kind is kept until it would have been due. Without its key, a
    /// repair would plan it again.
    #[must_use]
    pub fn is_kept_until_due(self) -> bool {
        self.policy().kept_until_due
    }

    /// Returns whether it waits for the end of its reader's quiet hours.
    #[must_use]
    pub fn waits_for_quiet_to_end(self) -> bool {
        self.policy().optional
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let shipped = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        let found = shipped.or_else(|| Self::known().into_iter().find(|kind| kind.as_str() == word));
        found.ok_or_else(|| InvalidValue::new("must be a kind of notice"))
    }
}

impl Serialize for NoticeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NoticeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(|_| D::Error::custom(format_args!("unknown kind of notice `{word}`")))
    }
}

#[cfg(test)]
mod tests;
