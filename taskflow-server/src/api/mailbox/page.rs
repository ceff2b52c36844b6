//! The dev mailbox as a page: plain HTML, no script, every mail in a sandbox of its own.

use std::fmt::Write;

use taskflow_core::{KeptMail, Timestamp};

use crate::api::html::escape;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Mailbox – TaskFlow</title>\n<style>\n\
:root { color-scheme: light dark; }\n\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }\n\
details { border-top: 1px solid #8886; padding: .5rem 0; }\n\
summary { cursor: pointer; overflow-wrap: anywhere; }\n\
small { color: GrayText; }\n\
iframe { width: 100%; height: 30rem; border: 1px solid #8886; background: #fff; }\n\
pre { white-space: pre-wrap; overflow-wrap: anywhere; }\n\
</style>\n</head>\n<body>\n<h1>Mailbox</h1>\n\
<p>No relay is configured, so mail stays here. The newest comes first.</p>\n";

/// The page with `mails` in the order given.
pub(super) fn render(mails: &[KeptMail]) -> String {
    let mut page = String::from(HEAD);
    if mails.is_empty() {
        page.push_str("<p>There is no mail yet.</p>\n");
    }
    for mail in mails {
        write_mail(&mut page, mail);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn write_mail(page: &mut String, mail: &KeptMail) {
    let (subject, to) = (escape(&mail.content.subject), escape(mail.to.as_str()));
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<details>\n<summary><b>{subject}</b> <small>to {to} at {}</small></summary>",
        escape(&time(mail.kept_at))
    );
    if let Some(html) = &mail.content.html {
        // The sandbox runs no script and reaches nothing of ours; links may open windows of their own.
        let document = escape(&format!("<base target=\"_blank\">{html}"));
        let _ = writeln!(
            page,
            "<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" loading=\"lazy\" title=\"{subject}\" \
             srcdoc=\"{document}\"></iframe>"
        );
    }
    let _ = writeln!(page, "<h2>Text</h2>\n<pre>{}</pre>", escape(&mail.content.text));
    let _ =
        writeln!(page, "<details><summary>Source</summary><pre>{}</pre></details>\n</details>", escape(&mail.source));
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
        let mail = KeptMail {
            id: DeliveryId::from_uuid(uuid::Uuid::nil()),
            kept_at: Timestamp::from_micros(0),
            to: "ada@example.org".parse().expect("an address"),
            content: Content { subject: evil.clone(), text: evil.clone(), html: Some(evil.clone()) },
            source: evil,
        };
        let page = render(&[mail]);
        assert!(!page.contains("<script") && page.matches("</iframe>").count() == 1);
        assert!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));
    }
}
