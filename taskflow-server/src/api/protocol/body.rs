//! Request bodies: JSON objects, and the form of OAuth2 for signing in.

use std::collections::HashMap;

use poem::http::header::CONTENT_TYPE;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{IsObjectType, ParseFromJSON};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

use super::ApiError;

/// The largest body of a request: 1 MiB.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A body that is a JSON object.
#[derive(Debug)]
pub(in crate::api) struct Body<T>(pub T);

/// A body that is a JSON object, or nothing: then an empty one.
#[derive(Debug)]
pub(in crate::api) struct MaybeBody<T>(pub T);

/// A body that is a JSON Merge Patch (RFC 7396), under its own media type or as plain JSON.
#[derive(Debug)]
pub(in crate::api) struct Patch<T>(pub T);

/// A body that is a JSON object or an HTML form with the same names (OAuth2 password grant, RFC 6749 §4.3.2).
#[derive(Debug)]
pub(in crate::api) struct JsonOrForm<T>(pub T);

macro_rules! bodies {
    ($($name:ident: $media:expr, required: $required:expr;)+) => {$(
        impl<'a, T: ParseFromJSON + IsObjectType> ApiExtractor<'a> for $name<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                let media = |content_type: &&'static str| MetaMediaType { content_type, schema: T::schema_ref() };
                Some(MetaRequest { description: None, content: $media.iter().map(media).collect(), required: $required })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                Ok(Self(read(request, body, &$media, $required).await?))
            }
        }
    )+};
}

bodies! {
    Body: [JSON], required: true;
    MaybeBody: [JSON], required: false;
    Patch: [JSON, MERGE_PATCH], required: true;
    JsonOrForm: [JSON, FORM], required: true;
}

async fn read<T: ParseFromJSON>(
    request: &Request,
    body: &mut RequestBody,
    media: &[&'static str],
    required: bool,
) -> Result<T, ApiError> {
    let taken = body.take().map_err(|error| ApiError::Internal(error.into()))?;
    let bytes = taken.into_bytes_limit(MAX_BODY).await.map_err(|_| ApiError::TooLarge)?;
    let from = |object: Value| {
        // Every member takes whatever it is given and remembers it, so only the object itself could fail.
        T::parse_from_json(Some(object)).map_err(|_| ApiError::Malformed("the body must be a JSON object"))
    };
    if bytes.is_empty() && !required {
        return from(Value::Object(serde_json::Map::new()));
    }
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(given) = media.iter().find(|media| **media == given) else {
        return Err(ApiError::UnsupportedMedia(if media.contains(&FORM) {
            "application/json or application/x-www-form-urlencoded"
        } else {
            JSON
        }));
    };
    from(if *given == FORM { form_object(&bytes)? } else { json_object(&bytes)? })
}

fn json_object(bytes: &[u8]) -> Result<Value, ApiError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) => Err(ApiError::Malformed("the body must be a JSON object")),
        Err(_) => Err(ApiError::Malformed("the body is not well-formed JSON in UTF-8")),
    }
}

fn form_object(bytes: &[u8]) -> Result<Value, ApiError> {
    let malformed = ApiError::Malformed("the body is not a well-formed form");
    // The reader of query strings reads the same format.
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
    let uri = text.and_then(|text| format!("/?{text}").parse().ok());
    let Some(uri) = uri else { return Err(malformed) };
    let members = Request::builder().uri(uri).finish().params::<HashMap<String, String>>().map_err(|_| malformed)?;
    Ok(Value::Object(members.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_in_well_formed_json_are_read() {
        assert!(json_object(br#"{"a": "\ud83d\ude00"}"#).is_ok());
        for text in ["", "null", "[]", "7", "{", r#"{"a": "\ud800"}"#, "{\"a\": \"\u{1}\"}", "{} {}"] {
            assert!(matches!(json_object(text.as_bytes()), Err(ApiError::Malformed(_))), "{text}");
        }
        assert!(json_object(b"{\"a\": \"\xff\"}").is_err());
        assert!(json_object("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn forms_are_read_as_objects_of_strings() {
        let object = form_object(b"grant_type=password&username=ada%40example.org&password=a+b%26c").expect("a form");
        assert_eq!(object["username"], "ada@example.org");
        assert_eq!(object["password"], "a b&c");
        assert!(form_object(b"a b").is_err() && form_object(b"a=\xff").is_err());
    }
}
