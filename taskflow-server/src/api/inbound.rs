//! Inbound mail from gateways: replies of calendars, and bounces.

mod bounces;

use std::sync::Arc;

use poem::http::header::CONTENT_TYPE;
use poem::web::Data;
use poem::{Request, RequestBody, Result};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions, Object, OpenApi};
use serde_json::json;
use taskflow_core::ReplyTaken;

use self::bounces::{Brought, TakenBody};
use super::refuses::Refuses;
use super::{ApiError, Group};
use crate::api::MAX_BODY;
use crate::api::bearer;
use crate::auth::same_secret;
use crate::service::Service;

pub(super) struct InboundApi;

/// The result of a calendar reply.
#[derive(Debug, Object)]
#[oai(rename = "ReplyTaken", skip_serializing_if_is_none)]
struct ReplyTakenBody {
    /// Whether the answer counts. Nothing needs to be done either way.
    result: Taken,
    /// Why it was ignored.
    reason: Option<String>,
}

#[derive(Debug, Enum)]
#[oai(rename = "Taken", rename_all = "snake_case")]
enum Taken {
    Recorded,
    Ignored,
}

/// Somebody who knows `INBOUND_SECRET`.
struct Gateway;

/// A message as it came, byte for byte.
#[derive(Debug)]
struct Message {
    octets: Vec<u8>,
    /// Content type of the request, which names the charset and the method of a calendar object.
    content_type: Option<String>,
}

const MEDIA: [&str; 2] = ["message/rfc822", "text/calendar"];
const SCHEME: &str = "inbound";

/// An example reply of a calendar, to a meeting that does not exist.
const EXAMPLE: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Calendar//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n\
UID:01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f\r\nSEQUENCE:0\r\nDTSTAMP:20260101T000000Z\r\n\
ORGANIZER:mailto:test@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:grace@example.com\r\nEND:VEVENT\r\n\
END:VCALENDAR\r\n";
const EXAMPLE_HEADERS: &str = "From: grace@example.com\r\nMIME-Version: 1.0\r\n\
Content-Type: text/calendar; method=REPLY; charset=utf-8\r\n";

#[OpenApi(prefix_path = "/api/inbound", tag = "Group::Inbound")]
impl InboundApi {
    /// Report a calendar reply
    ///
    /// Takes a message with `METHOD:REPLY` (RFC 5546, RFC 6047), as a whole email or the calendar object alone, and
    /// records the answer. With `METHOD:COUNTER` the answer is `tentative`, and the organizer is told which time is
    /// proposed. Ignored are answers to an earlier version of a meeting, answers of people who were not invited, and
    /// answers that somebody else sent. Exists only when `INBOUND_SECRET` is set.
    #[oai(path = "/itip", method = "post", operation_id = "takeReply")]
    async fn ingest_reply(
        &self,
        _gateway: Gateway,
        Data(service): Data<&Arc<Service>>,
        message: Message,
    ) -> Result<Json<ReplyTakenBody>, Refuses<404, 409>> {
        let taken = service.app.participants().ingest_reply(&message.octets, message.content_type.as_deref()).await?;
        let (result, reason) = match taken {
            ReplyTaken::Recorded => (Taken::Recorded, None),
            ReplyTaken::Ignored(why) => (Taken::Ignored, Some(why.to_owned())),
        };
        Ok(Json(ReplyTakenBody { result, reason }))
    }

    /// Report bounces
    ///
    /// Takes delivery reports as JSON, one or a list of them, or the message of a relay or mailbox provider as it is
    /// (RFC 3464, RFC 5965, failure notices in plain text). An address whose mailbox is gone (5.1.1, 5.1.2, 5.1.3, 5.1.6,
    /// 5.1.10, 5.2.1, words that say so where the status says nothing, or a permanent failure without a status), or whose
    /// reader complained, is suppressed; other reports, such as a full mailbox (5.2.2) or policy (5.7.z), change nothing
    /// for other mail. When mail about a meeting did not arrive, its organizer is told.
    ///
    /// A report with the `Message-ID` of a mail of ours is about the address that this mail was sent to, whatever address
    /// it names. In JSON without one, the gateway names the address and is trusted. A message without one counts only for an
    /// address that was written to within the last 30 days.
    ///
    /// The answer says how many addresses were suppressed. Exists only when `INBOUND_SECRET` is set.
    #[oai(path = "/bounce", method = "post", operation_id = "takeBounces")]
    async fn take_bounces(
        &self,
        _gateway: Gateway,
        Data(service): Data<&Arc<Service>>,
        brought: Brought,
    ) -> Result<Json<TakenBody>, Refuses<404, 409>> {
        let suppressed = match brought {
            Brought::Reports(reports) => service.app.suppressions().take_bounces(reports).await?,
            Brought::Message(message) => service.app.suppressions().ingest_bounce(&message).await?,
        };
        Ok(Json(TakenBody { suppressed: u32::try_from(suppressed).unwrap_or(u32::MAX) }))
    }
}

impl Gateway {
    fn of(request: &Request) -> Result<Self, ApiError> {
        let service = request.data::<Arc<Service>>().ok_or_else(|| ApiError::bug("no service in the request"))?;
        let right = service.config.inbound_secret.as_ref().ok_or(ApiError::NotFound)?;
        let shown = bearer(request).ok_or(ApiError::Unauthorized)?;
        if same_secret(shown, right) { Ok(Self) } else { Err(ApiError::InvalidToken) }
    }
}

impl<'a> ApiExtractor<'a> for Gateway {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some("The value of `INBOUND_SECRET`."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::of(request)?)
    }
}

impl<'a> ApiExtractor<'a> for Message {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let schema = |example: String| MetaSchema {
            format: Some("binary"),
            example: Some(json!(example)),
            ..MetaSchema::new("string")
        };
        let media = |(content_type, example)| MetaMediaType {
            content_type,
            schema: MetaSchemaRef::Inline(Box::new(schema(example))),
        };
        let examples = [format!("{EXAMPLE_HEADERS}\r\n{EXAMPLE}"), EXAMPLE.to_owned()];
        let content = MEDIA.into_iter().zip(examples).map(media).collect();
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !MEDIA.contains(&media.as_str()) {
            return Err(ApiError::UnsupportedMedia("message/rfc822 or text/calendar").into());
        }
        let body = body.take().map_err(|error| ApiError::Internal(error.into()))?;
        let bytes = body.into_bytes_limit(MAX_BODY).await.map_err(|_| ApiError::TooLarge)?;
        let content_type = (media == MEDIA[1]).then(|| given.to_owned());
        Ok(Self { octets: bytes.into(), content_type })
    }
}
