//! Mail preferences of the current user.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::ToJSON;
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value, json};
use taskflow_core::{
    Error, LocalMinute, NoticeKind, Precondition, Preferences, PreferencesChange, QuietHours, Weekdays,
};

use super::answer::{Found, Read};
use super::body::Body;
use super::etag::{IfMatch, IfNoneMatch, etag};
use super::refuses::Refuses;
use super::wire::{text, with_pattern, words_schema};
use super::{ApiError, Field, Group, Val, ValidationErrors, Wire};
use crate::api::Caller;
use crate::service::Service;

pub(super) struct PreferencesApi;

/// Notification settings.
#[derive(Debug, Object)]
#[oai(rename = "Notifications")]
struct PreferencesBody {
    /// For every kind of email that can be switched off, whether the account wants it.
    kinds: Val<Kinds>,
    /// Hours in which mail is held until they end; `null`: none.
    #[oai(nullable)]
    quiet_hours: Option<Val<Quiet>>,
    /// Local time of the daily summary.
    summary_time: Val<LocalMinute>,
    /// Weekdays of the daily summary.
    summary_weekdays: Val<Days>,
}

/// A change of the notification settings. Members that are left out stay as they are.
#[derive(Debug, Object)]
#[oai(rename = "NotificationsChange")]
struct ChangeBody {
    /// For some kinds of email, whether the account wants it.
    kinds: Field<Kinds>,
    /// Hours in which mail is held until they end; `null`: none.
    #[oai(nullable)]
    quiet_hours: Field<Quiet>,
    /// Local time of the daily summary.
    summary_time: Field<LocalMinute>,
    /// Weekdays of the daily summary; an empty list means no summary.
    summary_weekdays: Field<Days>,
}

#[OpenApi(prefix_path = "/api/users/me/notifications", tag = "Group::Accounts")]
impl PreferencesApi {
    /// Get notification settings
    ///
    /// Returns which email the account wants. The version is that of the account.
    #[oai(path = "/", method = "get", operation_id = "getNotifications")]
    async fn get(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Answer 304 if this is still its version (its `ETag`).
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<Read<PreferencesBody>, Refuses<404>> {
        let user = service.app.accounts().get(caller.actor(), caller.token.user).await?;
        Ok(Read::new(user.version, &known, || user.preferences.into()))
    }

    /// Set notification settings
    ///
    /// Settings that are left out stay as they are, single kinds too. They take effect at once, also for email that is
    /// planned already. The version is that of the account.
    #[oai(path = "/", method = "put", operation_id = "setNotifications")]
    async fn put(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<ChangeBody>,
    ) -> Result<Found<PreferencesBody>, ApiError> {
        let change = body.read()?;
        match service.app.accounts().change_preferences(caller.actor(), &change, expect.clone()).await {
            Ok(user) => Ok(Found::Found(Json(user.preferences.into()), etag(user.version))),
            Err(Error::Stale) if expect != Precondition::Any => {
                let current = service.app.accounts().get(caller.actor(), caller.token.user).await?;
                Err(ApiError::Stale(PreferencesBody::from(current.preferences).to_json()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl ChangeBody {
    fn read(self) -> Result<PreferencesChange, ApiError> {
        let mut findings = ValidationErrors::default();
        let mut kinds = BTreeMap::new();
        for (name, wanted) in findings.kept("kinds", self.kinds).map(|Kinds(kinds)| kinds).unwrap_or_default() {
            match (name.parse::<NoticeKind>().ok().filter(|kind| kind.can_be_switched_off()), bool::parse(&wanted)) {
                (None, _) => findings.note(&format!("kinds.{name}"), "is no kind of mail that can be switched off"),
                (Some(_), Err(message)) => findings.note(&format!("kinds.{name}"), message),
                (Some(kind), Ok(wanted)) => {
                    kinds.insert(kind, wanted);
                }
            }
        }
        let quiet = findings.clearable("quiet_hours", self.quiet_hours);
        let quiet_hours = quiet.map(|quiet| quiet.and_then(|quiet| quiet.read(&mut findings)));
        let summary_at = findings.kept("summary_time", self.summary_time);
        let summary_days = findings.kept("summary_weekdays", self.summary_weekdays).map(|Days(days)| days);
        findings.finish(Some(PreferencesChange { kinds, quiet_hours, summary_at, summary_days }))
    }
}

impl From<Preferences> for PreferencesBody {
    fn from(preferences: Preferences) -> Self {
        let kinds = switchable().map(|kind| (kind.as_str().to_owned(), json!(preferences.wants(kind))));
        Self {
            kinds: Val(Kinds(kinds.collect())),
            quiet_hours: preferences.quiet_hours.map(|quiet| Val(Quiet::from(quiet))),
            summary_time: Val(preferences.summary_at),
            summary_weekdays: Val(Days(preferences.summary_days)),
        }
    }
}

fn switchable() -> impl Iterator<Item = NoticeKind> {
    NoticeKind::ALL.into_iter().filter(|kind| kind.can_be_switched_off())
}

/// Kinds of mail and whether they are wanted, each still to be read: every one that does not fit is named.
#[derive(Debug)]
struct Kinds(Map<String, Value>);

impl Wire for Kinds {
    fn schema() -> MetaSchema {
        let one = |kind: NoticeKind| (kind.as_str(), MetaSchemaRef::Inline(Box::new(bool::schema())));
        MetaSchema {
            properties: switchable().map(one).collect(),
            example: Some(json!({ "task_due": true })),
            ..MetaSchema::new("object")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        object(value).map(Self)
    }

    fn write(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Quiet hours whose start and end are still to be read.
#[derive(Debug)]
struct Quiet(Map<String, Value>);

impl Quiet {
    fn read(mut self, findings: &mut ValidationErrors) -> Option<QuietHours> {
        let mut end = |name: &str| {
            let path = format!("quiet_hours.{name}");
            match self.0.remove(name).map(|value| LocalMinute::parse(&value)) {
                Some(Ok(minute)) => return Some(minute),
                Some(Err(message)) => findings.note(&path, message),
                None => findings.note(&path, "is required"),
            }
            None
        };
        let (from, until) = (end("from"), end("until"));
        let quiet = QuietHours::new(from?, until?);
        quiet.map_err(|error| findings.note(&error.field, error.message)).ok()
    }
}

impl From<QuietHours> for Quiet {
    fn from(quiet: QuietHours) -> Self {
        let ends = [("from", quiet.from()), ("until", quiet.until())];
        Self(ends.map(|(name, minute)| (name.to_owned(), minute.write())).into_iter().collect())
    }
}

impl Wire for Quiet {
    fn schema() -> MetaSchema {
        let end = |name| (name, MetaSchemaRef::Inline(Box::new(LocalMinute::schema())));
        MetaSchema {
            properties: ["from", "until"].map(end).into(),
            required: vec!["from", "until"],
            example: Some(json!({ "from": "22:00", "until": "07:00" })),
            ..MetaSchema::new("object")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        object(value).map(Self)
    }

    fn write(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl Wire for LocalMinute {
    fn schema() -> MetaSchema {
        let schema = with_pattern(MetaSchema::new("string"), "^([01][0-9]|2[0-3]):[0-5][0-9]$");
        MetaSchema { example: Some(json!("09:00")), ..schema }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.to_string())
    }
}

/// Days of the week, Monday first.
#[derive(Debug)]
struct Days(Weekdays);

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Wire for Days {
    fn schema() -> MetaSchema {
        MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(words_schema(DAYS))))),
            example: Some(json!(&DAYS[..5])),
            ..MetaSchema::new("array")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let refused = || "must be a list of days such as monday".to_owned();
        let days = value.as_array().ok_or_else(refused)?;
        let bit = |day: &Value| DAYS.iter().position(|name| day == name).map(|index| 1_u8 << index);
        let bits = days.iter().map(bit).try_fold(0, |bits, bit| Some(bits | bit?));
        bits.and_then(Weekdays::from_bits).map(Self).ok_or_else(refused)
    }

    fn write(&self) -> Value {
        json!(self.0.iter().map(|day| DAYS[day.num_days_from_monday() as usize]).collect::<Vec<_>>())
    }
}

fn object(value: &Value) -> Result<Map<String, Value>, String> {
    value.as_object().cloned().ok_or_else(|| "must be an object".to_owned())
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromJSON;

    use super::*;

    fn read(body: Value) -> Result<Preferences, Vec<String>> {
        let before = Preferences::default().without(NoticeKind::DailySummary);
        match ChangeBody::parse_from_json(Some(body)).expect("an object").read() {
            Ok(change) => Ok(before.with(&change)),
            Err(ApiError::Invalid(errors)) => Err(errors.into_iter().map(|error| error.field).collect()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_stays_as_it_is() {
        let after = read(json!({ "kinds": { "task_due": false } })).expect("preferences");
        assert!(!after.wants(NoticeKind::TaskDue) && !after.wants(NoticeKind::DailySummary));
        let after = read(json!({ "kinds": { "daily_summary": true }, "summary_weekdays": [] })).expect("preferences");
        assert!(after.wants(NoticeKind::DailySummary) && after.summary_days.bits() == 0);
    }

    #[test]
    fn everything_that_does_not_fit_is_named_by_its_place() {
        let bad = json!({
            "kinds": { "password_reset": false, "pigeon": true, "task_due": "no" },
            "quiet_hours": { "from": "25:00" },
            "summary_time": "9:00",
            "summary_weekdays": ["mon"],
        });
        let mut fields = read(bad).expect_err("refused");
        fields.sort_unstable();
        let expected = [
            "kinds.password_reset",
            "kinds.pigeon",
            "kinds.task_due",
            "quiet_hours.from",
            "quiet_hours.until",
            "summary_time",
            "summary_weekdays",
        ];
        assert_eq!(fields, expected);
        assert_eq!(
            read(json!({ "quiet_hours": { "from": "09:00", "until": "09:00" } })),
            Err(vec!["quiet_hours".into()])
        );
        assert_eq!(
            read(json!({ "kinds": [], "summary_time": null })),
            Err(vec!["kinds".into(), "summary_time".into()])
        );
    }
}
