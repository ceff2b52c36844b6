//! Reading the dev mailbox as people read their mail.

use serde_json::Value;

use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

/// The mails to an address whose subject has these words, newest first; waits until there are as many.
pub(crate) async fn letters(server: &Server, to: &str, subject: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} mails to {to} about {subject}");
    eventually(&what, || async {
        let mails: Value = server.get("/api/mailbox").await.json().await.expect("JSON");
        let mails = mails["items"].as_array().expect("mails").iter();
        let fits =
            |mail: &&Value| mail["to"] == to && mail["subject"].as_str().is_some_and(|line| line.contains(subject));
        let mails: Vec<_> = mails.filter(fits).cloned().collect();
        (mails.len() >= count).then_some(mails)
    })
    .await
}

/// The newest of them.
pub(crate) async fn letter(server: &Server, to: &str, subject: &str) -> Value {
    letters(server, to, subject, 1).await.remove(0)
}

/// The path of the first link in a mail that begins with this, as in `/r/`.
pub(crate) fn link(letter: &Value, page: &str) -> String {
    let text = letter["text"].as_str().expect("text");
    let start = text.find(page).unwrap_or_else(|| panic!("no {page} in {text}"));
    let end =
        text[start..].find(|c: char| c.is_whitespace() || ")>.".contains(c)).map_or(text.len(), |end| start + end);
    text[start..end].to_owned()
}
