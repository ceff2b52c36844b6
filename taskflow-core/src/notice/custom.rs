//! Notices that a host defines.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{PoisonError, RwLock};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{NoticeKind, NoticePolicy, NoticeType};
use crate::{
    LinkTargets, Mailbox, NoticeContent, OpenTarget, Outcome, PlainText, RenderInput, ReplyTo, Timestamp, User,
    Variable, Variables,
};

/// A notice that a host defines. [`AppBuilder::notice`](crate::AppBuilder::notice) registers it.
///
/// Its stored form is its fields beside its kind, `{"kind": "invoice_due", …}`. Its words come from templates of the
/// folder with the name of its kind, which know its fields, else from [`subject`](Self::subject) and
/// [`text`](Self::text).
pub trait CustomNotice: NoticeType {
    /// Returns the subject of a plain text mail, one line.
    fn subject(&self) -> String;

    /// Returns the text of a plain text mail after its greeting.
    fn text(&self) -> String;

    /// Returns variables of its templates beside its fields. One with the name of a field counts instead of it.
    fn variables(&self) -> Variables<'_> {
        Variables::new()
    }

    /// Returns the name of the thread of its mail among the notices of its kind: mail with the same name is grouped in
    /// the reader's mailbox. Letters, digits and `-`.
    fn thread(&self) -> Option<String> {
        None
    }

    /// Returns who gets replies to its mail; `None`: the service.
    fn reply_to(&self) -> Option<Mailbox> {
        None
    }

    /// Returns the page of the subject of its mail. Templates have it as `links.open`.
    fn open_url(&self) -> Option<String> {
        None
    }

    /// Checks before sending whether the notice is still wanted.
    ///
    /// # Errors
    ///
    /// It is not, for this reason, with which its delivery is cancelled.
    fn check(&self, context: &CustomCheck<'_>) -> Result<(), String> {
        let _ = context;
        Ok(())
    }

    /// Returns a notice with made-up content, to preview its mail and to try its templates. `None` if there is nothing
    /// to make up.
    fn sample(now: Timestamp) -> Option<Self> {
        let _ = now;
        None
    }
}

/// The facts that a custom notice is checked against before it is sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct CustomCheck<'a> {
    /// The account of its reader; `None` for mail to a bare address.
    pub user: Option<&'a User>,
    /// The time at which it was due.
    pub due_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// A custom notice as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    kind: CustomKind,
    fields: Map<String, Value>,
}

/// The kind of a [`CustomNotice`]. Two of the same name are the same kind.
#[derive(Clone, Copy)]
pub struct CustomKind(&'static Definition);

/// The check of a notice before it is sent: its content, or why it is not.
type Check = fn(&StoredNotice, &CustomCheck<'_>) -> Result<Box<dyn NoticeContent>, Outcome>;

/// A type of notice, without the type.
struct Definition {
    kind: &'static str,
    policy: NoticePolicy,
    expires_at: fn(&StoredNotice, Timestamp) -> Option<Timestamp>,
    check: Check,
    sample: fn(Timestamp) -> Option<Box<dyn NoticeContent>>,
}

/// The kinds that hosts have registered in this process, by name.
static REGISTERED: RwLock<Vec<CustomKind>> = RwLock::new(Vec::new());

impl CustomKind {
    /// Registers a type of notice, so that its kind is understood wherever this process reads one. Again changes
    /// nothing.
    pub fn register<N: CustomNotice>() -> Self {
        let kind = Self::of::<N>();
        let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(place) = registered.binary_search(&kind) {
            registered.insert(place, kind);
        }
        kind
    }

    /// Returns every kind that is registered, by name.
    #[must_use]
    pub fn registered() -> Vec<Self> {
        REGISTERED.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns its word in stores and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.kind
    }

    /// Returns the policy for every notice of this kind.
    #[must_use]
    pub fn policy(self) -> NoticePolicy {
        self.0.policy
    }

    pub(crate) fn sample(self, now: Timestamp) -> Option<Box<dyn NoticeContent>> {
        (self.0.sample)(now)
    }

    fn of<N: CustomNotice>() -> Self {
        const { assert!(!is_shipped(N::KIND), "a notice of this kind is shipped") };
        Self(Typed::<N>::DEFINITION)
    }
}

struct Typed<N>(N);

impl<N: CustomNotice> Typed<N> {
    const DEFINITION: &'static Definition = &Definition {
        kind: N::KIND,
        policy: N::POLICY,
        // What cannot be read does not expire: the check before sending discards it, with the reason.
        expires_at: |stored, due_at| stored.read::<N>().ok()?.expires_at(due_at),
        check: |stored, context| {
            let notice = stored.read::<N>().map_err(|error| Outcome::Discarded { error })?;
            notice.check(context).map_err(|reason| Outcome::Cancelled { reason })?;
            Ok(Box::new(CustomContent { stored: stored.clone(), notice }))
        },
        sample: |now| {
            let notice = N::sample(now)?;
            Some(Box::new(CustomContent { stored: StoredNotice::new(&notice).ok()?, notice }))
        },
    };
}

/// The content of a custom notice: its fields.
#[derive(Debug)]
struct CustomContent<N> {
    stored: StoredNotice,
    notice: N,
}

impl<N: CustomNotice> NoticeContent for CustomContent<N> {
    fn kind(&self) -> NoticeKind {
        self.stored.kind.into()
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        PlainText { subject: self.notice.subject(), text: self.notice.text() }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        let fields = self.stored.fields.iter();
        fields.fold(self.notice.variables(), |all, (name, value)| all.with(name.clone(), Variable::Json(value)))
    }

    fn links(&self) -> LinkTargets<'_> {
        LinkTargets { open: self.notice.open_url().map(OpenTarget::Url), ..LinkTargets::default() }
    }

    fn thread(&self) -> Option<String> {
        // The name of a thread has no `_`.
        Some(format!("{}-{}", N::KIND.replace('_', "-"), self.notice.thread()?))
    }

    fn reply_to(&self) -> Option<ReplyTo<'_>> {
        self.notice.reply_to().map(ReplyTo::Mailbox)
    }
}

impl StoredNotice {
    /// Returns the stored form of a notice.
    ///
    /// # Errors
    ///
    /// The notice is not serialized as a map of its fields.
    pub fn new<N: CustomNotice>(notice: &N) -> Result<Self, serde_json::Error> {
        let fields = serde_json::from_value(serde_json::to_value(notice)?)?;
        Ok(Self { kind: CustomKind::of::<N>(), fields })
    }

    pub(super) fn of(kind: CustomKind, fields: Map<String, Value>) -> Self {
        Self { kind, fields }
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> CustomKind {
        self.kind
    }

    /// Returns the notice.
    ///
    /// # Errors
    ///
    /// Says which field is not as the type has it.
    pub fn read<N: CustomNotice>(&self) -> Result<N, String> {
        serde_json::from_value(Value::Object(self.fields.clone())).map_err(|error| error.to_string())
    }

    pub(crate) fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        (self.kind.0.expires_at)(self, due_at)
    }

    pub(crate) fn check(&self, context: &CustomCheck<'_>) -> Result<Box<dyn NoticeContent>, Outcome> {
        (self.kind.0.check)(self, context)
    }
}

impl Serialize for StoredNotice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        map.serialize_entry("kind", self.kind.as_str())?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl From<CustomKind> for NoticeKind {
    fn from(kind: CustomKind) -> Self {
        Self::Custom(kind)
    }
}

impl PartialEq for CustomKind {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CustomKind {}

impl PartialOrd for CustomKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CustomKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for CustomKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomKind").field(&self.as_str()).finish()
    }
}

/// Returns whether a kind of that name is shipped.
const fn is_shipped(kind: &str) -> bool {
    let mut n = 0;
    while n < super::SHIPPED.len() {
        if is_same(super::SHIPPED[n].as_bytes(), kind.as_bytes()) {
            return true;
        }
        n += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut n = 0;
    while n < one.len() {
        if one[n] != other[n] {
            return false;
        }
        n += 1;
    }
    true
}
