//! The dev mailbox: what would have been sent. Its paths exist only when it is on (`http/routes.rs`).

mod page;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::{Html, Json, Response};
use poem_openapi::{Object, OpenApi};
use taskflow_core::{Actor, DeliveryId, EmailAddress, KeptMail, MAILBOX_SIZE, Timestamp};

use super::{ApiError, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(super) struct MailboxApi;

/// Inline style for the page and for the mails in their sandboxes, pictures inside mails, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; frame-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A mail that stayed here.
#[derive(Debug, Object)]
#[oai(rename = "KeptMail", skip_serializing_if_is_none)]
struct KeptMailBody {
    /// The delivery it comes from.
    id: Val<DeliveryId>,
    /// When it was kept.
    kept_at: Val<Timestamp>,
    /// Where it would have gone.
    to: Val<EmailAddress>,
    /// Its subject.
    subject: String,
    /// Its plain text.
    text: String,
    /// Its HTML, if it has any.
    html: Option<String>,
    /// The whole mail as it would have been sent (RFC 5322).
    source: String,
}

/// The newest mails.
#[derive(Debug, Object)]
#[oai(rename = "Mailbox")]
struct MailboxBody {
    /// Newest first.
    items: Vec<KeptMailBody>,
}

#[OpenApi(tag = "Group::Mailbox")]
impl MailboxApi {
    /// The dev mailbox
    ///
    /// The newest 500 mails that would have been sent. Exists only while no relay is configured (or `MAILBOX=true`); in
    /// production it is for administrators only.
    #[oai(path = "/api/mailbox", method = "get", operation_id = "listMailbox")]
    async fn list(&self, request: &Request, Data(service): Data<&Arc<Service>>) -> Result<Json<MailboxBody>, ApiError> {
        let mails = kept(service, request).await?;
        Ok(Json(MailboxBody { items: mails.into_iter().map(KeptMailBody::from).collect() }))
    }

    /// The dev mailbox as a page
    #[oai(path = "/mailbox", method = "get", operation_id = "mailboxPage", hidden)]
    async fn page(
        &self,
        request: &Request,
        Data(service): Data<&Arc<Service>>,
    ) -> Result<Response<Html<String>>, ApiError> {
        let mails = kept(service, request).await?;
        Ok(Response::new(Html(page::render(&mails))).header("Content-Security-Policy", PAGE_POLICY))
    }
}

async fn kept(service: &Service, request: &Request) -> Result<Vec<KeptMail>, ApiError> {
    // In development the mailbox is a tool on one's own machine, for whoever sits there.
    let actor = if service.config.debug { Actor::System } else { Caller::of(request)?.actor() };
    Ok(service.app.kept_mails(actor, MAILBOX_SIZE as u32).await?)
}

impl From<KeptMail> for KeptMailBody {
    fn from(mail: KeptMail) -> Self {
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
