//! Bounces: reports of gateways as JSON, or the messages that relays sent, unchanged.

use poem::http::header::CONTENT_TYPE;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object};
use serde_json::{Value, json};
use taskflow_core::{
    BounceKind, BounceReport, DeliveryId, EmailAddress, InvalidValue, ReturnedMail, SuppressionCause,
    bounce_is_for_good,
};

use crate::api::MAX_BODY;
use crate::api::wire::{text, text_schema, with_pattern, words_schema};
use crate::api::{ApiError, Field, Required, ValidationErrors, Wire};

/// Most reports in one list.
const MOST: usize = 1000;

const MEDIA: [&str; 2] = ["application/json", "message/rfc822"];

/// The outcome of the reports.
#[derive(Debug, Object)]
#[oai(rename = "BouncesTaken")]
pub(super) struct TakenBody {
    /// Number of addresses that were suppressed.
    #[oai(validator(minimum(value = "0")))]
    pub(super) suppressed: u32,
}

/// A delivery report about one address.
#[derive(Debug, Object)]
#[oai(rename = "Bounce")]
struct BounceBody {
    /// Which; it may also be called `recipient`.
    #[oai(nullable)]
    email: Field<EmailAddress>,
    /// The same as `email`.
    #[oai(nullable)]
    recipient: Field<EmailAddress>,
    /// The `Message-ID` of the mail. When it is one of ours, the address is the one that mail was sent to, whatever else is
    /// named; the address may be left out then.
    #[oai(nullable)]
    message_id: Field<MessageId>,
    /// Whether the mail could not be delivered, or was reported as unwanted.
    #[oai(rename = "type")]
    kind: Required<Kind>,
    /// Whether the failure is permanent; default `true`. Where there is a `status`, it must say so as well.
    #[oai(nullable)]
    permanent: Field<bool>,
    /// The status (RFC 3463) or the code of the relay's answer. Only what says that there is no such mailbox is for good:
    /// 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10 and 5.2.1. With 5.0.0 or a bare code such as 550 `detail` decides, as in
    /// `5.1.1 no such user`. It does not matter for a complaint.
    #[oai(nullable)]
    status: Field<Status>,
    /// The text of the report.
    #[oai(nullable)]
    detail: Field<Detail>,
}

/// A request of a mail gateway.
#[derive(Debug)]
pub(super) enum Brought {
    /// Reports that it has read.
    Reports(Vec<BounceReport>),
    /// A message as it came.
    Message(Vec<u8>),
}

impl Brought {
    async fn read(request: &Request, body: &mut RequestBody) -> Result<Self, ApiError> {
        let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !MEDIA.contains(&given.as_str()) {
            return Err(ApiError::UnsupportedMedia("application/json or message/rfc822"));
        }
        let body = body.take().map_err(|error| ApiError::Internal(error.into()))?;
        let bytes = body.into_bytes_limit(MAX_BODY).await.map_err(|_| ApiError::TooLarge)?;
        if given == MEDIA[1] {
            return Ok(Self::Message(bytes.into()));
        }
        let value = serde_json::from_slice(&bytes);
        reports(value.map_err(|_| ApiError::Malformed("the body is not well-formed JSON in UTF-8"))?).map(Self::Reports)
    }
}

fn reports(value: Value) -> Result<Vec<BounceReport>, ApiError> {
    let mut findings = ValidationErrors::default();
    let reports: Vec<_> = match value {
        Value::Object(_) => report(&mut findings, "", value).into_iter().collect(),
        Value::Array(items) if items.len() <= MOST => {
            let one = |(index, item)| report(&mut findings, &format!("{index}."), item);
            items.into_iter().enumerate().filter_map(one).collect()
        }
        _ => return Err(ApiError::Malformed("the body must be a JSON object or a list of at most 1000 of them")),
    };
    findings.finish(Some(reports))
}

/// `place` stands before the names of its members.
fn report(findings: &mut ValidationErrors, place: &str, value: Value) -> Option<BounceReport> {
    let name = |member: &str| format!("{place}{member}");
    // Its members take whatever they are given and remember it, so only what is no object fails.
    let Some(body) = value.is_object().then(|| BounceBody::parse_from_json(Some(value)).ok()).flatten() else {
        findings.note(place.trim_end_matches('.'), "must be an object");
        return None;
    };
    let recipient = findings.optional(&name("recipient"), body.recipient);
    let mail = findings.optional(&name("message_id"), body.message_id).map(|MessageId(delivery)| delivery);
    let email = match (body.email, &recipient) {
        (Field::Absent | Field::Null, Some(_)) => recipient,
        (Field::Absent | Field::Null, None) if matches!(mail, Some(Some(_))) => None,
        (email, _) => findings.required(&name("email"), required(email)),
    };
    let named = email.is_some() || matches!(mail, Some(Some(_)));
    let mail = mail.flatten().map(|delivery| ReturnedMail { delivery, to: None });
    let kind = findings.required(&name("type"), body.kind).map(|Kind(kind)| kind);
    let status = findings.optional(&name("status"), body.status);
    let permanent = findings.optional(&name("permanent"), body.permanent);
    let detail = findings.optional(&name("detail"), body.detail);
    let kind = kind?;
    let for_good =
        |Status(status): &Status| bounce_is_for_good(status, detail.as_ref().map_or("", |Detail(said)| said));
    let for_good = permanent.unwrap_or(true) && status.as_ref().is_none_or(for_good);
    let kind = match kind {
        SuppressionCause::Complaint if permanent == Some(false) => BounceKind::Delivered,
        SuppressionCause::Complaint => BounceKind::Complaint,
        _ if for_good => BounceKind::Hard,
        _ => BounceKind::Soft,
    };
    let said = [status.map(|Status(status)| status), detail.map(|Detail(detail)| detail)];
    let detail = said.into_iter().flatten().collect::<Vec<_>>().join(" ");
    named.then_some(BounceReport { email, mail, kind, detail })
}

fn required<T>(field: Field<T>) -> Required<T> {
    match field {
        Field::Absent => Field::Absent,
        Field::Null => Field::Null,
        Field::Value(value) => Field::Value(value),
        Field::Bad(misfit) => Field::Bad(misfit),
    }
}

/// `bounce` or `complaint`.
#[derive(Debug)]
struct Kind(SuppressionCause);

const KINDS: [SuppressionCause; 2] = [SuppressionCause::Bounce, SuppressionCause::Complaint];

impl Wire for Kind {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("bounce")), ..words_schema(KINDS.map(SuppressionCause::as_str)) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let word: Result<SuppressionCause, InvalidValue> = text(value)?.parse();
        word.ok().filter(|kind| KINDS.contains(kind)).map(Self).ok_or_else(|| "must be bounce or complaint".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.0.as_str())
    }
}

/// The `Message-ID` of a mail, with or without its angle brackets: the delivery in it, if it is one of ours.
#[derive(Debug)]
struct MessageId(Option<DeliveryId>);

impl Wire for MessageId {
    fn schema() -> MetaSchema {
        let example = json!("<01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f@example.com>");
        MetaSchema { example: Some(example), ..text_schema(1, 998) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let id = text(value)?.trim().trim_start_matches('<').trim_end_matches('>');
        match id.chars().count() {
            1..=998 => Ok(Self(id.split('@').next().and_then(|local| local.parse().ok()))),
            _ => Err("must have 1 to 998 characters".to_owned()),
        }
    }

    fn write(&self) -> Value {
        json!(self.0.map(|delivery| delivery.to_string()))
    }
}

/// A status such as `5.1.1`, or a code such as `550`.
#[derive(Debug)]
struct Status(String);

impl Wire for Status {
    fn schema() -> MetaSchema {
        let schema = with_pattern(MetaSchema::new("string"), "^[245](\\.[0-9]{1,3}\\.[0-9]{1,3}|[0-9]{2})$");
        MetaSchema { example: Some(json!("5.1.1")), ..schema }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let fits = match text.split('.').collect::<Vec<_>>()[..] {
            [code] => code.len() == 3 && digits(code, 3),
            [class, subject, detail] => class.len() == 1 && digits(subject, 3) && digits(detail, 3),
            _ => false,
        };
        if fits && text.starts_with(['2', '4', '5']) {
            return Ok(Self(text.to_owned()));
        }
        Err("must be a status such as 5.1.1, or a code such as 550".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

/// The detail of a report, on one line and of limited length.
#[derive(Debug)]
struct Detail(String);

impl Detail {
    const LONGEST: usize = 500;
}

impl Wire for Detail {
    fn schema() -> MetaSchema {
        // However long: what is too much is cut, since whoever brings it cannot know better.
        MetaSchema { example: Some(json!("no such user here")), max_length: None, ..text_schema(0, 1) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let line = text(value)?.chars().map(|c| if c.is_control() { ' ' } else { c });
        Ok(Self(line.take(Self::LONGEST).collect()))
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

impl<'a> ApiExtractor<'a> for Brought {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        BounceBody::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
        let list = MetaSchema {
            items: Some(Box::new(BounceBody::schema_ref())),
            max_items: Some(MOST),
            ..MetaSchema::new("array")
        };
        let json = MetaSchema { any_of: vec![BounceBody::schema_ref(), inline(list)], ..MetaSchema::ANY };
        let message = MetaSchema { format: Some("binary"), example: Some(json!(EXAMPLE)), ..MetaSchema::new("string") };
        let content = MEDIA.into_iter().zip([json, message]);
        let content = content.map(|(content_type, schema)| MetaMediaType { content_type, schema: inline(schema) });
        Some(MetaRequest { description: None, content: content.collect(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::read(request, body).await?)
    }
}

/// A report that relays send (RFC 3464).
const EXAMPLE: &str = "From: mailer-daemon@example.com\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
It was not delivered.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n\
Final-Recipient: rfc822; gone@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Vec<BounceReport>, Vec<String>> {
        match reports(value) {
            Ok(reports) => Ok(reports),
            Err(ApiError::Invalid(errors)) => Err(errors.into_iter().map(|error| error.field).collect()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_report_or_a_list_of_them_is_read() {
        use BounceKind::{Complaint, Delivered, Hard, Soft};
        for (body, kind) in [
            (
                json!({ "email": "a@example.org", "type": "bounce", "status": "5.1.1", "detail": "gone\r\nreally" }),
                Hard,
            ),
            (json!({ "recipient": "a@example.org", "type": "bounce", "status": "451" }), Soft),
            (json!({ "email": "a@example.org", "type": "bounce", "status": "550", "detail": "5.1.1 gone" }), Hard),
            (json!({ "email": "a@example.org", "type": "bounce", "permanent": true }), Hard),
            (json!({ "email": "a@example.org", "type": "bounce", "permanent": true, "status": "5.2.2" }), Soft),
            (json!({ "email": "a@example.org", "type": "bounce", "status": "5.7.1" }), Soft),
            (json!({ "email": "a@example.org", "type": "bounce", "status": "5.0.0" }), Soft),
            (json!({ "email": "a@example.org", "type": "bounce", "status": "554" }), Soft),
            (json!({ "email": "a@example.org", "type": "complaint", "status": "5.7.1" }), Complaint),
            (json!([{ "email": "a@example.org", "type": "bounce", "permanent": false, "status": "5.0.0" }]), Soft),
            (json!({ "email": "a@example.org", "type": "complaint" }), Complaint),
            (json!({ "email": "a@example.org", "type": "complaint", "permanent": false }), Delivered),
        ] {
            let reports = read(body.clone()).expect("reports");
            assert_eq!((reports.len(), reports[0].kind), (1, kind), "{body}");
            assert!(!reports[0].detail.contains('\n'));
        }
        assert_eq!(read(json!([])), Ok(Vec::new()));
    }

    #[test]
    fn a_mail_of_ours_is_named_by_its_message_id_alone() {
        let id = "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f";
        for message_id in [format!("<{id}@example.com>"), format!("{id}@example.com")] {
            let reports = read(json!({ "type": "complaint", "message_id": message_id })).expect("a report");
            let mail = ReturnedMail { delivery: id.parse().expect("an id"), to: None };
            assert_eq!((&reports[0].email, &reports[0].mail), (&None, &Some(mail)));
        }
        let foreign = json!({ "type": "complaint", "message_id": "<x@example.com>" });
        assert_eq!(read(foreign), Err(vec!["email".to_owned()]));
    }

    #[test]
    fn everything_that_does_not_fit_is_named_by_its_place() {
        let bad = json!([{ "email": "x", "type": "spam" }, 7, { "type": "bounce", "status": "6.1.1", "permanent": 1 }]);
        let expected = ["0.email", "0.type", "1", "2.email", "2.status", "2.permanent"];
        assert_eq!(read(bad), Err(expected.map(str::to_owned).into()));
        assert!(matches!(reports(json!("x")), Err(ApiError::Malformed(_))));
    }
}
