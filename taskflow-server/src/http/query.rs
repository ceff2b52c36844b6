//! Query parameters that an operation does not know are refused: a misspelt filter must not return everything.

use taskflow_core::{FieldCode, FieldError};

use crate::api::ApiError;

/// Minimum similarity, from 0 to 1, at which one name is suggested for another.
const ALIKE: f64 = 0.8;

/// Checks the names of the parameters in a query string against those of the operation.
///
/// # Errors
///
/// [`ApiError::Invalid`] with every unknown name, each once, and the known name that is meant most likely.
pub(super) fn check(query: &str, known: &[String]) -> Result<(), ApiError> {
    let mut errors: Vec<FieldError> = Vec::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if !known.iter().any(|own| *own == name) && !errors.iter().any(|error| error.field == name) {
            errors.push(FieldError::new(&*name, refusal(&name, known)).with_code(FieldCode::UnknownParameter));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(errors)) }
}

fn refusal(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "is not known: this operation has no query parameters".to_owned();
    }
    match nearest(name, known) {
        Some(meant) => format!("is not a parameter of this operation; did you mean {meant}?"),
        None => format!("is not a parameter of this operation; it has {}", known.join(", ")),
    }
}

/// The known name that is most like `name`, if one is like it.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let name = name.to_lowercase();
    let alike = known.iter().map(|own| (strsim::jaro_winkler(&name, own), own));
    alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, own)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> Vec<(String, String)> {
        let known = ["status", "due_before", "q", "page"].map(str::to_owned);
        match check(query, &known) {
            Ok(()) => Vec::new(),
            Err(ApiError::Invalid(errors)) => errors.into_iter().map(|error| (error.field, error.message)).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_known_passes_however_it_is_written() {
        for query in ["", "status=x&page=1", "status=a&status=b", "%73tatus=x", "q", "&&q=%00"] {
            assert_eq!(refused(query), [], "{query}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_once_with_what_was_meant() {
        let all = refused("statuss=x&due_befor=1&Page=1&statuss=y&colour=red");
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["statuss", "due_befor", "Page", "colour"]);
        for ((_, message), meant) in all.iter().zip(["status?", "due_before?", "page?", "it has status, due_before"]) {
            assert!(message.contains(meant), "{message}");
        }
        let Err(ApiError::Invalid(errors)) = check("x=1", &[]) else { panic!("refused") };
        assert!(errors[0].message.contains("no query parameters") && errors[0].code == FieldCode::UnknownParameter);
    }
}
