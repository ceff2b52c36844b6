//! A job of the host: every Thursday everybody is welcomed back, a page of people at a time.
//!
//! `cargo run --example custom_job`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc, time::Duration};

use taskflow::notice::WelcomeNotice;
use taskflow::testing::ManualClock;
use taskflow::{App, CatchUp, Changes, DedupeKey, Job, JobContext, JobName, JobPage, JobPlan, MemoryStore, NewUser};
use taskflow::{Notice, Recipient, Schedule};

struct WelcomeBack;

#[async_trait::async_trait]
impl Job for WelcomeBack {
    fn name(&self) -> JobName {
        JobName::new("welcome_back")
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_hours(7 * 24)), catch_up: CatchUp::Latest }
    }

    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, taskflow::Error> {
        let (run, notice) = (context.run(), Notice::Welcome(WelcomeNotice { token: None }));
        let after = run.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let people = context.app().accounts().list_after(after, context.size()).await?;
        let mails = people.iter().map(|user| {
            // Of one key one mail is sent, however often the page is done.
            let key = DedupeKey::new(format!("welcome-back/{}/{}", run.slot, user.id));
            context.delivery(key, notice.clone(), Recipient::User(user.id), context.now(), "it is Thursday")
        });
        let next = people.last().map(|user| user.id.to_string()); // A page without people is the last one.
        Ok(JobPage::new().commit(Changes::new().deliver(mails)).count("people", people.len() as u64).next(next))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::at("2026-03-27T09:00:00Z".parse()?));
    let app = App::builder(Arc::new(MemoryStore::new())).clock(clock.clone()).job(WelcomeBack).build();
    for name in ["ada", "bob", "cleo"] {
        app.accounts().register(NewUser::new(name.parse()?, format!("{name}@example.org").parse()?), None).await?;
    }
    app.jobs().run_due().await?; // From now on the schedule is followed.
    clock.set("2026-04-02T00:00:30Z".parse()?);
    let run = app.jobs().run(JobName::new("welcome_back")).await?.remove(0).run;
    println!("{} for {}: {} people", run.job, run.slot, run.counts.get("people"));
    println!("{} mails planned", app.deliveries().ledger().await?.planned);
    Ok(())
}
