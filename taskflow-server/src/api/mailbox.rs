//! The dev mailbox: what would have been sent. Its paths exist only when it is on (`http/routes.rs`).

mod page;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{Actor, CapturedMail, DeliveryId, EmailAddress, MAILBOX_SIZE, Timestamp};

use self::page::View;
use super::html::{Page, words_for};
use super::refuses::Refuses;
use super::{ApiError, Field, Group, Val};
use crate::api::Caller;
use crate::hosts::is_local;
use crate::service::Service;

pub(super) struct MailboxApi;

/// Inline style for the page and for the mails in their sandboxes, pictures inside mails, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: https:; frame-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A captured email.
#[derive(Debug, Object)]
#[oai(rename = "KeptMail", skip_serializing_if_is_none)]
struct KeptMailBody {
    /// The delivery that it belongs to.
    id: Val<DeliveryId>,
    /// When it was captured.
    kept_at: Val<Timestamp>,
    /// Email address of the recipient.
    to: Val<EmailAddress>,
    /// Subject.
    subject: String,
    /// Plain text part.
    text: String,
    /// HTML part, if there is one.
    html: Option<String>,
    /// The whole email as it would have been sent (RFC 5322).
    source: String,
}

/// The newest captured emails.
#[derive(Debug, Object)]
#[oai(rename = "Mailbox")]
struct MailboxBody {
    /// The emails, newest first.
    items: Vec<KeptMailBody>,
}

#[OpenApi(tag = "Group::Mailbox")]
impl MailboxApi {
    /// List captured emails
    ///
    /// Returns the newest 500 emails of the development mailbox, which would have been sent. Exists only while no relay
    /// is configured, or with `MAILBOX=true`. In development it answers everybody on the machine itself, under a loopback
    /// name; otherwise only administrators.
    #[oai(path = "/api/mailbox", method = "get", operation_id = "listMailbox")]
    async fn list(
        &self,
        request: &Request,
        Data(service): Data<&Arc<Service>>,
    ) -> Result<Json<MailboxBody>, Refuses<401, 404>> {
        let mails = kept(service, request).await?;
        Ok(Json(MailboxBody { items: mails.into_iter().map(KeptMailBody::from).collect() }))
    }

    /// Get a captured email
    ///
    /// Returns an email of the development mailbox with its text, HTML and source.
    #[oai(path = "/api/mailbox/:id", method = "get", operation_id = "getKeptMail")]
    async fn get(
        &self,
        request: &Request,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
    ) -> Result<Json<KeptMailBody>, Refuses<401>> {
        Ok(Json(service.app.mail().captured_one(reader(service, request).await?, id.0.0).await?.into()))
    }

    /// The dev mailbox as a page
    #[oai(path = "/mailbox", method = "get", operation_id = "mailboxPage", hidden)]
    async fn page(&self, request: &Request, Data(service): Data<&Arc<Service>>) -> Result<Page, ApiError> {
        let words = words_for(request.headers());
        Ok(page::list(&kept(service, request).await?, &words).with_policy(PAGE_POLICY))
    }

    /// A mail in it as a page: its HTML, its text or its source
    #[oai(path = "/mailbox/:id", method = "get", operation_id = "keptMailPage", hidden)]
    async fn mail_page(
        &self,
        request: &Request,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<DeliveryId>>,
        view: Query<Field<View>>,
    ) -> Result<Page, ApiError> {
        let mail = service.app.mail().captured_one(reader(service, request).await?, id.0.0).await?;
        // A view that is none is as good as no wish.
        let view = if let Field::Value(view) = view.0 { Some(view) } else { None };
        Ok(page::mail(&mail, view, &words_for(request.headers())).with_policy(PAGE_POLICY))
    }
}

/// In development the mailbox is a tool on one's own machine, for whoever sits there. Through a proxy, from another machine
/// and under another name it is for administrators, as in production: it holds the links of everybody.
async fn reader(service: &Service, request: &Request) -> Result<Actor, ApiError> {
    if service.config.debug && is_local(request) { Ok(Actor::System) } else { Ok(Caller::of(request).await?.actor()) }
}

async fn kept(service: &Service, request: &Request) -> Result<Vec<CapturedMail>, ApiError> {
    Ok(service.app.mail().captured(reader(service, request).await?, MAILBOX_SIZE as u32).await?)
}

impl From<CapturedMail> for KeptMailBody {
    fn from(mail: CapturedMail) -> Self {
        Self {
            id: Val(mail.id),
            kept_at: Val(mail.kept_at),
            to: Val(mail.to),
            subject: mail.content.subject,
            text: mail.content.text,
            html: mail.content.html,
            source: mail.source,
        }
    }
}
