//! A host brings a notice of its own: its data, its policy, how long it is of use, and its words.
//!
//! `cargo run --example custom_notice`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use taskflow::notice::{CustomNotice, NoticePolicy, NoticeType};
use taskflow::testing::{ManualClock, RecordingMailer};
use taskflow::{App, MemoryStore, Priority, Recipient, Timestamp};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct InvoiceDue {
    number: u32,
}

impl NoticeType for InvoiceDue {
    const KIND: &'static str = "invoice_due";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Task);
    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(72))
    }
}

impl CustomNotice for InvoiceDue {
    fn subject(&self) -> String {
        format!("Invoice {} is due", self.number)
    }
    fn text(&self) -> String {
        format!("Please pay invoice {} within three days.", self.number)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::at("2026-03-27T09:00:00Z".parse()?));
    let mailer = Arc::new(RecordingMailer::new());
    let store = Arc::new(MemoryStore::new());
    let app = App::builder(store).notice::<InvoiceDue>().clock(clock.clone()).mailer(mailer.clone()).build();
    let ada = Recipient::Address("ada@example.org".parse()?);
    app.notify(ada, &InvoiceDue { number: 17 }, "2026-03-28T09:00:00Z".parse()?, "17").await?;
    clock.set("2026-03-28T09:00:00Z".parse()?);
    app.outbox().deliver_due().await?;
    for mail in mailer.mails() {
        println!("{}: {}\n{}", mail.to.address, mail.content.subject, mail.content.text);
    }
    Ok(())
}
