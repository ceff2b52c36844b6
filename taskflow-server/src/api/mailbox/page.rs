//! The dev mailbox as pages: plain HTML, no script, every mail in a sandbox of its own.

use std::fmt::Write;

use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::{CapturedMail, Timestamp};

use crate::api::Wire;
use crate::api::html::escape;
use crate::api::wire::{text, words_schema};

const STYLE: &str = ":root { color-scheme: light dark; }\n\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }\n\
ul { list-style: none; padding: 0; }\n\
li { border-top: 1px solid #8886; padding: .5rem 0; overflow-wrap: anywhere; }\n\
h1 { overflow-wrap: anywhere; }\n\
small { color: GrayText; }\n\
nav a { margin-right: 1rem; }\n\
nav a[aria-current] { font-weight: bold; text-decoration: none; color: inherit; }\n\
iframe { width: 100%; height: 75vh; border: 1px solid #8886; background: #fff; }\n\
pre { white-space: pre-wrap; overflow-wrap: anywhere; }\n";

/// What of a mail is shown.
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
}

/// The page with `mails` in the order given.
pub(super) fn list(mails: &[CapturedMail]) -> String {
    let mut body = String::from("<p>No relay is configured, so mail stays here. The newest comes first.</p>\n");
    if mails.is_empty() {
        body.push_str("<p>There is no mail yet.</p>\n");
    }
    body.push_str("<ul>\n");
    for mail in mails {
        let (subject, to) = (escape(&mail.content.subject), escape(mail.to.as_str()));
        // Writing to a String cannot fail.
        let _ = writeln!(
            body,
            "<li><a href=\"/mailbox/{}\">{subject}</a><br><small>to {to} at {}</small></li>",
            mail.id,
            escape(&time(mail.kept_at))
        );
    }
    body.push_str("</ul>\n");
    page("Mailbox", &body)
}

/// One mail as it was asked for; unless told its HTML, or its text if it has none.
pub(super) fn mail(mail: &CapturedMail, view: Option<View>) -> String {
    let usual = if mail.content.html.is_some() { View::Html } else { View::Text };
    let view = view.unwrap_or(usual);
    let (subject, to, at) = (escape(&mail.content.subject), escape(mail.to.as_str()), escape(&time(mail.kept_at)));
    let mut body = format!("<p><small>to {to} at {at}</small></p>\n<nav>\n<a href=\"/mailbox\">All mail</a>\n");
    for other in View::ALL {
        let current = if other == view { " aria-current=\"page\"" } else { "" };
        let name = other.as_str();
        let _ = writeln!(body, "<a href=\"/mailbox/{}?view={name}\"{current}>{name}</a>", mail.id);
    }
    body.push_str("</nav>\n");
    let _ = match (view, &mail.content.html) {
        (View::Html, Some(html)) => {
            // The sandbox runs no script and reaches nothing of ours; links may open windows of their own.
            let document = escape(&format!("<base target=\"_blank\">{html}"));
            writeln!(
                body,
                "<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" title=\"{subject}\" \
                 srcdoc=\"{document}\"></iframe>"
            )
        }
        (View::Html, None) => writeln!(body, "<p>It has no HTML.</p>"),
        (View::Text, _) => writeln!(body, "<pre>{}</pre>", escape(&mail.content.text)),
        (View::Source, _) => writeln!(body, "<pre>{}</pre>", escape(&mail.source)),
    };
    page(&mail.content.subject, &body)
}

/// A whole page; `body` is HTML.
fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} \u{2013} TaskFlow</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         {body}</body>\n</html>\n"
    )
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

/// For people: in UTC, to the second.
fn time(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take("2030-03-29T08:00:00".len()).collect();
    format!("{} UTC", text.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use taskflow_core::{Content, DeliveryId};

    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(time(Timestamp::from_micros(1_234_567)), "1970-01-01 00:00:01 UTC");
    }

    #[test]
    fn nothing_in_a_mail_gets_out_of_its_place() {
        let evil = "\"></iframe></pre><script>alert(1)</script>".to_owned();
        let mail = CapturedMail {
            id: DeliveryId::from_uuid(uuid::Uuid::nil()),
            kept_at: Timestamp::from_micros(0),
            to: "ada@example.org".parse().expect("an address"),
            content: Content { subject: evil.clone(), text: evil.clone(), html: Some(evil.clone()) },
            source: evil,
        };
        for (view, frames) in [(None, 1), (Some(View::Html), 1), (Some(View::Text), 0), (Some(View::Source), 0)] {
            let page = super::mail(&mail, view);
            assert!(!page.contains("<script") && page.matches("</iframe>").count() == frames, "{page}");
            assert_eq!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), frames == 1);
        }
        assert!(!list(&[mail]).contains("<script"));
    }
}
