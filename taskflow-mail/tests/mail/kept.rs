//! The dev mailbox.

use std::sync::Arc;

use mail_parser::MessageParser;
use taskflow_conformance::ManualClock;
use taskflow_core::MemoryStore;
use taskflow_core::ports::{Mailer, Store};
use taskflow_mail::DevMailbox;

use crate::support::{from, mail, noon};

#[tokio::test]
async fn the_dev_mailbox_keeps_the_mail_as_it_would_have_left() {
    let store = Arc::new(MemoryStore::new());
    let mailbox = DevMailbox::new(store.clone(), Arc::new(ManualClock::at(noon())), from());
    for _ in 0..2 {
        mailbox.send(&mail(1)).await.unwrap();
    }
    let kept = store.kept_mails(10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].id, kept[0].kept_at), (mail(1).id, noon()));
    assert_eq!(kept[0].content, mail(1).content);
    let parsed = MessageParser::default().parse(kept[0].source.as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Mail 1"));
}
