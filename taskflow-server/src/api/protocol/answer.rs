//! Successful answers that carry headers.

use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
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
        Json<T>,
        /// The first, previous, next and last page (RFC 8288), as far as they exist.
        #[oai(header = "Link")]
        String,
    ),
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
