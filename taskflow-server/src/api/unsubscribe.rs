//! The page that ends mail of a kind, without signing in. Its form ends it, and so does the button that mail programs show
//! (RFC 8058); looking never does, since mail scanners follow links before people do.

use std::sync::Arc;

use minijinja::context;
use poem::http::HeaderMap;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use taskflow_core::ports::RenderError;
use taskflow_core::{DeadLink, Error, LinkError, NoticeKind, Subscription};
use taskflow_mail::PageWords;

use super::html::{self, Page};
use crate::service::Service;

pub(super) struct UnsubscribePages;

#[OpenApi]
impl UnsubscribePages {
    /// Ask whether to end mail of a kind
    #[oai(path = "/u/:token", method = "get", operation_id = "unsubscribePage", hidden)]
    async fn show(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        match service.app.links().subscription(&token.0).await {
            Ok(subscription) if subscription.is_on => question(service, &subscription),
            Ok(subscription) => ended(service, &subscription),
            Err(error) => no_such(service, headers, &token.0, error).await,
        }
    }

    /// End mail of a kind, or begin it again
    ///
    /// Without `again=true` in the query it ends, whatever the body says: mail programs send `List-Unsubscribe=One-Click`, as a form or in parts, and nobody else has
    /// the address of this page.
    #[oai(path = "/u/:token", method = "post", operation_id = "unsubscribe", hidden)]
    async fn end(
        &self,
        Data(service): Data<&Arc<Service>>,
        headers: &HeaderMap,
        token: Path<String>,
        /// `true`: begin mail of this kind again.
        again: Query<Option<String>>,
    ) -> Page {
        let result = match again.0.as_deref() {
            Some("true") => service.app.links().resubscribe(&token.0).await,
            Some(_) | None => service.app.links().unsubscribe(&token.0).await,
        };
        match result {
            Ok(subscription) if subscription.is_on => begun(service, &subscription),
            Ok(subscription) => ended(service, &subscription),
            Err(error) => no_such(service, headers, &token.0, error).await,
        }
    }
}

async fn no_such(service: &Service, headers: &HeaderMap, token: &str, error: Error) -> Page {
    let error = match error {
        Error::NotFound(_) => LinkError::Dead(DeadLink::Unknown),
        error => LinkError::Failed(error),
    };
    Page::failed(service, headers, token, error).await
}

fn question(service: &Service, subscription: &Subscription) -> Page {
    let words = html::words(&subscription.locale, &subscription.time_zone, service.clock.now());
    let page = what(&words, subscription.kind).and_then(|what| {
        let text = words.say("page.unsubscribe.text", &[("what", &what), ("email", subscription.email.as_str())])?;
        let values = context! { text, button => words.say("page.unsubscribe.button", &[])?, one_click => true };
        words.render("confirm", &words.say("page.unsubscribe.title", &[])?, &values)
    });
    Page::rendered(page)
}

fn ended(service: &Service, subscription: &Subscription) -> Page {
    let words = html::words(&subscription.locale, &subscription.time_zone, service.clock.now());
    let page = what(&words, subscription.kind).and_then(|what| {
        let text =
            words.say("page.unsubscribe.done_text", &[("what", &what), ("email", subscription.email.as_str())])?;
        let values = context! { text, button => words.say("page.unsubscribe.again", &[])?, action => "?again=true" };
        words.render("confirm", &words.say("page.unsubscribe.done", &[])?, &values)
    });
    Page::rendered(page)
}

fn begun(service: &Service, subscription: &Subscription) -> Page {
    let words = html::words(&subscription.locale, &subscription.time_zone, service.clock.now());
    let texts = what(&words, subscription.kind).and_then(|what| {
        let gaps = [("what", what.as_str()), ("email", subscription.email.as_str())];
        Ok([words.say("page.unsubscribe.begun_text", &gaps)?, words.say("page.onwards", &[])?])
    });
    let page = texts.and_then(|texts| Ok((words.say("page.unsubscribe.begun", &[])?, texts)));
    match page {
        Ok((title, texts)) => Page::done(&words, &title, &texts, "../"),
        Err(error) => Page::rendered(Err(error)),
    }
}

/// Returns what mail of a kind is called, in the plural.
fn what(words: &PageWords<'_>, kind: NoticeKind) -> Result<String, RenderError> {
    // A notice of a host may have no words here.
    words.say(&format!("{kind}.plural"), &[]).or_else(|_| words.say("page.unsubscribe.other", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_recurs_has_a_name() {
        for locale in ["en", "de"] {
            let zone = taskflow_core::Zone::utc();
            let words = html::words(&locale.parse().expect("a tag"), &zone, taskflow_core::Timestamp::from_micros(0));
            for kind in NoticeKind::ALL.into_iter().filter(|kind| kind.is_recurring()) {
                assert_ne!(what(&words, kind), what(&words, NoticeKind::Welcome), "{kind}");
            }
        }
    }
}
