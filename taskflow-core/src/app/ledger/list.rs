//! Reads the ledger: deliveries with the names of their recipients and their subjects.

use std::collections::{BTreeSet, HashMap};

use super::{App, DeliveryUseCases};
use crate::error::{Error, StoreError};
use crate::ports::{DeliveryQuery, Lookup};
use crate::{
    Actor, Delivery, DeliveryId, DeliveryState, EmailAddress, MeetingId, Notice, NoticeKind, ParticipantId, Recipient,
    TaskId, Timestamp, UserId, Viewer, search_key,
};

/// Selects rows of the ledger. The default selects all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Only these kinds; empty: all kinds.
    pub kinds: Vec<NoticeKind>,
    /// Only in these states; empty: all states.
    pub states: Vec<DeliveryState>,
    /// Only to this address: by itself, and by the account that has it now.
    pub recipient: Option<EmailAddress>,
    /// Only deliveries created at or after this time, to the millisecond.
    pub since: Option<Timestamp>,
    /// Only rows with all these words in address, name or subject; [folded](crate::search_key), in no order. A single
    /// complete address selects the mail to exactly that address.
    pub words: Vec<String>,
}

/// A delivery and the known facts about its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The delivery.
    pub delivery: Delivery,
    /// The address that it goes to: of an account, the present one. `None` when the account is gone.
    pub email: Option<EmailAddress>,
    /// The name of the recipient: the username of an account, or the name with which a guest was invited.
    pub name: Option<String>,
    /// The subject of the delivery: the title of the task or meeting, or the subject line of a custom mail.
    pub subject: Option<String>,
}

/// A page of the ledger, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPage {
    /// The rows. A search by words may find fewer than were asked for, or none, although more follow.
    pub rows: Vec<LedgerRow>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<DeliveryId>,
}

/// The subjects and recipients of ledger rows, looked up by id.
struct Subjects {
    users: Lookup<UserId, crate::User>,
    tasks: Lookup<TaskId, crate::Task>,
    meetings: Lookup<MeetingId, crate::Meeting>,
    participants: Lookup<ParticipantId, crate::Participant>,
}

impl DeliveryUseCases<'_> {
    /// Returns up to `size` rows of the ledger before `before`, newest first; for administrators.
    pub async fn page(
        self,
        actor: Actor,
        query: &LedgerQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<LedgerPage, Error> {
        self.app.admit_admin(actor).await?;
        let (selected, words) = self.app.selection(query).await?;
        if words.is_empty() {
            let mut found = self.app.store.deliveries(&selected, before, size.saturating_add(1)).await?;
            let more = found.len() > size as usize;
            found.truncate(size as usize);
            let next = found.last().filter(|_| more).map(|delivery| delivery.id);
            return Ok(LedgerPage { rows: self.app.ledger_rows(found).await?, next });
        }
        let (mut rows, mut before, mut searched) = (Vec::new(), before, 0);
        loop {
            let page = self.app.store.deliveries(&selected, before, App::SEARCHED_AT_ONCE).await?;
            let at_end = page.len() < App::SEARCHED_AT_ONCE as usize;
            searched += page.len();
            for row in self.app.ledger_rows(page).await? {
                before = Some(row.delivery.id);
                if row.mentions(&words) {
                    rows.push(row);
                }
                if rows.len() == size as usize {
                    return Ok(LedgerPage { rows, next: before });
                }
            }
            if at_end || searched >= App::MOST_SEARCHED {
                return Ok(LedgerPage { rows, next: before.filter(|_| !at_end) });
            }
        }
    }

    /// Counts the rows that a query without words selects, by state; for administrators. The states that the query names
    /// do not matter. Each count stops at [`App::MOST_COUNTED`].
    pub async fn counts(self, actor: Actor, query: &LedgerQuery) -> Result<HashMap<DeliveryState, u64>, Error> {
        self.app.admit_admin(actor).await?;
        let (selected, _) = self.app.selection(query).await?;
        let selected = DeliveryQuery { states: Vec::new(), ..selected };
        Ok(self.app.store.delivery_counts(&selected, App::MOST_COUNTED).await?)
    }
}

impl App {
    /// Highest number that a count of the ledger reaches.
    pub const MOST_COUNTED: u32 = 10_000;

    /// Maximum number of rows that a search by words reads before it returns its results so far.
    const MOST_SEARCHED: usize = 5_000;

    const SEARCHED_AT_ONCE: u32 = 500;

    /// Looks up the recipients and subjects of deliveries: one read per kind of row, whatever their number.
    pub(super) async fn ledger_rows(&self, deliveries: Vec<Delivery>) -> Result<Vec<LedgerRow>, StoreError> {
        let subjects = self.subjects(&deliveries).await?;
        Ok(deliveries.into_iter().map(|delivery| subjects.row(delivery)).collect())
    }

    /// Returns the query for the store, and the words that remain to be matched here.
    async fn selection(&self, query: &LedgerQuery) -> Result<(DeliveryQuery, Vec<String>), StoreError> {
        let mut words = query.words.clone();
        let mut recipient = query.recipient.clone();
        if recipient.is_none()
            && let [word] = words.as_slice()
            && let Ok(address) = word.parse()
        {
            recipient = Some(address);
            words.clear();
        }
        let recipients = match recipient {
            None => None,
            Some(email) => Some(self.recipients_at(email).await?),
        };
        let (kinds, states) = (query.kinds.clone(), query.states.clone());
        Ok((DeliveryQuery { kinds, states, recipients, from: query.since.map(first_id) }, words))
    }

    /// Returns the recipients of mail to an address: the account that has it now, if any, and the address itself.
    pub(super) async fn recipients_at(&self, email: EmailAddress) -> Result<Vec<Recipient>, StoreError> {
        let account = self.account_at(email.key()).await?;
        let theirs = account.map(|user| Recipient::User(user.id));
        Ok(theirs.into_iter().chain([Recipient::Address(email)]).collect())
    }

    async fn subjects(&self, deliveries: &[Delivery]) -> Result<Subjects, StoreError> {
        let (mut users, mut tasks, mut meetings, mut participants) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for delivery in deliveries {
            if let Recipient::User(id) = delivery.recipient {
                users.insert(id);
            }
            let about = About::of(delivery);
            tasks.extend(about.task);
            meetings.extend(about.meeting);
            participants.extend(about.participant);
        }
        let ids = |ids: BTreeSet<UserId>| ids.into_iter().collect::<Vec<_>>();
        let mut subjects = Subjects {
            users: Lookup::new(),
            tasks: Lookup::new(),
            meetings: Lookup::new(),
            participants: Lookup::new(),
        };
        if !users.is_empty() {
            subjects.users = self.store.users(&ids(users)).await?;
        }
        if !tasks.is_empty() {
            subjects.tasks = self.store.tasks_by_id(&tasks.into_iter().collect::<Vec<_>>(), Viewer::Service).await?;
        }
        if !meetings.is_empty() {
            let ids: Vec<_> = meetings.into_iter().collect();
            subjects.meetings = self.store.meetings_by_id(&ids, Viewer::Service).await?;
        }
        if !participants.is_empty() {
            let ids: Vec<_> = participants.into_iter().collect();
            subjects.participants = self.store.participants_by_id(&ids).await?;
        }
        Ok(subjects)
    }
}

/// The things that a delivery names.
#[derive(Default)]
struct About {
    task: Option<TaskId>,
    meeting: Option<MeetingId>,
    participant: Option<ParticipantId>,
}

impl About {
    fn of(delivery: &Delivery) -> Self {
        let needs = delivery.notice.as_ref().map(Notice::needs).unwrap_or_default();
        let (meeting, participant) = needs.meeting.unzip();
        Self { task: needs.task, meeting, participant }
    }
}

/// Returns a row that was looked up, if it can be read.
fn known<Id: std::hash::Hash + Eq, T>(loaded: &Lookup<Id, T>, id: Option<Id>) -> Option<&T> {
    loaded.get(&id?).and_then(|row| row.as_ref().ok())
}

impl Subjects {
    fn row(&self, delivery: Delivery) -> LedgerRow {
        let about = About::of(&delivery);
        let (email, name) = match &delivery.recipient {
            Recipient::User(id) => {
                let user = known(&self.users, Some(*id));
                (user.map(|user| user.email.clone()), user.map(|user| user.username.to_string()))
            }
            Recipient::Address(address) => {
                let guest = known(&self.participants, about.participant);
                let guest = guest.filter(|guest| guest.email.key() == address.key());
                let name = guest.and_then(|guest| guest.name.as_ref()).map(ToString::to_string);
                (Some(address.clone()), name)
            }
        };
        let title = match &delivery.notice {
            Ok(Notice::Letter(letter)) => Some(letter.subject.clone()),
            _ => known(&self.tasks, about.task).map(|task| task.title.to_string()),
        };
        let subject = title.or_else(|| known(&self.meetings, about.meeting).map(|meeting| meeting.title.to_string()));
        LedgerRow { delivery, email, name, subject }
    }
}

impl LedgerRow {
    /// Returns whether all these words, [folded](crate::search_key), occur in the address, name or subject.
    #[must_use]
    pub fn mentions(&self, words: &[String]) -> bool {
        let email = self.email.as_ref().map(EmailAddress::as_str);
        let texts = [email, self.name.as_deref(), self.subject.as_deref()];
        let text = search_key(&texts.map(Option::unwrap_or_default).join("\n"));
        words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// Returns the lowest id that is created at a time (RFC 9562 section 5.7: 48 bits of milliseconds come first).
pub(in crate::app) fn first_id(at: Timestamp) -> DeliveryId {
    let millis = u64::try_from(at.as_micros().div_euclid(1000)).unwrap_or(0);
    DeliveryId::from_uuid(uuid::Uuid::from_u128(u128::from(millis) << 80))
}
