//! Members of JSON bodies and query parameters, read without failing, so that one answer names everything that does not
//! fit.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde_json::Value;
use taskflow_core::FieldError;

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
    /// It does not; this would be right.
    Bad(String),
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
            Some(value) => T::parse(&value).map_or_else(Self::Bad, Self::Value),
        })
    }
}

impl<T: Wire, const REQUIRED: bool> ParseFromParameter for Field<T, REQUIRED> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(T::parse_text(text).map_or_else(Self::Bad, Self::Value))
    }

    /// The first of several counts.
    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(texts: I) -> ParseResult<Self> {
        texts.into_iter().next().map_or(Ok(Self::Absent), |text| Self::parse_from_parameter(text.as_ref()))
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
pub struct Findings(Vec<FieldError>);

impl Findings {
    /// Notes that `field` does not fit.
    pub fn note(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// A member that must be there and have a value.
    pub fn required<T>(&mut self, name: &str, field: Required<T>) -> Option<T> {
        match field {
            Field::Absent => self.note(name, "is required"),
            Field::Null => self.note(name, "must not be null"),
            Field::Value(value) => return Some(value),
            Field::Bad(message) => self.note(name, message),
        }
        None
    }

    /// A member that may be left out or `null`: both mean none.
    pub fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent | Field::Null => None,
            Field::Value(value) => Some(value),
            Field::Bad(message) => {
                self.note(name, message);
                None
            }
        }
    }

    /// A member that stays as it is when left out, and cannot be cleared.
    pub fn kept<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if matches!(field, Field::Null) {
            self.note(name, "must not be null");
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

    /// What was read, if all of it fits.
    ///
    /// # Errors
    ///
    /// [`ApiError::Invalid`] with everything noted.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, ApiError> {
        read.filter(|_| self.0.is_empty()).ok_or(ApiError::Invalid(self.0))
    }
}
