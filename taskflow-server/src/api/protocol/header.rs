//! Request headers as parameters of operations. Unlike those of poem they see every line and every byte of a header, so
//! that one which cannot be understood is refused and never ignored.

use poem::http::HeaderMap;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::ApiError;
use super::etag::{IfMatch, IfNoneMatch};

/// A header, or headers, that an operation looks at.
pub(in crate::api) trait Header: Sized {
    /// Returns the schema of the header's text.
    fn schema() -> MetaSchema;

    /// Reads it; absent is a value too.
    fn read(headers: &HeaderMap) -> Result<Self, ApiError>;
}

macro_rules! parameters {
    ($($name:ident),+) => {$(
        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

            type ParamType = String;
            type ParamRawType = String;

            fn param_in() -> Option<MetaParamIn> {
                Some(MetaParamIn::Header)
            }

            fn param_schema_ref() -> Option<MetaSchemaRef> {
                Some(MetaSchemaRef::Inline(Box::new(<Self as Header>::schema())))
            }

            async fn from_request(
                request: &'a Request,
                _body: &mut RequestBody,
                _options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                Ok(<Self as Header>::read(request.headers())?)
            }
        }
    )+};
}

parameters!(IfMatch, IfNoneMatch);
