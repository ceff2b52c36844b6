//! Previews of mail for administrators: every notice with sample content.

use std::sync::Arc;

use poem::http::{HeaderValue, header};
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::{Value, json};
use taskflow_core::{Content, Locale, NoticeKind, Zone};

use super::admin::Admin;
use super::wire::{text, words_schema};
use super::{ApiError, Field, Group, Val, ValidationErrors, Wire};
use crate::service::Service;

pub(super) struct TemplatesApi;

/// Inline style, pictures inside the mail, and nothing else: no script, no form, no other host.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; sandbox",
);

/// The notices and languages that can be previewed.
#[derive(Debug, Object)]
#[oai(rename = "Templates")]
struct TemplatesBody {
    /// Every kind of notice that can be previewed.
    notices: Vec<Val<NoticeKind>>,
    /// The available languages.
    locales: Vec<String>,
}

/// A preview of a notice.
#[derive(Debug, Object)]
#[oai(rename = "Preview", skip_serializing_if_is_none)]
struct PreviewBody {
    /// Kind of the notice.
    notice: Val<NoticeKind>,
    /// The requested language.
    locale: Val<Locale>,
    /// The time zone that times are shown in.
    zone: Val<Zone>,
    /// Subject.
    subject: String,
    /// Plain text part.
    text: String,
    /// HTML part, if there is one.
    html: Option<String>,
}

/// A preview as it was asked for.
enum Preview {
    Json(Json<PreviewBody>),
    Html(String),
}

#[OpenApi(prefix_path = "/api/templates", tag = "Group::Mail")]
impl TemplatesApi {
    /// List notices
    ///
    /// For administrators: every kind of notice that can be previewed.
    #[oai(path = "/", method = "get", operation_id = "listTemplates")]
    async fn list(&self, _admin: Admin, Data(service): Data<&Arc<Service>>) -> Result<Json<TemplatesBody>, ApiError> {
        let notices = service.samples.kinds(service.clock.now()).into_iter().map(Val).collect();
        Ok(Json(TemplatesBody { notices, locales: service.samples.locales() }))
    }

    /// Preview a notice
    ///
    /// For administrators: the email of a notice with made-up content.
    #[oai(path = "/:notice/preview", method = "get", operation_id = "previewTemplate")]
    async fn preview(
        &self,
        _admin: Admin,
        Data(service): Data<&Arc<Service>>,
        notice: Path<Val<NoticeKind>>,
        /// In this language, or the closest there are words of; English when left out.
        locale: Query<Field<Locale>>,
        /// Times in this zone; UTC when left out.
        zone: Query<Field<Zone>>,
        /// As JSON, or its HTML as a page.
        format: Query<Field<Format>>,
    ) -> Result<Preview, ApiError> {
        let mut findings = ValidationErrors::default();
        let locale = findings.optional("locale", locale.0).unwrap_or_else(Locale::en);
        let zone = findings.optional("zone", zone.0).unwrap_or_else(Zone::utc);
        let format = findings.optional("format", format.0).unwrap_or(Format::Json);
        findings.finish(Some(()))?;
        let kind = notice.0.0;
        let content = service.samples.content(kind, &locale, &zone, service.clock.now());
        let content = content.map_err(|error| ApiError::Internal(error.into()))?.ok_or(ApiError::NotFound)?;
        let Content { subject, text, html } = content;
        Ok(match format {
            Format::Json => {
                let (notice, locale, zone) = (Val(kind), Val(locale), Val(zone));
                Preview::Json(Json(PreviewBody { notice, locale, zone, subject, text, html }))
            }
            Format::Html => Preview::Html(html.ok_or(ApiError::NotFound)?),
        })
    }
}

impl IntoResponse for Preview {
    fn into_response(self) -> Response {
        match self {
            Self::Json(json) => json.into_response(),
            Self::Html(html) => {
                let mut response = html.into_response();
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
                response
            }
        }
    }
}

impl ApiResponse for Preview {
    fn meta() -> MetaResponses {
        let html = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = vec![
            MetaMediaType { content_type: "application/json; charset=utf-8", schema: PreviewBody::schema_ref() },
            MetaMediaType { content_type: "text/html; charset=utf-8", schema: html },
        ];
        let headers = Vec::new();
        let found = MetaResponse { description: "", status: Some(200), status_range: None, content, headers };
        MetaResponses { responses: vec![found] }
    }

    fn register(registry: &mut Registry) {
        PreviewBody::register(registry);
    }
}

/// Format of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Html,
}

impl Wire for Format {
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(json!("json")), ..words_schema(["json", "html"]) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match text(value)? {
            "json" => Ok(Self::Json),
            "html" => Ok(Self::Html),
            _ => Err("must be json or html".to_owned()),
        }
    }

    fn write(&self) -> Value {
        json!(match self {
            Self::Json => "json",
            Self::Html => "html",
        })
    }
}
