//! What is measured: a store behind its ports.

use std::sync::Arc;
use std::time::Duration;

use taskflow::mail::Templates;
use taskflow::notice::{DailySummaryContent, DailySummaryNotice};
use taskflow::ports::{
    ClaimRequest, Claimed, Clock, CohortPosition, CohortQuery, DigestQuery, Ids, RandomIds, Renderer, RunLease,
    Settled, Storage, SystemClock,
};
use taskflow::{
    Changes, ChannelKind, CohortTime, Counts, Day, DedupeKey, DeliveryId, Digest, JobName, JobRun, JobWrite,
    LeaseToken, LocalMinute, LocalTimeCohort, NewDelivery, NewTask, NewUser, Notice, NoticeKind, Outcome, Recipient,
    RenderInput, RunId, Settlement, Task, TaskId, TaskWrite, Timestamp, Trigger, User, UserId, UserWrite, Zone,
};

use crate::{PAGE, PEOPLE, READ};

/// A store with people in it, and a run that is held.
pub(crate) struct Ours {
    storage: Arc<dyn Storage>,
    clock: SystemClock,
    ids: RandomIds,
    templates: Templates,
    people: Vec<UserId>,
    cohort: LocalTimeCohort,
    run: RunId,
    lease: RunLease,
}

impl Ours {
    /// Makes the people, each with a task, and a run that is never over.
    pub(crate) async fn new(storage: impl Storage + 'static) -> Self {
        let (clock, ids) = (SystemClock::new(), RandomIds::new());
        let now = clock.now();
        let date = Zone::utc().wall_clock(now).at.date();
        let cohort = LocalTimeCohort {
            zone: Zone::utc(),
            date,
            chosen: (LocalMinute::FIRST, LocalMinute::LAST),
            when: CohortTime::Chosen,
        };
        let lease = RunLease {
            token: LeaseToken::from_uuid(ids.next(now)),
            lasts: Duration::from_hours(1),
            node: "bench".to_owned(),
        };
        let run = run(RunId::from_uuid(ids.next(now)), now);
        let mut ours = Self {
            storage: Arc::new(storage),
            clock,
            ids,
            templates: Templates::new(),
            people: Vec::new(),
            cohort,
            run: run.id,
            lease,
        };
        for first in (0..PEOPLE).step_by(PAGE as usize) {
            ours.make(first..first + PAGE, now).await;
        }
        ours.storage.commit(&Changes::new().write(JobWrite::InsertRun(run))).await.expect("a run");
        ours.storage.claim_run(ours.run, &ours.lease, now).await.expect("a store").expect("a run that is held");
        ours
    }

    async fn make(&mut self, numbers: std::ops::Range<u32>, now: Timestamp) {
        let mut changes = Changes::new();
        for number in numbers {
            let user = UserId::from_uuid(self.ids.next(now));
            let new = NewUser {
                username: format!("person-{number}").parse().expect("a name"),
                email: format!("person-{number}@example.org").parse().expect("an address"),
                time_zone: None,
                locale: None,
                is_admin: false,
            };
            let task = NewTask::titled("Figures of the last quarter".parse().expect("a title"));
            let task = Task::new(TaskId::from_uuid(self.ids.next(now)), user, task, now).expect("a task");
            changes = changes.write(UserWrite::Insert(User::new(user, new, now))).write(TaskWrite::Insert(task));
            self.people.push(user);
        }
        self.storage.commit(&changes).await.expect("people");
    }

    /// Plans a page after `after`, and says where to go on; all of it is due.
    pub(crate) async fn plan(&self, after: Option<CohortPosition>) -> Option<CohortPosition> {
        let date = self.cohort.date;
        let query = CohortQuery {
            cohort: self.cohort.clone(),
            kind: NoticeKind::DailySummary,
            weekday: None,
            day: Some(Day::of(date, &self.cohort.zone)),
        };
        let found = self.storage.recipients(&query, after, PAGE).await.expect("a page");
        assert_eq!(found.people.len(), PAGE as usize);
        let now = self.clock.now();
        let deliveries = found.people.iter().map(|(_, user)| {
            NewDelivery::new(
                DeliveryId::from_uuid(self.ids.next(now)),
                DedupeKey::new(format!("daily-summary/{date}/{user}")),
                Notice::DailySummary(DailySummaryNotice { date }),
                Recipient::User(*user),
                now,
            )
            .because("it was time for the daily summary")
        });
        let advance = JobWrite::AdvanceRun {
            id: self.run,
            lease: self.lease.clone(),
            cursor: format!("{:?}", found.next),
            counts: Counts::default(),
        };
        self.storage.commit(&Changes::new().deliver(deliveries).write(advance)).await.expect("planned");
        found.next
    }

    /// Takes a page of what is due.
    pub(crate) async fn claim(&self) -> Vec<Claimed> {
        let now = self.clock.now();
        let request = ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: PAGE,
            now,
            lease: LeaseToken::from_uuid(self.ids.next(now)),
            lease_for: Duration::from_secs(120),
        };
        let claimed = self.storage.claim(&request).await.expect("claimed");
        assert_eq!(claimed.len(), PAGE as usize);
        claimed
    }

    /// Writes that all of it was delivered.
    pub(crate) async fn settle(&self, held: Vec<Claimed>) {
        let at = self.clock.now();
        let settled = |claim: Claimed| Settlement {
            id: claim.delivery.id,
            lease: claim.lease,
            at,
            outcome: Outcome::Delivered { reply: "250 2.0.0 queued".to_owned() },
            effect: None,
        };
        let settlements: Vec<_> = held.into_iter().map(settled).collect();
        let settled = self.storage.settle(&settlements).await.expect("settled");
        assert!(settled.iter().all(|settled| *settled == Settled::Applied));
    }

    /// What there is to tell the first people.
    pub(crate) async fn digests(&self) -> Vec<Digest> {
        let (date, day) = (self.cohort.date, Day::of(self.cohort.date, &self.cohort.zone));
        let query = |user: &UserId| DigestQuery { user_id: *user, date, now: self.clock.now(), day, whole: true };
        let queries: Vec<_> = self.people.iter().take(READ as usize).map(query).collect();
        let digests = self.storage.digests(&queries).await.expect("digests");
        digests.into_iter().map(|digest| digest.expect("a digest")).collect()
    }

    /// Finds the words of each, and counts their octets.
    pub(crate) fn render(&self, digests: &[Digest]) -> usize {
        let mail = |digest: &Digest| {
            let input = RenderInput {
                name: "Ada".to_owned(),
                locale: "en".parse().expect("a locale"),
                zone: self.cohort.zone.clone(),
                date: self.clock.now(),
                public_url: Some("https://tasks.example.org".to_owned()),
                unsubscribe_url: Some("https://tasks.example.org/u/bench".to_owned()),
                links: taskflow_core::MailLinks::default(),
                content: Box::new(DailySummaryContent(digest.clone())),
            };
            let content = self.templates.render(&input).expect("words");
            content.text.len() + content.html.map_or(0, |html| html.len())
        };
        digests.iter().map(mail).sum()
    }
}

fn run(id: RunId, now: Timestamp) -> JobRun {
    JobRun {
        id,
        job: JobName::DAILY_SUMMARIES,
        slot: now,
        since: now,
        trigger: Trigger::Now,
        dry_run: false,
        created_at: now,
        started_at: None,
        finished_at: None,
        node: None,
        tries: 0,
        cursor: None,
        counts: Counts::default(),
        error: None,
    }
}
