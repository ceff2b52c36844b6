//! Successful answers that carry headers.

use std::marker::PhantomData;

use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::ToJSON;

use super::etag::{IfNoneMatch, etag};

/// A single resource.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Found<T: ToJSON> {
    /// The resource as it is now.
    #[oai(status = 200)]
    Found(
        Json<T>,
        /// Its version, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// A single resource for somebody who may have it already.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Read<T: ToJSON> {
    /// The resource as it is now.
    #[oai(status = 200)]
    Found(
        Json<T>,
        /// Its version, for `If-Match` and `If-None-Match`.
        #[oai(header = "ETag")]
        String,
    ),
    /// It is still what `If-None-Match` names.
    #[oai(status = 304)]
    NotModified(
        /// Its version.
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: ToJSON> Read<T> {
    /// The resource, unless it is known in this version.
    pub(in crate::api) fn new(version: u64, known: &IfNoneMatch, resource: impl FnOnce() -> T) -> Self {
        let tag = etag(version);
        if known.has(version) { Self::NotModified(tag) } else { Self::Found(Json(resource()), tag) }
    }
}

/// A resource that was just made.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Made<T: ToJSON> {
    /// It was made.
    #[oai(status = 201)]
    Made(
        Json<T>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// Its version, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// A page of a list.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Listed<T: ToJSON> {
    /// One page.
    #[oai(status = 200)]
    Listed(
        PageJson<T>,
        /// The first, previous, next and last page (RFC 8288), as far as they exist.
        #[oai(header = "Link")]
        String,
    ),
}

/// A page of a list as JSON. It is written item by item, because the tree of JSON of a whole page takes many times the
/// memory of its text.
#[derive(Debug)]
pub(in crate::api) struct PageJson<T> {
    text: String,
    envelope: PhantomData<fn() -> T>,
}

/// Bytes of text after which writing it pauses.
const PAUSE_AFTER: usize = 64 * 1024;

impl<T: ToJSON> PageJson<T> {
    /// Writes these items into the list `items` of an envelope, which has none. Other requests have their turn meanwhile.
    pub(in crate::api) async fn new<I: ToJSON>(envelope: T, items: impl Iterator<Item = I>) -> Self {
        const LIST: &str = "\"items\":[";
        let empty = envelope.to_json_string();
        let (head, tail) = empty.split_once(LIST).unwrap_or((&empty, ""));
        let (mut text, mut paused) = (format!("{head}{LIST}"), 0);
        for (n, item) in items.enumerate() {
            if n > 0 {
                text.push(',');
            }
            text.push_str(&item.to_json_string());
            if text.len() - paused >= PAUSE_AFTER {
                paused = text.len();
                tokio::task::yield_now().await;
            }
        }
        text.push_str(tail);
        Self { text, envelope: PhantomData }
    }
}

impl<T: ToJSON> Payload for PageJson<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ToJSON> IntoResponse for PageJson<T> {
    fn into_response(self) -> Response {
        self.text.with_content_type(Self::CONTENT_TYPE).into_response()
    }
}

/// Nothing left to say.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Gone {
    /// It is done.
    #[oai(status = 204)]
    Gone,
}

/// It will be done, or nothing needed to be: the answer does not tell.
#[derive(Debug, ApiResponse)]
pub(in crate::api) enum Accepted {
    /// It was understood; what comes of it comes by mail.
    #[oai(status = 202)]
    Accepted,
}
