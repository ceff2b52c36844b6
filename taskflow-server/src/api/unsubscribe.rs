//! The page that ends mail of a kind, without signing in. Its form ends it, and so does the button that mail programs show
//! (RFC 8058); looking never does, since mail scanners follow links before people do.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use taskflow_core::{NoticeKind, Subscription};

use super::ApiError;
use super::html::{Page, escape};
use crate::wiring::Service;

pub(super) struct UnsubscribePages;

#[OpenApi]
impl UnsubscribePages {
    /// A button that ends mail of a kind
    #[oai(path = "/u/:token", method = "get", operation_id = "unsubscribePage", hidden)]
    async fn show(&self, Data(service): Data<&Arc<Service>>, token: Path<String>) -> Page {
        match service.app.subscription(&token.0).await {
            Ok(subscription) if subscription.is_on => question(&subscription),
            Ok(subscription) => ended(&subscription),
            Err(error) => ApiError::from(error).into(),
        }
    }

    /// Ends it
    ///
    /// Whatever the body says: mail programs send `List-Unsubscribe=One-Click`, as a form or in parts, and nobody else has
    /// the address of this page.
    #[oai(path = "/u/:token", method = "post", operation_id = "unsubscribe", hidden)]
    async fn end(&self, Data(service): Data<&Arc<Service>>, token: Path<String>) -> Page {
        match service.app.unsubscribe(&token.0).await {
            Ok(subscription) => ended(&subscription),
            Err(error) => ApiError::from(error).into(),
        }
    }
}

fn question(subscription: &Subscription) -> Page {
    let (what, email) = (what(subscription.kind), escape(subscription.email.as_str()));
    let body = format!(
        "<p>Shall {email} get no more {what}?</p>\n\
         <form method=\"post\">\n<input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\n\
         <button>Yes, no more</button>\n</form>\n"
    );
    Page::new("Get less mail", &body)
}

fn ended(subscription: &Subscription) -> Page {
    let (what, email) = (what(subscription.kind), escape(subscription.email.as_str()));
    Page::new(
        "It is switched off",
        &format!("<p role=\"status\">{email} gets no more {what}. You can close this page.</p>\n"),
    )
}

/// What mail of a kind is called, in the plural.
fn what(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::TaskDue => "reminders before tasks are due",
        NoticeKind::MeetingReminder => "reminders of meetings",
        NoticeKind::TaskReminder => "lists of open tasks",
        NoticeKind::DailySummary => "daily summaries",
        _ => "mail of this kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_recurs_has_a_name() {
        for kind in NoticeKind::ALL.into_iter().filter(|kind| kind.is_recurring()) {
            assert_ne!(what(kind), "mail of this kind", "{kind}");
        }
    }
}
