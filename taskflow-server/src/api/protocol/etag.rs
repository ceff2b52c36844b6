//! Versions in headers (RFC 9110 §8.8.3, §13.1).

use poem::http::{HeaderMap, HeaderName, header};
use poem_openapi::registry::MetaSchema;
use serde_json::json;
use taskflow_core::{FieldCode, FieldError, Precondition};

use super::ApiError;
use super::header::Header;

/// The entity tag of a version.
pub(in crate::api) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions that a change applies to (RFC 9110 section 13.1.1).
///
/// That section asks for a strong comparison, so that nobody combines or overwrites bytes that are only equivalent. Here a
/// weak tag counts like a strong one with the same opaque part. A proxy that compresses an answer weakens its tag
/// (section 8.8.1), and the client sends back what it was shown. That is safe, because a tag of ours names a version of
/// the resource and not the bytes of one representation: every change gets a new version, so equal opaque parts are the
/// same state. Answers with a tag also carry `Cache-Control: no-transform`, so that proxies leave them alone.
#[derive(Debug)]
pub(in crate::api) struct IfMatch(pub(in crate::api) Precondition);

/// The versions that the client already has (RFC 9110 §13.1.2). Tags are compared weakly.
#[derive(Debug)]
pub(in crate::api) struct IfNoneMatch(Option<Tags>);

impl IfNoneMatch {
    /// Returns whether the client has this version.
    pub(in crate::api) fn has(&self, version: u64) -> bool {
        match &self.0 {
            None => false,
            Some(Tags::All) => true,
            Some(Tags::These(tags)) => tags.iter().any(|tag| tag.version() == Some(version)),
        }
    }
}

impl Header for IfMatch {
    fn schema() -> MetaSchema {
        schema()
    }

    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(match read(headers, header::IF_MATCH, "If-Match")? {
            None | Some(Tags::All) => Precondition::Any,
            Some(Tags::These(tags)) => Precondition::OneOf(tags.iter().filter_map(Tag::version).collect()),
        }))
    }
}

impl Header for IfNoneMatch {
    fn schema() -> MetaSchema {
        schema()
    }

    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(read(headers, header::IF_NONE_MATCH, "If-None-Match")?))
    }
}

fn schema() -> MetaSchema {
    let tag = "(W/)?\"[!#-~]*\"";
    MetaSchema {
        pattern: Some(format!("^(\\*|({tag}( *, *{tag})*)?)$")),
        example: Some(json!("\"1\"")),
        ..MetaSchema::new("string")
    }
}

/// The versions that a condition names.
#[derive(Debug)]
enum Tags {
    /// Whatever there is.
    All,
    These(Vec<Tag>),
}

/// The opaque part of a tag; whether it is weak does not matter.
#[derive(Debug, PartialEq, Eq)]
struct Tag {
    text: String,
}

impl Tag {
    /// The version, if it is a tag of ours.
    fn version(&self) -> Option<u64> {
        self.text.parse().ok().filter(|version: &u64| version.to_string() == self.text)
    }
}

/// All lines of a header together (RFC 9110 §5.3).
fn read(headers: &HeaderMap, name: HeaderName, called: &str) -> Result<Option<Tags>, ApiError> {
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let lines: Result<Vec<&str>, _> = headers.get_all(name).iter().map(|line| line.to_str()).collect();
    let tags = lines.ok().and_then(|lines| match lines.join(",").trim() {
        "*" => Some(Tags::All),
        list => tags(list).map(Tags::These),
    });
    match tags {
        Some(tags) => Ok(Some(tags)),
        None => {
            let error = FieldError::new(called, "must be * or a list of entity tags such as \"1\"");
            Err(ApiError::BadHeader(error.with_code(FieldCode::InvalidFormat)))
        }
    }
}

/// The tags of a list; commas may stand inside of one, and elements may be empty, and so may
/// the list, which then matches nothing (RFC 9110 §5.6.1, appendix A).
fn tags(list: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let (text, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        tags.push(Tag { text: text.to_owned() });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let line = |line: &&[u8]| (name.clone(), HeaderValue::from_bytes(line).expect("a value"));
        lines.iter().map(line).collect()
    }

    fn expected(lines: &[&[u8]]) -> Option<Precondition> {
        IfMatch::read(&headers(header::IF_MATCH, lines)).ok().map(|IfMatch(expect)| expect)
    }

    #[test]
    fn any_of_several_tags_may_match() {
        assert_eq!(expected(&[]), Some(Precondition::Any));
        assert_eq!(expected(&[b" * "]), Some(Precondition::Any));
        assert_eq!(expected(&[etag(7).as_bytes()]), Some(Precondition::OneOf(vec![7])));
        assert_eq!(expected(&[b"\"7\", ,\"a,b\"", b"W/\"8\",\"9\""]), Some(Precondition::OneOf(vec![7, 8, 9])));
        assert_eq!(expected(&[b"W/\"7\""]), Some(Precondition::OneOf(vec![7])), "a proxy weakened it");
    }

    #[test]
    fn tags_that_are_none_of_ours_match_nothing() {
        for tag in ["", " , ", "W/\"x\"", "\"x\"", "\"07\"", "\"+7\"", "\"\"", "\"99999999999999999999999\""] {
            assert_eq!(expected(&[tag.as_bytes()]), Some(Precondition::OneOf(Vec::new())), "{tag}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        let cases: [&[u8]; 7] = [b"7", b"\"7", b"w/\"7\"", b"*, \"7\"", b"\"7\" \"8\"", b"\"a b\"", b"\"\xe9\""];
        for line in cases {
            assert_eq!(expected(&[line]), None, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_the_client_has_is_compared_weakly() {
        let has = |line: &[u8]| {
            let read = IfNoneMatch::read(&headers(header::IF_NONE_MATCH, &[line]));
            read.expect("tags").has(7)
        };
        assert!(has(b"\"7\"") && has(b"W/\"7\"") && has(b"\"1\", \"7\"") && has(b"*"));
        assert!(!has(b"\"8\"") && !has(b"\"x\""));
        assert!(!IfNoneMatch::read(&HeaderMap::new()).expect("nothing").has(7));
    }
}
