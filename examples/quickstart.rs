//! One person, one task, one reminder: everything in memory, with a clock that is turned by hand.
//!
//! `cargo run --example quickstart`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use taskflow::testing::{ManualClock, RecordingMailer};
use taskflow::{Actor, App, MemoryStore, NewTask, NewUser, ReminderMinutes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::at("2026-03-27T09:00:00Z".parse()?));
    let mailer = Arc::new(RecordingMailer::new());
    let app = App::builder(Arc::new(MemoryStore::new())).clock(clock.clone()).mailer(mailer.clone()).build();

    let ada = NewUser {
        username: "ada".parse()?,
        email: "ada@example.org".parse()?,
        time_zone: Some("Europe/Berlin".parse()?),
        locale: None,
        is_admin: false,
    };
    let ada = app.accounts().register(ada, None).await?;
    let task = NewTask {
        due_at: Some("2026-03-29T08:00:00Z".parse()?),
        reminder_minutes: Some(ReminderMinutes::new(15)?),
        ..NewTask::titled("Change the clocks".parse()?)
    };
    app.tasks().create(Actor::User(ada.id), task).await?;

    app.outbox().deliver_due().await?; // The welcome leaves at once.
    clock.set("2026-03-29T07:45:00Z".parse()?);
    app.outbox().deliver_due().await?; // The reminder leaves a quarter of an hour before.

    for mail in mailer.mails() {
        println!("{}  to {}: {}", mail.date, mail.to.address, mail.content.subject);
        println!("{}", mail.content.text);
    }
    Ok(())
}
