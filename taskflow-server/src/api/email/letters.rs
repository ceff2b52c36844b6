//! A letter that an administrator writes, as JSON.

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::{Value, json};
use taskflow_core::{App, CustomEmail, EmailAddress, NewCustomEmail, Title};

use crate::api::wire::{TEXT, text, text_schema, with_pattern};
use crate::api::{ApiError, Field, Required, ValidationErrors, Wire};

/// An email to send.
#[derive(Debug, Object)]
#[oai(rename = "NewLetter")]
pub(super) struct LetterBody {
    /// Recipients: one address, or a list.
    to: Required<Recipients>,
    /// Subject.
    subject: Required<Title>,
    /// The body as HTML. Without `text_content`, its plain text is made from this.
    #[oai(nullable)]
    html_content: Field<Words>,
    /// The body as plain text. One of the two bodies must be there.
    #[oai(nullable)]
    text_content: Field<Words>,
    /// Recipients of a copy: one address, or a list.
    #[oai(nullable)]
    cc: Field<Recipients>,
    /// Recipients of a copy whom nobody else sees: one address, or a list.
    #[oai(nullable)]
    bcc: Field<Recipients>,
    /// Address for answers.
    #[oai(nullable)]
    reply_to: Field<EmailAddress>,
}

impl LetterBody {
    pub(super) fn read(self) -> Result<NewCustomEmail, ApiError> {
        let mut findings = ValidationErrors::default();
        let to = findings.required("to", self.to).map(|to| to.read(&mut findings, "to")).unwrap_or_default();
        let subject = findings.required("subject", self.subject);
        if matches!(
            (&self.html_content, &self.text_content),
            (Field::Absent | Field::Null, Field::Absent | Field::Null)
        ) {
            findings.note("text_content", "is required, or html_content");
        }
        let html = findings.optional("html_content", self.html_content).map(|Words(html)| html);
        let text = findings.optional("text_content", self.text_content).map(|Words(text)| text);
        let cc = copies(&mut findings, "cc", self.cc);
        let bcc = copies(&mut findings, "bcc", self.bcc);
        let reply_to = findings.optional("reply_to", self.reply_to);
        let subject = findings.finish(subject)?;
        let shown = |addresses: &[EmailAddress]| addresses.iter().map(ToString::to_string).collect();
        let letter = CustomEmail {
            subject: subject.to_string(),
            text,
            html,
            to: shown(&to),
            cc: shown(&cc),
            reply_to: reply_to.map(|address| address.to_string()),
        };
        Ok(NewCustomEmail { letter, addresses: to.into_iter().chain(cc).chain(bcc).collect() })
    }
}

fn copies(findings: &mut ValidationErrors, name: &str, field: Field<Recipients>) -> Vec<EmailAddress> {
    let copies = findings.optional(name, field);
    copies.map(|copies| copies.read(findings, name)).unwrap_or_default()
}

/// One address or several, each still to be read: every one that does not fit is named.
#[derive(Debug)]
enum Recipients {
    One(Value),
    Many(Vec<Value>),
}

impl Recipients {
    fn read(self, findings: &mut ValidationErrors, name: &str) -> Vec<EmailAddress> {
        let mut address = |place: &str, value: &Value| {
            let address = EmailAddress::parse(value);
            address.map_err(|message| findings.note(place, message)).ok()
        };
        match self {
            Self::One(value) => address(name, &value).into_iter().collect(),
            Self::Many(values) => {
                let numbered = values.iter().enumerate();
                numbered.filter_map(|(index, value)| address(&format!("{name}.{index}"), value)).collect()
            }
        }
    }
}

impl Wire for Recipients {
    fn schema() -> MetaSchema {
        let one = || MetaSchemaRef::Inline(Box::new(EmailAddress::schema()));
        let list = MetaSchema {
            items: Some(Box::new(one())),
            max_items: Some(App::MOST_ADDRESSES),
            ..MetaSchema::new("array")
        };
        MetaSchema {
            any_of: vec![one(), MetaSchemaRef::Inline(Box::new(list))],
            example: Some(json!(["test@example.com"])),
            ..MetaSchema::ANY
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(_) => Ok(Self::One(value.clone())),
            Value::Array(values) if values.len() <= App::MOST_ADDRESSES => Ok(Self::Many(values.clone())),
            _ => Err(format!("must be an address, or a list of at most {}", App::MOST_ADDRESSES)),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::One(value) => value.clone(),
            Self::Many(values) => json!(values),
        }
    }
}

/// The text of a custom email. It is stored once per address, so its length is limited.
#[derive(Debug)]
struct Words(String);

impl Words {
    const MAX_LENGTH: usize = 100_000;
}

impl Wire for Words {
    fn schema() -> MetaSchema {
        let schema = with_pattern(text_schema(1, Self::MAX_LENGTH), TEXT);
        MetaSchema { example: Some(json!("Good morning")), ..schema }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        if text.trim().is_empty() || text.chars().count() > Self::MAX_LENGTH {
            return Err(format!("must have 1 to {} characters", Self::MAX_LENGTH));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err("must have no control characters but line breaks and tabs".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromJSON;

    use super::*;

    fn read(body: Value) -> Result<NewCustomEmail, Vec<String>> {
        match LetterBody::parse_from_json(Some(body)).expect("an object").read() {
            Ok(letter) => Ok(letter),
            Err(ApiError::Invalid(errors)) => Err(errors.into_iter().map(|error| error.field).collect()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hidden_reader_gets_the_letter_and_is_not_in_it() {
        let body = json!({ "to": "a@example.org", "cc": ["b@example.org"], "bcc": "c@example.org", "subject": "x",
            "html_content": "<p>y</p>" });
        let NewCustomEmail { letter, addresses } = read(body).expect("a letter");
        assert_eq!(addresses.len(), 3);
        assert_eq!((letter.to, letter.cc), (vec!["a@example.org".to_owned()], vec!["b@example.org".to_owned()]));
    }

    #[test]
    fn everything_that_does_not_fit_is_named_by_its_place() {
        let bad = json!({ "to": ["a@example.org", "b"], "subject": "a\r\nBcc: x@example.org", "cc": 7, "bcc": "x",
            "reply_to": "y" });
        let mut fields = read(bad).expect_err("refused");
        fields.sort_unstable();
        assert_eq!(fields, ["bcc", "cc", "reply_to", "subject", "text_content", "to.1"]);
        let nul = json!({ "to": "a@example.org", "subject": "x", "text_content": "a\u{0}b" });
        assert_eq!(read(nul), Err(vec!["text_content".to_owned()]));
    }
}
