//! Members of JSON bodies and query parameters, read without failing, so that one answer names everything that does not
//! fit.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde_json::{Value, json};
use taskflow_core::{FieldCode, FieldError, is_blank};

use super::wire::ZONE_FORMAT;
use super::{ApiError, Wire};

/// A member of a JSON body, or a query parameter.
#[derive(Debug, Clone, Default)]
pub enum Field<T, const REQUIRED: bool = false> {
    /// It is not there.
    #[default]
    Absent,
    /// It is `null`.
    Null,
    /// It fits.
    Value(T),
    /// It does not.
    Bad(Misfit),
}

/// The reason why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// For programs.
    pub code: FieldCode,
    /// Description of an accepted value, for people.
    pub message: String,
}

impl Misfit {
    /// A value that a type refuses: its schema tells why.
    fn of<T: Wire>(value: &Value, message: String) -> Self {
        Self { code: code(&T::schema(), value), message }
    }

    /// The same for a query parameter that was given with these texts.
    fn of_texts<T: Wire>(texts: &[&str], message: String) -> Self {
        let schema = T::schema();
        let [text] = texts else { return Self { code: FieldCode::TooMany, message } };
        let value = match schema.ty {
            // A number that is written out is one.
            "integer" | "number" | "boolean" => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            "array" => text.split(',').collect(),
            _ => json!(text),
        };
        Self { code: code(&schema, &value), message }
    }
}

/// Returns the code for the part of a schema that refuses a value.
fn code(schema: &MetaSchema, value: &Value) -> FieldCode {
    let fits = match schema.ty {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if !fits {
        return FieldCode::InvalidType;
    }
    if let Some(number) = value.as_f64() {
        return match (schema.minimum, schema.maximum) {
            (Some(least), _) if number < least => FieldCode::TooSmall,
            (_, Some(most)) if number > most => FieldCode::TooLarge,
            _ => FieldCode::Invalid,
        };
    }
    if let Some(items) = value.as_array() {
        return match (schema.min_items, schema.max_items, &schema.items) {
            (Some(least), ..) if items.len() < least => FieldCode::TooFew,
            (_, Some(most), _) if items.len() > most => FieldCode::TooMany,
            (.., Some(item)) => item_code(item, items),
            (.., None) => FieldCode::Invalid,
        };
    }
    let Some(text) = value.as_str() else { return FieldCode::Invalid };
    let length = text.chars().count();
    let shown = if is_blank(text) { 0 } else { text.trim().chars().count() };
    if !schema.enum_items.is_empty() || schema.format == Some(ZONE_FORMAT) {
        FieldCode::UnknownValue
    } else if schema.min_length.is_some_and(|least| shown < least) {
        FieldCode::TooShort
    } else if schema.max_length.is_some_and(|most| length > most) {
        FieldCode::TooLong
    } else {
        FieldCode::InvalidFormat
    }
}

/// Returns the code for the first of several items that the schema does not admit.
fn item_code(item: &MetaSchemaRef, items: &[Value]) -> FieldCode {
    let MetaSchemaRef::Inline(schema) = item else { return FieldCode::Invalid };
    let known = |item: &&Value| schema.enum_items.is_empty() || !schema.enum_items.contains(item);
    items.iter().find(known).map_or(FieldCode::Invalid, |item| code(schema, item))
}

/// A member that must be there.
pub type Required<T> = Field<T, true>;

impl<T: Wire, const REQUIRED: bool> Type for Field<T, REQUIRED> {
    const IS_REQUIRED: bool = REQUIRED;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Cow::Borrowed("field")
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

impl<T: Wire, const REQUIRED: bool> ParseFromJSON for Field<T, REQUIRED> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(match value {
            None => Self::Absent,
            Some(Value::Null) => Self::Null,
            Some(value) => {
                T::parse(&value).map_or_else(|message| Self::Bad(Misfit::of::<T>(&value, message)), Self::Value)
            }
        })
    }
}

impl<T: Wire, const REQUIRED: bool> ParseFromParameter for Field<T, REQUIRED> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Self::parse_from_parameters([text])
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(texts: I) -> ParseResult<Self> {
        let texts: Vec<A> = texts.into_iter().collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        if texts.is_empty() {
            return Ok(Self::Absent);
        }
        Ok(T::parse_texts(&texts).map_or_else(|message| Self::Bad(Misfit::of_texts::<T>(&texts, message)), Self::Value))
    }
}

/// Bodies are never answered; the document asks for defaults and examples only.
impl<T: Wire, const REQUIRED: bool> ToJSON for Field<T, REQUIRED> {
    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value.write()),
            Self::Absent | Self::Null | Self::Bad(_) => None,
        }
    }
}

/// Collects what does not fit while a body or a query is read.
#[derive(Debug, Default)]
pub struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    /// Notes that `field` does not fit.
    pub fn note(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// The same with a code for programs.
    pub fn note_as(&mut self, field: &str, code: FieldCode, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message).with_code(code));
    }

    fn misfit(&mut self, field: &str, Misfit { code, message }: Misfit) {
        self.note_as(field, code, message);
    }

    /// A member that must be there and have a value.
    pub fn required<T>(&mut self, name: &str, field: Required<T>) -> Option<T> {
        match field {
            Field::Absent => self.note_as(name, FieldCode::Required, "is required"),
            Field::Null => self.note_as(name, FieldCode::NotNullable, "must not be null"),
            Field::Value(value) => return Some(value),
            Field::Bad(misfit) => self.misfit(name, misfit),
        }
        None
    }

    /// A member that may be left out or `null`: both mean none.
    pub fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent | Field::Null => None,
            Field::Value(value) => Some(value),
            Field::Bad(misfit) => {
                self.misfit(name, misfit);
                None
            }
        }
    }

    /// A member that stays as it is when left out, and cannot be cleared.
    pub fn kept<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if matches!(field, Field::Null) {
            self.note_as(name, FieldCode::NotNullable, "must not be null");
        }
        self.optional(name, field)
    }

    /// A member that stays as it is when left out, and is cleared by `null` (JSON Merge Patch, RFC 7396).
    pub fn clearable<T>(&mut self, name: &str, field: Field<T>) -> Option<Option<T>> {
        match field {
            Field::Absent => None,
            Field::Null => Some(None),
            field => Some(self.optional(name, field)),
        }
    }

    /// Returns the value, if everything was read without an error.
    ///
    /// # Errors
    ///
    /// [`ApiError::Invalid`] with everything noted.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, ApiError> {
        read.filter(|_| self.0.is_empty()).ok_or(ApiError::Invalid(self.0))
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::{ReminderMinutes, TaskStatus, Timestamp, Title, Zone};

    use super::*;
    use crate::api::list::AnyOf;

    fn refused<T: Wire + std::fmt::Debug>(value: Value) -> FieldCode {
        match Field::<T>::parse_from_json(Some(value)) {
            Ok(Field::Bad(misfit)) => misfit.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_code_says_what_the_schema_refuses() {
        assert_eq!(refused::<Title>(json!(7)), FieldCode::InvalidType);
        for blank in ["", "  ", "\u{200b}"] {
            assert_eq!(refused::<Title>(json!(blank)), FieldCode::TooShort);
        }
        assert_eq!(refused::<Title>(json!("x".repeat(201))), FieldCode::TooLong);
        assert_eq!(refused::<Title>(json!("a\nb")), FieldCode::InvalidFormat);
        assert_eq!(refused::<ReminderMinutes>(json!(-1)), FieldCode::TooSmall);
        assert_eq!(refused::<ReminderMinutes>(json!(99_999)), FieldCode::TooLarge);
        assert_eq!(refused::<ReminderMinutes>(json!(1.5)), FieldCode::InvalidType);
        assert_eq!(refused::<TaskStatus>(json!("done")), FieldCode::UnknownValue);
        assert_eq!(refused::<Zone>(json!("Mars/Phobos")), FieldCode::UnknownValue);
        assert_eq!(refused::<Timestamp>(json!("tomorrow")), FieldCode::InvalidFormat);
        assert_eq!(refused::<bool>(json!("true")), FieldCode::InvalidType);
    }

    #[test]
    fn parameters_have_the_same_codes() {
        let refused = |texts: &[&str]| match Field::<AnyOf<TaskStatus>>::parse_from_parameters(texts) {
            Ok(Field::Bad(misfit)) => misfit.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&["pending,x"]), FieldCode::UnknownValue);
        let minutes = |texts: &[&str]| match Field::<ReminderMinutes>::parse_from_parameters(texts) {
            Ok(Field::Bad(misfit)) => misfit.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(minutes(&["x"]), FieldCode::InvalidType);
        assert_eq!(minutes(&["1", "2"]), FieldCode::TooMany);
    }
}
