use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Checked, MadeUp, NoticeKind, NoticePolicy, NoticeType, Overrides, PreSendCheck, Priority, ShippedNotice, cancelled,
};
use crate::{NoticeContent, Outcome, Timestamp};

/// A sample of another kind of notice with made-up content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleNotice {
    /// The other kind.
    pub of: NoticeKind,
}

impl NoticeType for SampleNotice {
    const KIND: &'static str = "sample";
    const POLICY: NoticePolicy = NoticePolicy::required(Priority::Task);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(1))
    }
}

impl ShippedNotice for SampleNotice {
    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        self.of.sample(check.now).map(Into::into).ok_or_else(|| cancelled("there is no sample of it"))
    }

    fn sample(_: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        None
    }

    fn overrides(&self) -> Overrides {
        Overrides::Complaint
    }
}
