//! The builder of an application: its ports and settings.

use std::sync::Arc;
use std::time::Duration;

use super::{App, AppBuilder, Job, Jobs, Sending, shipped_jobs};
use crate::ports::{
    Accounts, Bounces, Calendar, Clock, CohortScan, EventBus, Ids, JobStore, Links, Mailer, Maintenance, Nodes, Outbox,
    Probe, Renderer,
};
use crate::{ClockCheck, EmailAddress};

impl AppBuilder {
    /// Sets the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.app.clock = clock;
        self
    }

    /// Compares the clock with the store's: while it is wrong nothing is sent, no job begins, and no token is issued or
    /// accepted. [`Membership`](crate::Membership) measures with every heartbeat. Without it the clock is trusted.
    pub fn clock_check(mut self, check: Arc<ClockCheck>) -> Self {
        self.app.clock_check = Some(check);
        self
    }

    /// Sets the source of new ids.
    pub fn ids(mut self, ids: Arc<dyn Ids>) -> Self {
        self.app.ids = ids;
        self
    }

    /// Sets the port for passwords, sessions and tokens.
    pub fn accounts(mut self, accounts: Arc<dyn Accounts>) -> Self {
        self.app.accounts = Some(accounts);
        self
    }

    /// Sets the port that scheduled jobs need.
    pub fn job_store(mut self, job_store: Arc<dyn JobStore>) -> Self {
        self.app.job_store = Some(job_store);
        self
    }

    /// Sets the port by which processes that share a store know each other.
    pub fn nodes(mut self, nodes: Arc<dyn Nodes>) -> Self {
        self.app.nodes = Some(nodes);
        self
    }

    /// Replaces the queue, for hosts that pace or watch it.
    pub fn outbox(mut self, outbox: Arc<dyn Outbox>) -> Self {
        self.app.outbox = outbox;
        self
    }

    /// Sets the port that finds users for summaries and task reminders.
    pub fn sweeps(mut self, sweeps: Arc<dyn CohortScan>) -> Self {
        self.app.cohort_scan = Some(sweeps);
        self
    }

    /// Sets the port for cleanup and statistics.
    pub fn upkeep(mut self, upkeep: Arc<dyn Maintenance>) -> Self {
        self.app.maintenance = Some(upkeep);
        self
    }

    /// Sets the mailer. Without one, mail waits in the outbox.
    pub fn mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        self.app.mailer = Some(mailer);
        self
    }

    /// Sets the renderer, which writes the content of mail.
    pub fn renderer(mut self, renderer: Arc<dyn Renderer>) -> Self {
        self.app.renderer = renderer;
        self
    }

    /// Sets the port that writes calendar entries and reads calendar replies. Without it, invitations are plain mail
    /// without a calendar entry.
    pub fn calendar(mut self, calendar: Arc<dyn Calendar>) -> Self {
        self.app.calendar = Some(calendar);
        self
    }

    /// Sets the port that reads bounces and other reports about mail.
    pub fn bounces(mut self, bounces: Arc<dyn Bounces>) -> Self {
        self.app.bounces = Some(bounces);
        self
    }

    /// Sets the port that signs links which work without signing in. Without it, mail contains no such links.
    pub fn links(mut self, links: Arc<dyn Links>) -> Self {
        self.app.links = Some(links);
        self
    }

    /// Sets the debounce window for changes of a meeting; default one minute, at most
    /// [`LONGEST`](crate::DebounceWindow::LONGEST).
    pub fn change_quiet(mut self, quiet: Duration) -> Self {
        self.app.change_quiet = quiet;
        self
    }

    /// Whether accounts get mail only at an address that they have verified: until then they get what is for security, as
    /// the mail to verify it, and nothing else. Not required unless told.
    pub fn require_verified_email(mut self, required: bool) -> Self {
        self.app.require_verified_email = required;
        self
    }

    /// Sets the address of the service. It stands for organizers whose own address is not verified: in invitations, in
    /// calendars and for replies. Without one their own address does.
    pub fn service_address(mut self, address: EmailAddress) -> Self {
        self.app.service_address = Some(address);
        self
    }

    /// How long an organizer waits before they can remind the same person of the same meeting by hand again; not at all
    /// unless told.
    pub fn reminder_cooldown(mut self, cooldown: Duration) -> Self {
        self.app.reminder_cooldown = cooldown;
        self
    }

    /// Who is told what was committed.
    pub fn bus(mut self, bus: Arc<dyn EventBus>) -> Self {
        self.app.bus = bus;
        self
    }

    /// Sets the public URL of the service, for links in mail; a trailing slash is removed.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.app.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// Sets how mail is sent.
    pub fn sending(mut self, sending: Sending) -> Self {
        self.app.sending = sending;
        self
    }

    /// Sets the schedules of the jobs and the settings they run with.
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.app.jobs = jobs;
        self
    }

    /// Registers a job of the host. It follows its default plan unless [`jobs`](Self::jobs) has a plan for it. A job with
    /// the name of one that is registered already takes its place.
    pub fn job(mut self, job: impl Job + 'static) -> Self {
        self.app.own_jobs.retain(|own| own.name() != job.name());
        self.app.own_jobs.push(Box::new(job));
        self
    }

    /// Sets the probe that server monitoring uses to check the machine. Without it, only the store and the mail are
    /// monitored.
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.app.probe = Some(probe);
        self
    }

    /// Sets the lifetime of a session that is not refreshed; default 30 days.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.app.session_lifetime = lifetime;
        self
    }

    /// Builds the app.
    #[must_use]
    pub fn build(mut self) -> App {
        let is_shipped = |name| shipped_jobs().iter().any(|shipped| shipped.name() == name);
        for job in self.app.own_jobs.iter().filter(|job| !is_shipped(job.name())) {
            self.app.jobs.plans.entry(job.name()).or_insert_with(|| job.default_plan());
        }
        self.app
    }
}
