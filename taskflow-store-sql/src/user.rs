//! The stored form of users, with what they want of mail, and of their credentials.

use std::borrow::Cow;
use std::collections::BTreeSet;

use taskflow_core::{
    Credential, LocalMinute, NoticeKind, PasswordHash, Preferences, QuietHours, User, UserId, Username, Weekdays,
};

use crate::column::{Column, ColumnType, Role, SqlValue};
use crate::dialect::Dialect;
use crate::entity::{ColumnValue, Part, ReadError, Row, column, part, stored};
use crate::values::{entered, numbers, opaque, text};

entered!(Username);
opaque!(PasswordHash: expose);
numbers! {
    LocalMinute: SmallInt, LocalMinute::get, LocalMinute::new;
    Weekdays: SmallInt, Weekdays::bits, |bits| Weekdays::from_bits(bits).ok_or("must be the bits of seven days");
}

stored! {
    User in "users" {
        key id: UserId;
        fixed created_at;
        changing username, email, email_verified, time_zone, locale, is_active, is_admin, version, updated_at, deleted_at;
        parts preferences;
        derived username_key = |user| user.username.key(), email_key = |user| user.email.key();
    }
}

stored! {
    Credential in "credentials" {
        key user_id: UserId;
        changing password, changed_at;
    }
}

impl Part for Preferences {
    /// `mail_off` is not among the columns that `{set}` lists: updates keep the kinds of newer releases in it.
    fn columns() -> Vec<Column> {
        let mut columns = vec![
            column("mail_off", Role::Fixed, |it: &Self| &it.off),
            column("summary_minute", Role::Changing, |it: &Self| &it.summary_at),
            column("summary_days", Role::Changing, |it: &Self| &it.summary_days),
        ];
        columns.extend(part(|it: &Self| &it.quiet_hours));
        columns
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("mail_off", self.off.to_sql())?;
        put("summary_minute", self.summary_at.to_sql())?;
        put("summary_days", self.summary_days.to_sql())?;
        self.quiet_hours.write(put)
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        Ok(Self {
            off: row.get("mail_off")?,
            quiet_hours: Part::read(row)?,
            summary_at: row.get("summary_minute")?,
            summary_days: row.get("summary_days")?,
        })
    }
}

impl Part for Option<QuietHours> {
    fn columns() -> Vec<Column> {
        ["quiet_from", "quiet_until"].map(|name| Column::of::<LocalMinute>(name, Role::Changing)).into()
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("quiet_from", self.map(QuietHours::from).to_sql())?;
        put("quiet_until", self.map(QuietHours::until).to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        match (row.get("quiet_from")?, row.get("quiet_until")?) {
            (Some(from), Some(until)) => {
                let quiet_hours = QuietHours::new(from, until);
                quiet_hours.map(Some).or_else(|error| row.without("quiet_until", error.to_string()))
            }
            (None, None) => Ok(None),
            _ => row.without("quiet_until", "must be set exactly when quiet_from is"),
        }
    }
}

/// Kinds of a newer release mean nothing here.
impl ColumnValue for BTreeSet<NoticeKind> {
    const TYPE: ColumnType = ColumnType::Texts;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Texts(self.iter().map(|kind| Cow::Borrowed(kind.as_str())).collect())
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        let kinds = match value {
            SqlValue::Texts(kinds) => kinds,
            value => text(&value, |json| serde_json::from_str(json).map_err(|error| error.to_string()))?,
        };
        Ok(kinds.iter().filter_map(|kind| kind.parse().ok()).collect())
    }

    /// Everything that can be switched off: nobody gets what they may not want.
    fn stand_in(_value: &SqlValue<'_>) -> Option<Self> {
        Some(NoticeKind::ALL.iter().copied().filter(|kind| kind.can_be_switched_off()).collect())
    }
}
