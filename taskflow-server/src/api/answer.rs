//! Successful answers that carry headers.

use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;

/// A single resource.
#[derive(Debug, ApiResponse)]
pub(super) enum Found<T: ToJSON> {
    /// The resource as it is now.
    #[oai(status = 200)]
    Found(
        Json<T>,
        /// Its version, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// A resource that was just made.
#[derive(Debug, ApiResponse)]
pub(super) enum Made<T: ToJSON> {
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
pub(super) enum Listed<T: ToJSON> {
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
pub(super) enum Gone {
    /// It is done.
    #[oai(status = 204)]
    Gone,
}
