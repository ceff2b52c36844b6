//! Notices that a host defines.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow_core::notice::{CustomCheck, CustomKind, CustomNotice, NoticePolicy, NoticeType};
use taskflow_core::ports::{ClaimRequest, DeliveryQuery, RenderError, Renderer};
use taskflow_core::{
    Actor, AppBuilder, ChannelKind, Content, DeliveryState, Mailbox, NoticeKind, Precondition, PreferencesChange,
    Priority, Recipient, RenderInput, Timestamp, UserId,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{lease, noon};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct InvoiceDue {
    number: u32,
    paid: bool,
}

impl NoticeType for InvoiceDue {
    const KIND: &'static str = "invoice_due";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Task);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(1))
    }
}

impl CustomNotice for InvoiceDue {
    fn subject(&self) -> String {
        format!("Invoice {} is due", self.number)
    }

    fn text(&self) -> String {
        "Please pay it.".to_owned()
    }

    fn thread(&self) -> Option<String> {
        Some(self.number.to_string())
    }

    fn reply_to(&self) -> Option<Mailbox> {
        Some(Mailbox { name: None, address: "accounting@example.org".parse().expect("an address") })
    }

    fn open_url(&self) -> Option<String> {
        Some(format!("https://shop.example.org/invoices/{}", self.number))
    }

    fn check(&self, context: &CustomCheck<'_>) -> Result<(), String> {
        assert!(context.user.is_some() && context.due_at <= context.now);
        if self.paid { Err("it is paid".to_owned()) } else { Ok(()) }
    }
}

/// Writes the page that the mail links to.
struct OpenPage;

impl Renderer for OpenPage {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        let subject = input.links.open.clone().unwrap_or_default();
        Ok(Content { subject, text: String::new(), html: None })
    }
}

const HOUR: Duration = Duration::from_hours(1);

async fn plan(world: &World, user: UserId, number: u32, paid: bool, due_at: Timestamp) {
    let notice = InvoiceDue { number, paid };
    world.app.notify(Recipient::User(user), &notice, due_at, &number.to_string()).await.expect("planned");
}

pub(super) async fn a_notice_of_a_host_is_sent_once_unless_it_is_unwanted_or_late(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, AppBuilder::notice::<InvoiceDue>);
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let kind = NoticeKind::from(CustomKind::register::<InvoiceDue>());
    assert_eq!("invoice_due".parse(), Ok(kind));

    for _ in 0..2 {
        plan(&world, ada, 1, false, noon() + HOUR).await;
    }
    plan(&world, ada, 2, true, noon() + HOUR).await;
    plan(&world, ada, 3, false, noon() - HOUR).await;
    assert_eq!(world.told().await, [""; 0], "one is not due, and one is too late");
    assert_eq!(world.subjects_at(noon() + HOUR).await, ["Invoice 1 is due"]);

    let off = PreferencesChange::without(kind);
    world.app.accounts().change_preferences(Actor::User(bob), &off, Precondition::Any).await.expect("switched off");
    plan(&world, bob, 4, false, noon() + HOUR).await;
    assert_eq!(world.told().await, [""; 0], "bob wants none");
    let on = PreferencesChange { kinds: [(kind, true)].into(), ..PreferencesChange::default() };
    let bob_now =
        world.app.accounts().change_preferences(Actor::User(bob), &on, Precondition::Any).await.expect("switched on");
    assert!(
        world
            .storage
            .user(bob)
            .await
            .expect("a read")
            .is_some_and(|user| user == bob_now && user.preferences.wants(kind))
    );

    let query = DeliveryQuery { kinds: vec![kind], ..DeliveryQuery::default() };
    let mut rows = world.storage.deliveries(&query, None, 9).await.expect("a page");
    rows.sort_by_key(|row| row.dedupe_key.clone());
    let states: Vec<_> = rows.iter().map(|row| (row.dedupe_key.as_str(), row.state)).collect();
    assert_eq!(
        states,
        [
            ("invoice_due/1", DeliveryState::Delivered),
            ("invoice_due/2", DeliveryState::Cancelled),
            ("invoice_due/3", DeliveryState::Expired),
            ("invoice_due/4", DeliveryState::Cancelled),
        ]
    );
    assert_eq!(rows[1].reason, "it is paid");
    let stored = serde_json::to_string(rows[0].notice.as_ref().expect("readable")).expect("JSON");
    assert_eq!(stored, r#"{"kind":"invoice_due","number":1,"paid":false}"#);
    assert!(world.storage.ledger().await.expect("counts").balances());
}

pub(super) async fn a_notice_of_a_host_has_a_thread_a_reply_address_and_a_page(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.notice::<InvoiceDue>().renderer(Arc::new(OpenPage)));
    let ada = world.somebody("ada").await;
    plan(&world, ada, 1, false, noon()).await;
    world.deliver().await;
    let mail = world.mailer.take().pop().expect("a mail");
    assert_eq!(mail.content.subject, "https://shop.example.org/invoices/1");
    assert_eq!(mail.headers.thread.as_deref(), Some("invoice-due-1"));
    assert_eq!(mail.headers.reply_to.expect("an address").address.as_str(), "accounting@example.org");
}

pub(super) async fn a_notice_that_this_process_does_not_send_is_kept_and_counted(open: Arc<dyn OpenStore>) {
    let host = World::building(&*open, AppBuilder::notice::<InvoiceDue>);
    let ada = host.somebody("ada").await;
    plan(&host, ada, 1, false, noon()).await;
    let other = World::new(&*open);
    assert_eq!(other.told().await, [""; 0]);
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 9,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_mins(1),
    };
    assert_eq!(other.storage.claim(&request).await.expect("a claim"), []);
    let ledger = other.storage.ledger().await.expect("counts");
    assert!(ledger.due == 1 && ledger.balances(), "{ledger:?}");
    assert_eq!(host.told().await, ["ada: Invoice 1 is due"]);
}
