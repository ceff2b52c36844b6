//! Values as JSON has them: one trait gives a type its schema, its strict reading and its writing.

use std::borrow::Cow;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde_json::{Value, json};
use taskflow_core::{
    CatchUp, DeliveryId, Description, EmailAddress, EventId, InvalidValue, JobName, Locale, NamedAddress, NodeId,
    NoticeKind, ReminderMinutes, RunId, RunState, SessionId, TaskId, TaskPriority, TaskStatus, Timestamp, Title,
    Trigger, UserId, Username, Zone,
};

/// A value of the JSON interface.
pub trait Wire: Sized + Send + Sync {
    /// Returns the JSON Schema of the value. It may accept more than [`Wire::parse`], never less.
    fn schema() -> MetaSchema;

    /// Brings the schemas that its own refers to into the document.
    fn register(_registry: &mut Registry) {}

    /// Reads it strictly: a number is no string. The error says what would be right and reads on from a field's name.
    fn parse(value: &Value) -> Result<Self, String>;

    /// Reads it from a query parameter or a path.
    fn parse_text(text: &str) -> Result<Self, String> {
        Self::parse(&Value::String(text.to_owned()))
    }

    /// Reads it from a query parameter that was given this often, at least once.
    fn parse_texts(texts: &[&str]) -> Result<Self, String> {
        match texts {
            [text] => Self::parse_text(text),
            _ => Err("must be given only once".to_owned()),
        }
    }

    /// Writes it; secrets are `null`.
    fn write(&self) -> Value;
}

/// A value in an answer or a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Val<T>(pub T);

impl<T: Wire> Type for Val<T> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Cow::Borrowed("value")
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(T::schema()))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: Wire> ToJSON for Val<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.write())
    }
}

impl<T: Wire> ParseFromJSON for Val<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        T::parse(&value.unwrap_or_default()).map(Self).map_err(ParseError::custom)
    }
}

impl<T: Wire> ParseFromParameter for Val<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        T::parse_text(text).map(Self).map_err(ParseError::custom)
    }
}

/// The text of a JSON string.
pub(in crate::api) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a string".to_owned())
}

/// A JSON integer within bounds; `15.0` is one (JSON Schema §6.1.1).
pub(in crate::api) fn integer(value: &Value, least: u32, most: u32) -> Result<u32, String> {
    let whole = value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64));
    let fits = whole.and_then(|n| u32::try_from(n).ok()).filter(|n| (least..=most).contains(n));
    fits.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// The same, written out in decimal.
pub(in crate::api) fn integer_text(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fits = text.parse().ok().filter(|n| digits && (least..=most).contains(n));
    fits.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// The schema of a text with bounds on its length in characters.
pub(in crate::api) fn text_schema(least: usize, most: usize) -> MetaSchema {
    MetaSchema { min_length: Some(least), max_length: Some(most), ..MetaSchema::new("string") }
}

/// The schema of an integer with bounds.
pub(in crate::api) fn integer_schema(least: u32, most: u32) -> MetaSchema {
    MetaSchema { minimum: Some(least.into()), maximum: Some(most.into()), ..MetaSchema::new("integer") }
}

/// The schema of a choice of words.
pub(in crate::api) fn words_schema<'a>(words: impl IntoIterator<Item = &'a str>) -> MetaSchema {
    MetaSchema { enum_items: words.into_iter().map(Value::from).collect(), ..MetaSchema::new("string") }
}

fn parsed<T: FromStr<Err: ToString>>(value: &Value) -> Result<T, String> {
    text(value)?.parse().map_err(|error: T::Err| error.to_string())
}

/// Implements [`Wire`] for values that are texts with a `FromStr` that checks.
macro_rules! texts {
    ($($name:ty => $schema:expr, $example:literal, $write:expr;)+) => {$(
        impl Wire for $name {
            fn schema() -> MetaSchema {
                MetaSchema { example: Some(json!($example)), ..$schema }
            }

            fn parse(value: &Value) -> Result<Self, String> {
                parsed(value)
            }

            fn write(&self) -> Value {
                let write: fn(&Self) -> Value = $write;
                write(self)
            }
        }
    )+};
}

mod events;
mod meetings;

pub(in crate::api) use events::Differences;

/// The same schema for texts like this alone.
pub(in crate::api) fn with_pattern(schema: MetaSchema, pattern: &str) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..schema }
}

fn with_format(schema: MetaSchema, format: &'static str) -> MetaSchema {
    MetaSchema { format: Some(format), ..schema }
}

/// Marks time zones, whose many names the document lists once.
pub(in crate::api) const ZONE_FORMAT: &str = "time-zone";
const EMAIL: &str = "^[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+)*\
                     @([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]{1,63}$";
/// One line with something on it.
const LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]\
                    [^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$";
/// Any text whose only control characters are line breaks and tabs.
pub(in crate::api) const TEXT: &str = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$";

texts! {
    NodeId => with_pattern(text_schema(1, Self::MAX_LENGTH), "^[A-Za-z0-9._-]+$"), "node-1", |v| json!(v.as_str());
    Username => with_pattern(text_schema(Self::LENGTH.0, Self::LENGTH.1), "^[\\w.-]+$"), "testuser", |v| json!(v.as_str());
    EmailAddress => with_pattern(with_format(text_schema(5, Self::MAX_LENGTH), "email"), EMAIL), "test@example.com", |v| json!(v.as_str());
    NamedAddress => EmailAddress::schema(), "test@example.com", |v| json!(v.address.as_str());
    Title => with_pattern(text_schema(1, Self::MAX_LENGTH), LINE), "Test Task", |v| json!(v.as_str());
    Description => with_pattern(text_schema(0, Self::MAX_LENGTH), TEXT), "This is a test task", |v| json!(v.as_str());
    Locale => with_pattern(text_schema(2, 35), "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"), "en", |v| json!(v.as_str());
    Zone => with_format(MetaSchema::new("string"), ZONE_FORMAT), "Europe/Berlin", |v| json!(v.name());
    Timestamp => with_format(MetaSchema::new("string"), "date-time"), "2026-12-01T09:00:00Z", |v| json!(v);
    NoticeKind => words_schema(Self::ALL.map(Self::as_str)), "welcome", |v| json!(v.as_str());
    TaskStatus => words_schema(Self::ALL.map(Self::as_str)), "pending", |v| json!(v.as_str());
    TaskPriority => words_schema(Self::ALL.map(Self::as_str)), "high", |v| json!(v.as_str());
    UserId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    TaskId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    DeliveryId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    SessionId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    RunId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    JobName => with_pattern(text_schema(1, Self::MAX_LENGTH), "^[a-z][a-z0-9_]*$"), "daily_summaries", |v| json!(v.as_str());
    Trigger => words_schema(Self::ALL.map(Self::as_str)), "schedule", |v| json!(v.as_str());
    RunState => words_schema(Self::ALL.map(Self::as_str)), "finished", |v| json!(v.as_str());
    CatchUp => words_schema(Self::ALL.map(Self::as_str)), "latest", |v| json!(v.as_str());
    EventId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
}

impl Wire for ReminderMinutes {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!(15)), ..integer_schema(0, Self::MAX) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Self::new(integer(value, 0, Self::MAX)?).map_err(|error: InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.get())
    }
}

impl Wire for NaiveDate {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("2030-03-29")), ..with_format(MetaSchema::new("string"), "date") }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let refused = || "must be a date such as 2030-03-29".to_owned();
        let text = text(value)?;
        let date = Self::parse_from_str(text, "%Y-%m-%d").map_err(|_| refused())?;
        // As it is written, and with a year that instants have on both sides.
        let fits = date.to_string() == text && (1..9999).contains(&date.year());
        if fits { Ok(date) } else { Err(refused()) }
    }

    fn write(&self) -> Value {
        json!(self.to_string())
    }
}

impl Wire for bool {
    fn schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }

    fn parse(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "must be true or false".to_owned())
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }

    fn write(&self) -> Value {
        json!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_strict() {
        assert!(Title::parse(&json!(7)).is_err() && Title::parse(&json!(true)).is_err());
        assert!(ReminderMinutes::parse(&json!("15")).is_err() && ReminderMinutes::parse(&json!(-1)).is_err());
        assert!(ReminderMinutes::parse(&json!(15.5)).is_err() && ReminderMinutes::parse(&json!(1e300)).is_err());
        assert!(ReminderMinutes::parse(&json!(15.0)).is_ok());
        assert!(bool::parse(&json!("true")).is_err() && bool::parse_text("1").is_err());
    }

    #[test]
    fn numbers_in_parameters_are_plain_decimals() {
        assert_eq!(integer_text("12", 1, 100), Ok(12));
        for text in ["", "+1", "-1", "1.0", "0x1", "101", "999999999999999999999", " 1"] {
            assert!(integer_text(text, 1, 100).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_in_utc_with_microseconds() {
        let at = Timestamp::parse(&json!("2026-12-01T10:00:00+01:00")).expect("a time");
        assert_eq!(at.write(), json!("2026-12-01T09:00:00.000000Z"));
        assert!(Timestamp::parse(&json!("2026-12-01T10:00:00")).is_err());
    }
}
