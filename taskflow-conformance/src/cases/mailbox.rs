use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{CapturedMail, Changes, Content, MAILBOX_SIZE, MailboxWrite};

use crate::OpenStore;
use crate::sample::{delivery_id, noon};

fn mail(n: u64, html: Option<&str>) -> CapturedMail {
    CapturedMail {
        id: delivery_id(n),
        kept_at: noon() + Duration::from_secs(n),
        to: "ada@example.org".parse().expect("an address"),
        content: Content {
            subject: format!("mail {n} \u{1F600}"),
            text: "line\r\nline".to_owned(),
            html: html.map(str::to_owned),
        },
        source: "Subject: x\r\n\r\nbody\r\n".to_owned(),
    }
}

fn keep(mails: impl IntoIterator<Item = CapturedMail>) -> Changes {
    mails.into_iter().fold(Changes::new(), |changes, mail| changes.write(MailboxWrite::Capture(mail)))
}

pub(super) async fn kept_mail_is_read_newest_first_and_by_id(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&keep([mail(1, None), mail(3, Some("<p>x</p>")), mail(2, None)])).await.expect("mails");
    assert_eq!(store.kept_mails(2).await.expect("a read"), [mail(3, Some("<p>x</p>")), mail(2, None)]);
    assert_eq!(store.kept_mail(delivery_id(1)).await.expect("a read"), Some(mail(1, None)));
    assert_eq!(store.kept_mail(delivery_id(9)).await.expect("a read"), None);
}

pub(super) async fn keeping_a_mail_again_changes_nothing(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&keep([mail(1, None)])).await.expect("a mail");
    let again = CapturedMail { kept_at: noon() + Duration::from_secs(99), ..mail(1, Some("other")) };
    store.commit(&keep([again])).await.expect("no error");
    assert_eq!(store.kept_mails(10).await.expect("a read"), [mail(1, None)]);
}

pub(super) async fn the_newest_five_hundred_are_kept(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let size = MAILBOX_SIZE as u64;
    store.commit(&keep((1..=size).map(|n| mail(n, None)))).await.expect("mails");
    store.commit(&keep([mail(size + 1, None)])).await.expect("one more");
    store.commit(&keep([mail(size + 2, None)])).await.expect("one more");
    let kept = store.kept_mails(1000).await.expect("a read");
    assert_eq!(kept.len(), MAILBOX_SIZE);
    assert_eq!((kept[0].id, kept[MAILBOX_SIZE - 1].id), (delivery_id(size + 2), delivery_id(3)));
}
