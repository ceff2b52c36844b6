//! Events as JSON.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::{Value, json};
use taskflow_core::EventKind;

use super::{text, words_schema};
use crate::api::Wire;

/// `{field: {was, is}}`.
#[derive(Debug)]
pub(in crate::api) struct Differences(pub(in crate::api) Value);

impl Wire for Differences {
    fn schema() -> MetaSchema {
        let any = || MetaSchemaRef::Inline(Box::new(MetaSchema { nullable: true, ..MetaSchema::ANY }));
        let one = MetaSchema {
            required: vec!["was", "is"],
            properties: vec![("was", any()), ("is", any())],
            ..MetaSchema::new("object")
        };
        MetaSchema {
            additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(one)))),
            example: Some(json!({ "status": { "was": "pending", "is": "completed" } })),
            ..MetaSchema::new("object")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Ok(Self(value.clone()))
    }

    fn write(&self) -> Value {
        self.0.clone()
    }
}

impl Wire for EventKind {
    fn schema() -> MetaSchema {
        words_schema(Self::ALL.map(Self::as_str))
    }

    fn parse(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}
