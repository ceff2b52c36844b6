//! The variables and functions of templates.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Value};
use minijinja::{Error, ErrorKind};
use taskflow_core::{Timestamp, Zone};

use super::catalogue::Catalogue;
use super::reader::Reader;
use super::variables::Values;

/// The variables of a template: those that every mail has, and those of its notice.
///
/// Templates ask for each name by itself, so it is found by a comparison of names, and nothing is merged.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: Value,
    pub(super) locale: Value,
    pub(super) public_url: Value,
    pub(super) unsubscribe_url: Value,
    pub(super) links: Value,
    pub(super) say: Value,
    /// Only bodies know it.
    pub(super) subject: Option<Value>,
    /// The variables of the notice.
    pub(super) variables: Arc<Values>,
    /// Tells the time in a field, for notices of a host.
    pub(super) time: Option<Value>,
}

impl Object for Known {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "say" => Some(self.say.clone()),
            "name" => Some(self.name.clone()),
            "locale" => Some(self.locale.clone()),
            "public_url" => Some(self.public_url.clone()),
            "unsubscribe_url" => Some(self.unsubscribe_url.clone()),
            "links" => Some(self.links.clone()),
            "subject" => self.subject.clone(),
            "time" if self.time.is_some() => self.time.clone(),
            key => self.variables.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()),
        }
    }
}

/// Returns the value of a link, which may be none.
pub(super) fn link(url: Option<&String>) -> Value {
    url.map_or(Value::from(()), |url| Value::from(url.as_str()))
}

/// Returns the function `time` of templates: it formats a time as notices store it in the words and the zone of the
/// reader.
pub(super) fn clock(words: &Arc<Catalogue>, zone: &Zone, date: Timestamp) -> Value {
    let (words, zone) = (words.clone(), zone.clone());
    Value::from_function(move |at: &str| {
        let invalid = |problem: String| Error::new(ErrorKind::InvalidOperation, problem);
        let at = at.parse::<Timestamp>().map_err(|_| invalid("time() takes a time as RFC 3339 has it".to_owned()))?;
        Reader { words: &words, zone: &zone, date }.long(at).map_err(|error| invalid(error.0))
    })
}

/// Returns the function `say` of templates: it returns words by their name, with their gaps filled in.
pub(super) fn speaker(words: &Arc<Catalogue>) -> Value {
    let words = words.clone();
    Value::from_function(move |key: &str, gaps: Kwargs| {
        let mut slots: Vec<(&str, Value)> = Vec::new();
        for name in gaps.args() {
            let value: Value = gaps.get(name)?;
            if value.is_undefined() || value.is_none() {
                return Err(Error::new(ErrorKind::UndefinedError, format!("{name} in {key} is nothing")));
            }
            slots.push((name, value));
        }
        let count = slots.iter().find(|(name, _)| *name == "count").map(|(_, count)| count);
        let is_one = count.map(|count| count.as_str().map_or_else(|| *count == Value::from(1), |text| text == "1"));
        let mut said = String::new();
        let filled = words.fill(&mut said, key, is_one, &|said, slot| {
            let Some((_, value)) = slots.iter().find(|(name, _)| *name == slot) else { return Ok(None) };
            match value.as_str() {
                Some(text) => said.push_str(text),
                None => said.push_str(&value.to_string()),
            }
            Ok(Some(()))
        });
        // Names of words and gaps only: nothing that anybody typed.
        filled.map(|()| said).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.0))
    })
}
