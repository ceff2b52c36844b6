//! A host brings a channel of its own beside mail: whom it reaches, what it sends, and how it says what went wrong.
//!
//! `cargo run --example custom_channel`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc};

use serde::{Deserialize, Serialize};
use taskflow::notice::{CustomNotice, NoticePolicy, NoticeType};
use taskflow::ports::Accepted;
use taskflow::testing::ManualClock;
use taskflow::{
    App, Channel, ChannelBatch, ChannelKind, MemoryStore, PreparedBatch, Priority, Recipient, SendError, StoreError,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Deployed {}

impl NoticeType for Deployed {
    const KIND: &'static str = "deployed";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Task);
}

impl CustomNotice for Deployed {
    fn subject(&self) -> String {
        "The new release is out".to_owned()
    }
    fn text(&self) -> String {
        "Have a look.".to_owned()
    }
}

const CHAT: ChannelKind = ChannelKind::new("chat");

struct Chat;

impl Channel for Chat {
    type Message = String;
    fn kind(&self) -> ChannelKind {
        CHAT
    }
    async fn prepare(&self, batch: ChannelBatch<'_>) -> Result<PreparedBatch<'_, String>, StoreError> {
        let mut prepared = PreparedBatch::default();
        for (claimed, checked) in batch.check().await? {
            match checked {
                Ok(notice) => prepared.send(claimed, notice.content.subject),
                Err(outcome) => prepared.settle(claimed, outcome),
            }
        }
        Ok(prepared)
    }
    async fn send(&self, message: &String) -> Result<Accepted, SendError> {
        println!("chat: {message}");
        Ok(Accepted { reply: "posted".to_owned() })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let now = "2026-03-28T09:00:00Z".parse()?;
    let app = App::builder(Arc::new(MemoryStore::new())).clock(Arc::new(ManualClock::at(now)));
    let app = app.notice::<Deployed>().channel(Chat).build();
    let ada = Recipient::Address("ada@example.org".parse()?);
    app.notify_on(CHAT, ada, &Deployed {}, now, "2.0").await?;
    app.outbox().deliver_due().await?;
    println!("delivered: {}", app.deliveries().ledgers().await?[&CHAT].delivered);
    Ok(())
}
