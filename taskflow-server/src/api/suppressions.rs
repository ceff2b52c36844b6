//! Addresses that get no mail any more, for administrators.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};
use taskflow_core::{EmailAddress, Suppression, SuppressionCause, Timestamp};

use super::admin::Admin;
use super::answer::Gone;
use super::body::Body;
use super::list::{PageSize, SearchText};
use super::refuses::Refuses;
use super::wire::{text, words_schema};
use super::{ApiError, Field, Group, Required, Val, ValidationErrors, Wire};
use crate::service::Service;

pub(super) struct SuppressionsApi;

/// A page of suppressed addresses, in alphabetical order.
#[derive(Debug, Object)]
#[oai(rename = "SuppressionList", skip_serializing_if_is_none)]
struct ListBody {
    /// The items on this page.
    items: Vec<SuppressionBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<String>,
}

/// A suppressed address: it gets no mail.
#[derive(Debug, Object)]
#[oai(rename = "Suppression")]
struct SuppressionBody {
    /// Email address.
    email: Val<EmailAddress>,
    /// Why it was suppressed.
    cause: Val<SuppressionCause>,
    /// What the relay, the report or the administrator said.
    detail: String,
    /// When it was suppressed.
    at: Val<Timestamp>,
}

/// An address to suppress.
#[derive(Debug, Object)]
#[oai(rename = "NewSuppression")]
struct NewBody {
    /// Email address.
    email: Required<EmailAddress>,
    /// Reason.
    #[oai(nullable)]
    detail: Field<SearchText>,
}

#[OpenApi(prefix_path = "/api/suppressions", tag = "Group::Ledger")]
impl SuppressionsApi {
    /// List suppressions
    ///
    /// For administrators: addresses that get no mail, in alphabetical order.
    #[oai(path = "/", method = "get", operation_id = "listSuppressions")]
    async fn list(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// The page after this address: `next` of the page before.
        cursor: Query<Field<Cursor>>,
        /// Addresses on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<ListBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let cursor = findings.optional("cursor", cursor.0).map(|Cursor(key)| key);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let found =
            service.app.suppressions().list_after(admin.actor(), cursor.as_deref(), size.and_one_more()).await?;
        let (page, next) = size.cut(found, |suppression| suppression.email.key());
        Ok(Json(ListBody { items: page.into_iter().map(SuppressionBody::from).collect(), next }))
    }

    /// Suppress an address
    ///
    /// For administrators: sends no more mail to this address. Repeating it changes nothing.
    #[oai(path = "/", method = "post", operation_id = "suppress")]
    async fn add(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<NewBody>,
    ) -> Result<Gone, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let email = findings.required("email", body.email);
        let detail = findings.optional("detail", body.detail).map(|SearchText(detail)| detail).unwrap_or_default();
        let email = findings.finish(email)?;
        service.app.suppressions().add(admin.actor(), email, detail).await?;
        Ok(Gone::Gone)
    }

    /// Remove a suppression
    ///
    /// For administrators: sends mail to this address again.
    #[oai(path = "/", method = "delete", operation_id = "unsuppress")]
    async fn remove(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Which.
        email: Query<Required<EmailAddress>>,
    ) -> Result<Gone, ApiError> {
        let mut findings = ValidationErrors::default();
        let email = findings.required("email", email.0);
        let email = findings.finish(email)?;
        service.app.suppressions().remove(admin.actor(), &email).await?;
        Ok(Gone::Gone)
    }
}

impl From<Suppression> for SuppressionBody {
    fn from(Suppression { email, cause, detail, at, .. }: Suppression) -> Self {
        Self { email: Val(email), cause: Val(cause), detail, at: Val(at) }
    }
}

/// Start of a page: the text after which it begins.
#[derive(Debug)]
struct Cursor(String);

impl Cursor {
    /// Characters: folded, an address may be longer than it is, though not by much.
    const MAX_LENGTH: usize = 4 * EmailAddress::MAX_LENGTH;
}

impl Wire for Cursor {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(Self::MAX_LENGTH), ..SearchText::schema() }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        let fits = text.chars().count() <= Self::MAX_LENGTH && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err("must be next of the page before".to_owned()) }
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

impl Wire for SuppressionCause {
    fn schema() -> MetaSchema {
        words_schema(Self::ALL.map(Self::as_str))
    }

    fn parse(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}
