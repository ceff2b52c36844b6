//! Which mail people want, and when: columns of theirs.

use serde::Serialize;
use taskflow_core::{CorruptRow, LocalMinute, NoticeKind, Preferences, QuietHours, StoreError, Weekdays};

use crate::error::Table;

const TABLE: Table = Table("taskflow_users");

/// Preferences as a part of the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct Params {
    mail_off: Vec<&'static str>,
    quiet_from: Option<u16>,
    quiet_until: Option<u16>,
    summary_minute: u16,
    summary_days: u8,
}

impl Params {
    pub(crate) fn new(preferences: &Preferences) -> Self {
        Self {
            mail_off: preferences.off.iter().map(|kind| kind.as_str()).collect(),
            quiet_from: preferences.quiet_hours.map(|quiet| quiet.from().get()),
            quiet_until: preferences.quiet_hours.map(|quiet| quiet.until().get()),
            summary_minute: preferences.summary_at.get(),
            summary_days: preferences.summary_days.bits(),
        }
    }
}

/// The kinds of mail that this build knows, as a JSON array: what else somebody has switched off, on a node of a newer
/// release, stays as it is.
pub(crate) fn known_kinds() -> Result<String, StoreError> {
    serde_json::to_string(&NoticeKind::known()).map_err(|error| StoreError::Internal(error.into()))
}

/// Preferences as the table of people has them.
#[derive(sqlx::FromRow)]
pub(crate) struct PreferencesRow {
    mail_off: String,
    quiet_from: Option<i64>,
    quiet_until: Option<i64>,
    summary_minute: i64,
    summary_days: i64,
}

impl TryFrom<PreferencesRow> for Preferences {
    type Error = CorruptRow;

    fn try_from(row: PreferencesRow) -> Result<Self, CorruptRow> {
        let off: Vec<String> =
            serde_json::from_str(&row.mail_off).map_err(|error| TABLE.bad("mail_off", error.to_string()))?;
        let quiet_hours = match (row.quiet_from, row.quiet_until) {
            (Some(from), Some(until)) => {
                let (from, until) = (minute("quiet_from", from)?, minute("quiet_until", until)?);
                let bad = |error: taskflow_core::FieldError| TABLE.bad("quiet_until", error.to_string());
                Some(QuietHours::new(from, until).map_err(bad)?)
            }
            (None, None) => None,
            _ => return Err(TABLE.bad("quiet_until", "must be set exactly when quiet_from is")),
        };
        let days = Weekdays::from_bits(TABLE.number("summary_days", row.summary_days)?);
        Ok(Self {
            // Kinds of a newer release mean nothing here.
            off: off.iter().filter_map(|kind| kind.parse().ok()).collect(),
            quiet_hours,
            summary_at: minute("summary_minute", row.summary_minute)?,
            summary_days: days.ok_or_else(|| TABLE.bad("summary_days", "must be the bits of seven days"))?,
        })
    }
}

/// A minute of a day from a column of people.
pub(crate) fn minute(column: &'static str, minutes: i64) -> Result<LocalMinute, CorruptRow> {
    LocalMinute::new(TABLE.number(column, minutes)?).map_err(|error| TABLE.bad(column, error.to_string()))
}
