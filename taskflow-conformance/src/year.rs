//! A year of meetings at random, the clock jumping to the next due instant: each reminder that should be mailed is mailed
//! exactly once, within its minute, and no other.

pub(super) mod chance;
mod deeds;
mod expectation;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use deeds::Player;
use expectation::{Reminder, expected};
use taskflow_core::notice::MeetingReminderContent;
use taskflow_core::notice::MeetingReminderNotice;
use taskflow_core::ports::{Clock, RenderError, Renderer, Storage};
use taskflow_core::{App, Content, Notice, RenderInput, Timestamp};

use super::{ManualClock, PlainLinks, RecordingMailer, SequentialIds};

/// Maximum deviation of a reminder.
const MINUTE: Duration = Duration::from_mins(1);

/// Results of a simulated year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct YearReport {
    /// Things done to meetings.
    pub deeds: usize,
    /// Reminders mailed, each as it was expected.
    pub reminders: usize,
    /// Mails of any kind.
    pub mails: usize,
    /// Times the clock was turned.
    pub instants: usize,
}

/// Lets that many people in 40 zones, and a fifth as many guests, call that many meetings in the course of 2026 and do
/// with them what people do: move, move back, cancel, restore, decline, accept, invite, take off, leave, choose their own
/// reminders, delete their accounts. The store must be empty.
///
/// The same seed is the same year. Panics, naming the seed, the reminder and what was done to its meeting, when one is
/// missing, doubled, mailed at another time or to nobody's wish.
pub async fn simulate(storage: Arc<dyn Storage>, people: usize, meetings: usize, seed: u64) -> YearReport {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let (clock, mailer) = (Arc::new(ManualClock::at(begin)), Arc::new(RecordingMailer::new()));
    let app = App::builder(storage.clone())
        .clock(clock.clone())
        .ids(Arc::new(SequentialIds::new()))
        .mailer(mailer.clone())
        .renderer(Arc::new(FactRenderer))
        .links(Arc::new(PlainLinks))
        .build();
    let mut year =
        Year { storage, app: &app, clock, mailer, mailed: BTreeMap::new(), report: YearReport::default(), seed };
    let mut player = Player::new(&app, year.clock.clone(), people, meetings, seed).await;
    while let Some(at) = player.next_at() {
        year.live_until(at).await;
        player.act().await;
        year.send(&player).await;
    }
    year.live_until(Timestamp::MAX).await;
    year.judge(&player).await
}

struct Year<'a> {
    storage: Arc<dyn Storage>,
    app: &'a App,
    clock: Arc<ManualClock>,
    mailer: Arc<RecordingMailer>,
    mailed: BTreeMap<Reminder, Timestamp>,
    report: YearReport,
    seed: u64,
}

impl Year<'_> {
    /// Sends everything as it comes due until then, which is the time afterwards; the end of time stays ahead.
    async fn live_until(&mut self, until: Timestamp) {
        loop {
            let next_at =
                self.app.outbox().backlog().await.expect("a read").next_at.filter(|next_at| *next_at <= until);
            let Some(next_at) = next_at else {
                if until < Timestamp::MAX {
                    self.clock.set(until);
                }
                return;
            };
            self.clock.set(next_at.max(self.clock.now()));
            self.deliver().await;
        }
    }

    async fn send(&mut self, player: &Player<'_>) {
        self.deliver().await;
        self.report.deeds = player.deeds().len();
    }

    async fn deliver(&mut self) {
        self.report.instants += 1;
        self.app.outbox().deliver_due().await.expect("a step");
        for mail in self.mailer.take() {
            self.report.mails += 1;
            let Some(facts) = mail.content.subject.strip_prefix("reminder ") else { continue };
            let (delivery, _) = self.storage.delivery(mail.id).await.expect("a read").expect("what was sent");
            let Ok(Notice::MeetingReminder(MeetingReminderNotice { meeting, participant, starts_at, minutes, .. })) =
                delivery.notice
            else {
                panic!("seed {}: {mail:?} comes from {:?}", self.seed, delivery.notice);
            };
            // What the reader sees is what was planned.
            assert_eq!(facts, format!("{meeting} {participant} {starts_at}"), "seed {}", self.seed);
            let minutes = minutes.expect("nobody reminds by hand");
            let reminder = Reminder { meeting, starts_at, who: mail.to.address.to_string(), minutes };
            let now = self.clock.now();
            let before = self.mailed.insert(reminder.clone(), now);
            assert_eq!(before, None, "seed {}: {reminder:?} is mailed again at {now}", self.seed);
        }
    }

    /// Compares what was mailed with what should have been.
    async fn judge(mut self, player: &Player<'_>) -> YearReport {
        let expected = expected(player.deeds(), self.clock.now());
        let mut wrong = String::new();
        let mut complain = |reminder: &Reminder, what: &str| {
            let _always_fits = writeln!(wrong, "{reminder:?}: {what}");
            for deed in player.deeds().iter().filter(|deed| deed.meeting == reminder.meeting) {
                let _always_fits = writeln!(wrong, "    {} {:?}", deed.at, deed.what);
            }
        };
        for (reminder, at) in &expected {
            match self.mailed.get(reminder) {
                Some(sent) if (*at..*at + MINUTE).contains(sent) => {}
                Some(sent) => complain(reminder, &format!("mailed at {sent} instead of {at}")),
                None => complain(reminder, &format!("not mailed; expected at {at}")),
            }
        }
        for (reminder, sent) in self.mailed.iter().filter(|(reminder, _)| !expected.contains_key(reminder)) {
            complain(reminder, &format!("mailed at {sent} and not expected"));
        }
        assert!(wrong.is_empty(), "seed {}:\n{wrong}", self.seed);
        let ledger = self.app.deliveries().ledger().await.expect("a ledger");
        assert!(ledger.balances() && ledger.due == 0, "seed {}: {ledger:?}", self.seed);
        self.report.reminders = self.mailed.len();
        self.report
    }
}

/// Writes the facts to check of a reminder, and the kind of other mail.
struct FactRenderer;

impl Renderer for FactRenderer {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        let subject = match input.content.downcast_ref::<MeetingReminderContent>() {
            Some(MeetingReminderContent { invitation, .. }) => {
                let (meeting, participant) = (&invitation.meeting, &invitation.participant);
                format!("reminder {} {} {}", meeting.id, participant.id, meeting.starts_at)
            }
            None => input.content.kind().to_string(),
        };
        Ok(Content { subject, text: String::new(), html: None })
    }
}
