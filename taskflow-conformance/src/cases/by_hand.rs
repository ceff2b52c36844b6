//! Custom emails, and samples of notices.

use std::sync::Arc;

use taskflow_core::{
    AccountStatusChange, Actor, App, CustomEmail, DeliveryId, DeliveryState, EmailAddress, Error, Idempotency,
    Idempotent, NewCustomEmail, NoticeKind, RESPONSE_LIFETIME,
};

use super::app::World;
use crate::OpenStore;

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

fn letter() -> CustomEmail {
    CustomEmail {
        subject: "News".to_owned(),
        text: Some("There is news.".to_owned()),
        html: Some("<p>There is news.</p>".to_owned()),
        to: vec!["ada@example.org".to_owned()],
        cc: vec!["bob@example.org".to_owned()],
        reply_to: Some("desk@example.org".to_owned()),
    }
}

pub(super) async fn a_letter_by_hand_to_three_addresses_is_three_deliveries(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let addresses = ["ada@example.org", "bob@example.org", "eve@example.org", "ADA@example.org"].map(address);
    let new = NewCustomEmail { letter: letter(), addresses: addresses.to_vec() };
    let sent = world.app.mail().send(Actor::System, new.clone()).await.expect("three");
    assert_eq!(sent.len(), 3);
    world.deliver().await;
    let mut mails = world.mailer.take();
    mails.sort_by_key(|mail| sent.iter().position(|id| *id == mail.id));
    let to: Vec<_> = mails.iter().map(|mail| mail.to.address.as_str()).collect();
    assert_eq!(to, ["ada@example.org", "bob@example.org", "eve@example.org"]);
    for mail in &mails {
        // Eve gets a blind copy, and nobody is told of her.
        assert_eq!((mail.content.subject.as_str(), mail.headers.shown_to.len()), ("News", 1));
        assert_eq!(mail.headers.cc[0].address.as_str(), "bob@example.org");
        assert_eq!(mail.headers.reply_to.as_ref().map(|one| one.address.as_str()), Some("desk@example.org"));
        assert_eq!(mail.content.html.as_deref(), Some("<p>There is news.</p>"));
    }
    let empty = CustomEmail { text: None, html: None, ..new.letter.clone() };
    let many = (0..=App::MOST_ADDRESSES).map(|n| address(&format!("user-{n}@example.org"))).collect();
    for bad in [
        NewCustomEmail { addresses: Vec::new(), ..new.clone() },
        NewCustomEmail { addresses: many, ..new.clone() },
        NewCustomEmail { letter: empty, ..new.clone() },
    ] {
        let refused = world.app.mail().send(Actor::System, bad).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let ada = Actor::User(world.somebody("ada").await);
    let refused = world.app.mail().send(ada, new).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
}

pub(super) async fn a_sample_of_every_kind_can_be_looked_at(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    for of in NoticeKind::ALL {
        let sent = world.app.mail().send_sample(ada, of, None).await.expect("planned");
        world.deliver().await;
        let mails = world.mailer.take();
        if of == NoticeKind::Sample {
            let (found, _) = world.storage.delivery(sent[0]).await.expect("a read").expect("a delivery");
            assert_eq!((found.state, mails.len()), (DeliveryState::Cancelled, 0));
            continue;
        }
        assert_eq!((mails.len(), mails[0].id), (1, sent[0]), "{of}");
        let content = &mails[0].content;
        assert!(!content.subject.is_empty() && !content.text.is_empty(), "{of}");
        assert!(!content.subject.contains('\n'), "{of}");
        assert_eq!(mails[0].to.address.as_str(), "ada@example.org");
    }
    let to = address("admin@example.org");
    world.app.mail().send_sample(ada, NoticeKind::ServerAlert, Some(to.clone())).await.expect("planned");
    world.deliver().await;
    assert_eq!(world.mailer.take().remove(0).to.address, to);
}

fn once<'a>(
    fingerprint: &str,
    encode: &'a (dyn Fn(&[DeliveryId]) -> String + Send + Sync),
) -> Idempotency<'a, [DeliveryId]> {
    Idempotency { key: "k".parse().expect("a key"), fingerprint: fingerprint.to_owned(), encode }
}

pub(super) async fn a_repeated_letter_is_sent_once_and_answered_alike(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let [ada, bob] = [world.somebody("ada").await, world.somebody("bob").await];
    let promote = AccountStatusChange { is_admin: Some(true), ..AccountStatusChange::default() };
    world.app.accounts().set_standing(Actor::System, ada, promote).await.expect("promoted");
    let [ada, bob] = [ada, bob].map(Actor::User);
    let encode = |ids: &[DeliveryId]| format!("{ids:?}");
    let news =
        |name: &str| NewCustomEmail { addresses: vec![address(&format!("{name}@example.org"))], letter: letter() };
    let send = |new, fingerprint| world.app.mail().send_once(ada, new, once(fingerprint, &encode));
    let first = send(news("eve"), "f").await.expect("sent");
    let Idempotent::Done(ids) = first else { panic!("{first:?}") };
    assert_eq!(send(news("eve"), "f").await.expect("answered"), Idempotent::Replayed(encode(&ids)));
    let other = send(news("kim"), "g").await;
    assert!(matches!(&other, Err(Error::Invalid(errors)) if errors[0].field == "Idempotency-Key"), "{other:?}");
    let sample = world.app.mail().send_sample_once(ada, NoticeKind::Welcome, None, once("h", &encode)).await;
    assert!(matches!(sample, Err(Error::Invalid(_))), "{sample:?}");
    assert_eq!(world.told().await, ["eve: News"]);

    // Everybody has keys of their own, and nobody learns of what they may not do.
    let refused = world.app.mail().send_once(bob, news("eve"), once("f", &encode)).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    let sample = || world.app.mail().send_sample_once(bob, NoticeKind::Welcome, None, once("s", &encode));
    let results = futures_util::future::join_all((0..5).map(|_| sample())).await;
    let now = results.iter().filter(|result| matches!(result, Ok(Idempotent::Done(_)))).count();
    let before = results.iter().filter(|result| matches!(result, Ok(Idempotent::Replayed(_)))).count();
    assert_eq!((now, before), (1, 4), "{results:?}");
    assert_eq!(world.told().await.len(), 1);
    world.clock.advance(RESPONSE_LIFETIME);
    assert!(matches!(send(news("kim"), "g").await, Ok(Idempotent::Done(_))));
    assert_eq!(world.told().await, ["kim: News"]);
}
