//! One run: makes the people, plans, sends, and reads the ledger.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::crowd::Crowd;
use super::machine::Made;
use super::plan::plan;
use super::progress::Progress;
use super::report::{Report, per_second, seconds};
use super::sink::Sink;
use super::{history, memory};
use crate::cli::failure::Failure;
use crate::wiring::Opened;

/// People who are made in one commit: few, since what that takes of memory is not always given back before the run.
const PAGE: u64 = 250;

/// Interval at which a progress bar is updated.
const BEAT: Duration = Duration::from_millis(200);

/// Time to wait for mail that the relay could not accept when it was offered. Refused mail is retried later than that,
/// and is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// After so many steps in a row in which the relay took nothing it is given up.
const MOST_FAILURES: u32 = 5;

/// The parameters of a run.
pub(super) struct Run<'a> {
    /// Number of users that get a mail.
    pub(super) users: u64,
    /// `sqlite` or `postgres`.
    pub(super) database: &'static str,
    /// To the relay.
    pub(super) connections: usize,
    /// The relay of this process, if mail goes there.
    pub(super) sink: Option<&'a Sink>,
    /// Description of the relay, for readers of the figures.
    pub(super) relay: String,
    /// Rate that another sender reached with the same relay, in mails per second.
    pub(super) yardstick: Option<f64>,
    /// Environment of the run.
    pub(super) made: Made,
}

impl Run<'_> {
    /// Makes it, in an empty database.
    pub(super) async fn measure(self, opened: &Opened) -> Result<Report, Failure> {
        memory::forget_peak();
        let taken_before = self.taken();
        let clock = opened.clock.as_ref();
        let crowd = Crowd::new(clock.now())?;
        let began = clock.monotonic();
        self.seed(&crowd, opened).await?;

        let memory = memory::Watch::start();
        let (seeded, seeded_at) = (clock.monotonic(), clock.now());
        let progress = Progress::of("planning", self.users);
        plan(&opened.app, &progress).await?;
        drop(progress);
        let all_planned = clock.monotonic();

        let progress = Progress::of("sending", self.users);
        tokio::select! {
            sent = send(opened) => sent?,
            never = self.watch(taken_before, &progress), if Progress::is_seen() => match never {},
        }
        drop(progress);
        let all_sent = clock.monotonic();

        // What follows is no part of the run.
        let (peak_rss_mb, memory) = (memory::peak_mb(), memory.stop());
        let (over_at, wall) = (clock.now(), all_sent - seeded);
        let ledger =
            opened.app.deliveries().ledger().await.map_err(|error| Failure::of("cannot read the ledger", &error))?;
        let (mut history, lateness_s) = history::read(&opened.app, seeded_at, wall).await?;
        history.memory_mb = memory.by_parts(history.planned.len());
        let taken = self.sink.map(|_| self.taken() - taken_before);
        Ok(Report {
            users: self.users,
            planned: ledger.planned,
            planned_per_s: per_second(ledger.planned, all_planned - seeded),
            sent: ledger.delivered,
            sent_per_s: per_second(ledger.delivered, all_sent - all_planned),
            wall_s: seconds(wall),
            peak_rss_mb,
            ledger: ledger.into(),
            database: self.database.to_owned(),
            connections: self.connections,
            taken,
            mail_octets: self.sink.and_then(|sink| sink.counts().mean_octets()),
            sink: self.relay,
            seeded_s: seconds(seeded - began),
            yardstick_per_s: self.yardstick,
            lateness_s,
            history,
            made: self.made.over_at(over_at),
        })
    }

    /// Makes the people, a page at a time.
    async fn seed(&self, crowd: &Crowd, opened: &Opened) -> Result<(), Failure> {
        let progress = Progress::of("seeding", self.users);
        let mut next = 0;
        while next < self.users {
            let end = self.users.min(next + PAGE);
            let committed = opened.store().commit(&crowd.page(next..end)?).await;
            committed.map_err(|error| Failure::of("cannot make people", &error))?;
            next = end;
            progress.at(next);
        }
        Ok(())
    }

    /// Mails that the relay of this process has taken so far.
    fn taken(&self) -> u64 {
        self.sink.map_or(0, |sink| sink.counts().mails())
    }

    /// Moves the bar to what the relay of this process has taken; no other is asked while it works.
    async fn watch(&self, taken_before: u64, progress: &Progress) -> Infallible {
        loop {
            sleep(BEAT).await;
            progress.at(self.taken() - taken_before);
        }
    }
}

/// Takes the delivery step until nothing is left that leaves soon.
async fn send(opened: &Opened) -> Result<(), Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::of("cannot send", error);
    let mut failures = 0;
    loop {
        // In a task of its own, as the loop of a server does, and not beside the threads that it needs.
        let app = Arc::clone(&opened.app);
        let step = AbortOnDropHandle::new(tokio::spawn(async move { app.outbox().deliver_due().await }));
        let report = step.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        failures = if report.relay.is_some() && report.delivered == 0 { failures + 1 } else { 0 };
        if let Some(cause) = report.relay.filter(|_| failures == MOST_FAILURES) {
            return Err(Failure::new(format!("the relay takes no mail: {cause}")));
        }
        let backlog = opened.app.outbox().backlog().await.map_err(|error| failed(&error))?;
        let Some(next_at) = backlog.next_at else { return Ok(()) };
        let wait = next_at.since(opened.clock.now());
        if wait > PATIENCE {
            return Ok(());
        }
        sleep(wait.max(Duration::from_millis(10))).await;
    }
}
