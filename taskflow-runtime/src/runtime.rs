use std::sync::Arc;
use std::time::Duration;

use taskflow_core::App;
use taskflow_core::ports::{Clock, EventBus, SystemClock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{ClusterMember, JobRunner, Live, SchedulerPulse, Worker};

/// The longest time between two looks for due mail and jobs, unless the host chooses another.
const TICK: Duration = Duration::from_secs(1);
/// The longest time that a node may take to leave the cluster.
const LEAVING: Duration = Duration::from_secs(1);

/// The loops around one [`App`], running.
///
/// Dropping it stops the loops without waiting for them; [`shutdown`](Self::shutdown) waits. Stopping drains the `App`,
/// which sends no mail afterwards.
#[derive(Debug)]
pub struct Runtime {
    app: Arc<App>,
    stop: CancellationToken,
    /// The loops that must end before this node gives up its share of the mail rate.
    loops: Vec<(&'static str, JoinHandle<()>)>,
    live: Option<Arc<Live>>,
    leave: CancellationToken,
    member: Option<JoinHandle<()>>,
}

/// Settings of a [`Runtime`] before it starts.
#[must_use = "nothing runs until it is started"]
pub struct RuntimeBuilder {
    app: Arc<App>,
    bus: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    tick: Duration,
    sends_mail: bool,
    runs_jobs: bool,
    pulse: SchedulerPulse,
    member: Option<ClusterMember>,
    live: Option<Arc<Live>>,
}

impl Runtime {
    /// Starts the delivery loop and the job runner of `app` with default settings. `bus` is the one that the `App` was
    /// built with: mail leaves as soon as it is planned.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "dropping it stops the loops"]
    pub fn start(app: Arc<App>, bus: Arc<dyn EventBus>) -> Self {
        Self::builder(app, bus).start()
    }

    /// Returns the default settings, to be changed before the start.
    pub fn builder(app: Arc<App>, bus: Arc<dyn EventBus>) -> RuntimeBuilder {
        RuntimeBuilder {
            app,
            bus,
            clock: Arc::new(SystemClock::new()),
            tick: TICK,
            sends_mail: true,
            runs_jobs: true,
            pulse: SchedulerPulse::default(),
            member: None,
            live: None,
        }
    }

    /// Begins no further step and ends steps under way at their next safe point. Returns at once; may be called again.
    pub fn stop(&self) {
        self.stop.cancel();
        self.app.outbox().drain();
    }

    /// Waits until the loops have ended after [`stop`](Self::stop) and live connections are closed. Heartbeats go on, so
    /// that this node keeps its share of the mail rate. May be dropped and called again.
    pub async fn settled(&mut self) {
        if let Some(live) = &self.live {
            live.close().await;
        }
        while let Some((name, running)) = self.loops.last_mut() {
            if running.await.is_err() {
                tracing::error!(name, "a background loop had ended with a panic");
            }
            self.loops.pop();
        }
    }

    /// Stops, waits up to `grace` for mail and job pages under way, and leaves the cluster. Returns whether everything
    /// ended in time; what did not is left to its lease, and another step or node takes it over.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.stop();
        let in_time = tokio::time::timeout(grace, self.settled()).await.is_ok();
        // Not before mail under way has used this node's share.
        self.leave.cancel();
        if let Some(member) = self.member.take()
            && matches!(tokio::time::timeout(LEAVING, member).await, Ok(Err(_)))
        {
            tracing::error!("the heartbeat had ended with a panic");
        }
        in_time
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop();
        self.leave.cancel();
    }
}

impl RuntimeBuilder {
    /// Uses this clock for planned times; the system's by default.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Looks for due mail and jobs at least this often; every second by default.
    pub fn tick(self, tick: Duration) -> Self {
        Self { tick, ..self }
    }

    /// Sends no mail: it stays in the outbox, for another process or a later start.
    pub fn without_delivery(self) -> Self {
        Self { sends_mail: false, ..self }
    }

    /// Runs no jobs: another process on the same store runs them.
    pub fn without_jobs(self) -> Self {
        Self { runs_jobs: false, ..self }
    }

    /// Records in `pulse` when jobs were last looked for, for a health check.
    pub fn pulse(self, pulse: SchedulerPulse) -> Self {
        Self { pulse, ..self }
    }

    /// Takes part in a cluster and sends only within this node's share of the mail rate.
    pub fn member(self, member: ClusterMember) -> Self {
        Self { member: Some(member), ..self }
    }

    /// Hands feed entries to the connections of this registry and closes them at the end.
    pub fn live(self, live: Arc<Live>) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Starts the loops.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "dropping it stops the loops"]
    pub fn start(self) -> Runtime {
        let (stop, leave) = (CancellationToken::new(), CancellationToken::new());
        let mut loops = Vec::new();
        if self.sends_mail {
            let mut worker = Worker::new(Arc::clone(&self.app), self.clock, self.tick);
            if let Some(member) = &self.member {
                worker = worker.while_allowed(member.may_send());
            }
            loops.push(("delivery", tokio::spawn(worker.run(self.bus, stop.clone()))));
        }
        if self.runs_jobs {
            let jobs = JobRunner::new(Arc::clone(&self.app), self.tick, self.pulse);
            loops.push(("jobs", tokio::spawn(jobs.run(stop.clone()))));
        }
        if let Some(live) = &self.live {
            loops.push(("live", tokio::spawn(Arc::clone(live).run())));
        }
        let member = self.member.map(|member| tokio::spawn(member.run(leave.clone())));
        Runtime { app: self.app, stop, loops, live: self.live, leave, member }
    }
}

impl std::fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeBuilder").field("tick", &self.tick).finish_non_exhaustive()
    }
}
