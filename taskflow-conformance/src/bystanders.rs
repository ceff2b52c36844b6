//! Two people on one store: whatever is wrong with a row of the first, the second must not notice.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{DeliveryQuery, Storage};
use taskflow_core::{
    Actor, App, CapturedMail, Changes, Content, Delivery, DeliveryId, Error, Follower, Heartbeat, Invitee, JobName,
    Jobs, MailboxWrite, MeetingId, MeetingQuery, NewMeeting, NewTask, Participant, PasswordHash, Recipient,
    ReminderMinutes, StartsAt, TaskId, TaskQuery, TokenHash, UserId,
};

use crate::sample::{new_user, noon};
use crate::{ManualClock, PlainLinks, RecordingMailer};

/// Ada, whose rows are damaged, and Bob, who has the same of everything.
pub struct Bystanders {
    app: App,
    storage: Arc<dyn Storage>,
    clock: Arc<ManualClock>,
    mailer: Arc<RecordingMailer>,
    ada: Person,
    bob: Person,
}

struct Person {
    id: UserId,
    name: &'static str,
    task: TaskId,
    meeting: MeetingId,
}

impl Bystanders {
    /// Stores a row of each kind, Ada's first.
    pub async fn new(storage: Arc<dyn Storage>) -> Self {
        let (clock, mailer) = (Arc::new(ManualClock::at(noon())), Arc::new(RecordingMailer::new()));
        let app = App::builder(storage.clone()).clock(clock.clone()).mailer(mailer.clone()).links(Arc::new(PlainLinks));
        let app = app.jobs(Jobs::default()).build();
        let ada = Person::new(&app, &*storage, "ada").await;
        let bob = Person::new(&app, &*storage, "bob").await;
        let world = Self { app, storage, clock, mailer, ada, bob };
        for job in world.jobs() {
            world.app.jobs().request_run(Actor::System, job, None, false).await.expect("a run");
            world.app.jobs().run(job).await.expect("a run");
        }
        world.app.outbox().deliver_due().await.expect("a step");
        let _ = world.mailer.take();
        world
    }

    fn jobs(&self) -> Vec<JobName> {
        self.app.jobs().registered().map(taskflow_core::Job::name).collect()
    }

    /// Returns what does not work for Bob and the service, but for a job whose own row is damaged.
    pub async fn complaints(&self, damaged_job: Option<&str>) -> Vec<String> {
        let mut complaints = Vec::new();
        self.reads(&mut complaints).await;
        self.mail(&mut complaints).await;
        self.runs(damaged_job, &mut complaints).await;
        complaints
    }

    async fn reads(&self, complaints: &mut Vec<String>) {
        let Self { app, storage, bob, ada, .. } = self;
        let actor = Actor::User(bob.id);
        let mut check = |what: &str, result: Result<bool, Error>| match result {
            Ok(true) => {}
            Ok(false) => complaints.push(format!("{what}: missing")),
            Err(error) => complaints.push(format!("{what}: {}", text(&error))),
        };
        let users = storage.users(&[ada.id, bob.id]).await;
        check("users", users.map(|found| found.get(&bob.id).is_some_and(Result::is_ok)).map_err(Into::into));
        let all = storage.users_after(None, 9).await;
        check("all users", all.map(|all| all.iter().any(|user| user.id == bob.id)).map_err(Into::into));
        let tasks = app.tasks().list(actor, &TaskQuery::default()).await;
        check("tasks", tasks.map(|page| page.items.iter().any(|task| task.id == bob.task)));
        let meetings = app.meetings().list(actor, &MeetingQuery::default()).await;
        check("meetings", meetings.map(|page| page.items.iter().any(|details| details.meeting.id == bob.meeting)));
        let people = storage.participants(&[ada.meeting, bob.meeting]).await;
        let both = |people: &[Participant]| people.iter().filter(|one| one.meeting_id == bob.meeting).count() == 2;
        check("participants", people.map(|people| both(&people)).map_err(Into::into));
        check("sessions", app.sessions().list(actor).await.map(|sessions| !sessions.is_empty()));
        let ended = storage.ended_sessions(noon() - Duration::from_hours(1)).await;
        check("ended sessions", ended.map(|_| true).map_err(Into::into));
        let feed = app.feed().follow(&[follower(ada.id), follower(bob.id)], 99).await;
        check("feeds", feed.map(|entries| entries.iter().any(|(owner, _)| *owner == bob.id)));
        let suppressed = app.suppressions().list_after(Actor::System, None, 99).await;
        let of_bob = format!("gone-{}@example.org", bob.name);
        check("suppressions", suppressed.map(|all| all.iter().any(|one| one.email.key() == of_bob)));
        let query = DeliveryQuery::default();
        let page = storage.deliveries(&query, None, 200).await;
        let theirs = |all: &[Delivery]| all.iter().any(|one| one.recipient == Recipient::User(bob.id));
        check("deliveries", page.map(|page| theirs(&page)).map_err(Into::into));
        let after = storage.deliveries_after(None, 200).await;
        check("all deliveries", after.map(|page| theirs(&page)).map_err(Into::into));
        let ledger = storage.ledger().await;
        check("the ledger", ledger.map(|ledger| ledger.balances()).map_err(Into::into));
        let mails = storage.kept_mails(9).await;
        let to_bob = |mails: &[CapturedMail]| mails.iter().any(|mail| mail.content.subject == bob.name);
        check("the mailbox", mails.map(|mails| to_bob(&mails)).map_err(Into::into));
        let nodes = app.nodes().list_after(Actor::System, None, 9).await;
        check("nodes", nodes.map(|nodes| nodes.iter().any(|node| node.said.id.as_str() == "bob")));
        check("jobs", app.jobs().list(Actor::System).await.map(|jobs| jobs.len() >= self.jobs().len()));
        check("statistics", app.statistics().of_tasks(actor).await.map(|_| true));
    }

    /// Bob's mail leaves, whatever is claimed beside it.
    async fn mail(&self, complaints: &mut Vec<String>) {
        let address = "bob@example.org".parse().expect("an address");
        // So that no two tokens have one time.
        self.clock.advance(Duration::from_millis(1));
        if let Err(error) = self.app.accounts().forgot_password(&address).await {
            return complaints.push(format!("planning mail: {}", text(&error)));
        }
        if let Err(error) = self.app.outbox().deliver_due().await {
            complaints.push(format!("sending: {}", text(&error)));
        }
        if !self.mailer.take().iter().any(|mail| mail.to.address == address) {
            complaints.push("sending: Bob got no mail".to_owned());
        }
    }

    async fn runs(&self, damaged_job: Option<&str>, complaints: &mut Vec<String>) {
        for job in self.jobs() {
            if damaged_job == Some(job.as_str()) {
                continue;
            }
            let asked = self.app.jobs().request_run(Actor::System, job, None, true).await;
            let reports = match asked {
                Ok(_) => self.app.jobs().run(job).await,
                Err(error) => Err(error),
            };
            match reports {
                Ok(reports) if reports.is_empty() => complaints.push(format!("job {job}: it did not run")),
                Ok(reports) => {
                    let failed = reports.iter().filter_map(|report| report.run.error.as_deref());
                    complaints.extend(failed.map(|error| format!("job {job}: {error}")));
                }
                Err(error) => complaints.push(format!("job {job}: {}", text(&error))),
            }
        }
    }

    /// Returns what of her own Ada cannot see any more.
    pub async fn losses(&self) -> Vec<String> {
        let (actor, Person { id, task, meeting, .. }) = (Actor::User(self.ada.id), &self.ada);
        let seen = [
            ("her account", self.app.accounts().get(actor, *id).await.map(drop)),
            ("her task", self.app.tasks().get(actor, *task).await.map(drop)),
            ("her meeting", self.app.meetings().get(actor, *meeting).await.map(drop)),
            ("her sessions", self.app.sessions().list(actor).await.map(drop)),
        ];
        let lost = seen.into_iter().filter_map(|(what, result)| Some((what, result.err()?)));
        lost.map(|(what, error)| format!("{what}: {}", text(&error))).collect()
    }
}

impl Person {
    async fn new(app: &App, storage: &dyn Storage, name: &'static str) -> Self {
        let password = PasswordHash::new(format!("hash of {name}"));
        let id = app.accounts().register(new_user(name), Some(password)).await.expect("an account").id;
        app.accounts().mark_email_verified(Actor::System, id).await.expect("verified");
        let actor = Actor::User(id);
        let hour = Duration::from_hours(1);
        let new = NewTask {
            due_at: Some(noon() + hour),
            reminder_minutes: Some(ReminderMinutes::new(15).expect("fits")),
            description: Some("All of them.".parse().expect("fits")),
            ..NewTask::titled("Water the plants".parse().expect("a title"))
        };
        let task = app.tasks().create(actor, new).await.expect("a task").id;
        let new = NewMeeting {
            description: Some("About plants.".parse().expect("fits")),
            location: Some("Room 4".parse().expect("fits")),
            meeting_url: Some("https://meet.example.org/4".parse().expect("fits")),
            invitees: vec![Invitee::new(format!("guest-of-{name}@example.org").parse().expect("an address"))],
            ..NewMeeting::titled("Plants".parse().expect("a title"), StartsAt::Instant(noon() + hour * 24))
        };
        let meeting = app.meetings().create(actor, new).await.expect("a meeting").meeting.id;
        let token = TokenHash::new(format!("{name:0<64}"));
        app.sessions().open(id, token, Some("a test")).await.expect("a session");
        let gone = format!("gone-{name}@example.org").parse().expect("an address");
        app.suppressions().add(Actor::System, gone, "it is gone".to_owned()).await.expect("a suppression");
        let said = Heartbeat {
            id: name.parse().expect("a name"),
            version: "1".to_owned(),
            started_at: noon(),
            sends_mail: true,
            mail_rate: Some(1.0),
            clock_ahead: Some(0),
        };
        storage.beat(&said, hour).await.expect("a heartbeat");
        let mail = CapturedMail {
            id: DeliveryId::from_uuid(id.as_uuid()),
            kept_at: noon(),
            to: format!("{name}@example.org").parse().expect("an address"),
            content: Content { subject: name.to_owned(), text: "a text".to_owned(), html: Some("<p>".to_owned()) },
            source: "the whole mail".to_owned(),
        };
        storage.commit(&Changes::new().write(MailboxWrite::Capture(mail))).await.expect("a mail");
        Self { id, name, task, meeting }
    }
}

fn follower(owner: UserId) -> Follower {
    Follower { owner, after: 0 }
}

fn text(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
