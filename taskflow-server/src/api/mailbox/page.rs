//! The dev mailbox as pages: no script, every mail in a sandbox of its own.

use minijinja::context;
use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::CapturedMail;
use taskflow_core::ports::RenderError;
use taskflow_mail::PageWords;

use crate::api::Wire;
use crate::api::html::Page;
use crate::api::wire::{text, words_schema};

/// A view of a captured mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Html,
    Text,
    Source,
}

impl View {
    const ALL: [Self; 3] = [Self::Html, Self::Text, Self::Source];

    fn as_str(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
            Self::Source => "source",
        }
    }

    /// The key of what it is called.
    fn label(self) -> &'static str {
        match self {
            Self::Html => "page.mailbox.html",
            Self::Text => "page.mailbox.plain",
            Self::Source => "page.mailbox.source",
        }
    }
}

/// The page with `mails` in the order given.
pub(super) fn list(mails: &[CapturedMail], words: &PageWords<'_>) -> Page {
    let rendered = || {
        let one = |mail: &CapturedMail| {
            let url = format!("/mailbox/{}", mail.id);
            Ok(context! { url, subject => mail.content.subject.as_str(), about => about(mail, words)? })
        };
        let mails = mails.iter().map(one).collect::<Result<Vec<_>, RenderError>>()?;
        let text = words.say("page.mailbox.text", &[])?;
        words.render("mailbox", &words.say("page.mailbox.title", &[])?, &context! { text, mails, wide => true })
    };
    Page::rendered(rendered())
}

/// One mail as it was asked for; unless told its HTML, or its text if it has none.
pub(super) fn mail(mail: &CapturedMail, view: Option<View>, words: &PageWords<'_>) -> Page {
    let usual = if mail.content.html.is_some() { View::Html } else { View::Text };
    let shown = view.unwrap_or(usual);
    let rendered = || {
        let one = |view: View| {
            let url = format!("/mailbox/{}?view={}", mail.id, view.as_str());
            Ok(context! { url, label => words.say(view.label(), &[])?, is_shown => view == shown })
        };
        let views = View::ALL.into_iter().map(one).collect::<Result<Vec<_>, RenderError>>()?;
        let html = mail.content.html.as_ref().filter(|_| shown == View::Html);
        let values = context! {
            wide => true,
            about => about(mail, words)?,
            all_url => "/mailbox",
            views,
            document => html.map(|html| format!("<base target=\"_blank\">{html}")),
            text => match shown {
                View::Html => None,
                View::Text => Some(mail.content.text.as_str()),
                View::Source => Some(mail.source.as_str()),
            },
        };
        words.render("mail", &mail.content.subject, &values)
    };
    Page::rendered(rendered())
}

fn about(mail: &CapturedMail, words: &PageWords<'_>) -> Result<String, RenderError> {
    words.say("page.mailbox.about", &[("to", mail.to.as_str()), ("when", &words.short(mail.kept_at)?)])
}

impl Wire for View {
    fn schema() -> MetaSchema {
        words_schema(Self::ALL.map(Self::as_str))
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let word = text(value)?;
        let found = Self::ALL.into_iter().find(|view| view.as_str() == word);
        found.ok_or_else(|| "must be html, text or source".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use poem::IntoResponse;
    use poem::http::HeaderMap;
    use taskflow_core::{Content, DeliveryId, Timestamp};

    use super::*;
    use crate::api::html::words_for;

    async fn html(page: Page) -> String {
        page.into_response().take_body().into_string().await.expect("text")
    }

    #[tokio::test]
    async fn nothing_in_a_mail_gets_out_of_its_place() {
        let evil = "\"></iframe></pre><script>alert(1)</script>".to_owned();
        let mail = CapturedMail {
            id: DeliveryId::from_uuid(uuid::Uuid::nil()),
            kept_at: Timestamp::from_micros(0),
            to: "ada@example.org".parse().expect("an address"),
            content: Content { subject: evil.clone(), text: evil.clone(), html: Some(evil.clone()) },
            source: evil,
        };
        let words = words_for(&HeaderMap::new());
        for (view, frames) in [(None, 1), (Some(View::Html), 1), (Some(View::Text), 0), (Some(View::Source), 0)] {
            let page = html(super::mail(&mail, view, &words)).await;
            assert!(!page.contains("<script") && page.matches("</iframe>").count() == frames, "{page}");
            assert_eq!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), frames == 1);
        }
        assert!(!html(list(&[mail], &words)).await.contains("<script"));
    }
}
