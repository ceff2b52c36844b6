//! Changes to a user's own data, for clients that follow along: page by page, and as a stream.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use poem::Request;
use poem::web::Data;
use poem::web::sse::Event;
use poem_openapi::param::{Header, Query};
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};
use taskflow_core::{EventKind, FeedEntry, FeedPage, FieldError, Timestamp};
use taskflow_runtime::live::{Disconnect, Message, Topics};

use super::list::PageSize;
use super::refuses::Refuses;
use super::wire::{Differences, text, text_schema};
use super::{ApiError, Field, Group, Val, ValidationErrors, Wire, live};
use crate::api::Caller;
use crate::service::Service;

const LAST_EVENT_ID: &str = "Last-Event-ID";
/// From one sign of life to the next while nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) struct FeedApi;

/// A change, with its place in the feed.
#[derive(Debug, Object)]
pub(super) struct Change {
    /// What happened.
    #[oai(rename = "type")]
    kind: Val<EventKind>,
    /// Place in the feed: one more than that of the change before.
    #[oai(validator(minimum(value = "1")))]
    seq: u64,
    /// When it happened.
    at: Val<Timestamp>,
    /// What the change is about.
    data: ChangeData,
}

/// The subject of a change.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct ChangeData {
    /// The task or meeting.
    id: String,
    /// Its version after this, as in its ETag; absent when that has not changed: an answer is no change of the meeting.
    #[oai(validator(minimum(value = "1")))]
    version: Option<u64>,
    /// The participant who answered.
    participant_id: Option<String>,
    /// The fields that changed: of a meeting also its `status`, and as `participants` those who came, went or changed, each with
    /// `id`, `role` and `response_status`.
    changes: Val<Differences>,
}

/// A page of changes, oldest first.
#[derive(Debug, Object)]
#[oai(rename = "ChangeList", skip_serializing_if_is_none)]
struct ChangesBody {
    /// The changes on this page, without a gap.
    items: Vec<Change>,
    /// The `since` of the next page; absent at the end.
    next: Option<u64>,
    /// The last sequence of the feed.
    seq: u64,
}

/// A place in a feed.
#[derive(Debug)]
struct Sequence(u64);

/// Topics to follow, separated by commas.
#[derive(Debug)]
struct TopicList(Topics);

#[OpenApi(prefix_path = "/api", tag = "Group::Live")]
impl FeedApi {
    /// List changes
    ///
    /// Returns everything that happened to the tasks of the account and to the meetings it takes part in, in one order
    /// without gaps. Pass the last known `seq` as `since`. 410 with the code `resync` means that what follows is no
    /// longer kept: read tasks and meetings again and go on after the `seq` of the answer. A page of long texts may be
    /// shorter than `size`.
    #[oai(path = "/changes", method = "get", operation_id = "listChanges")]
    async fn list(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// What follows this; from the oldest that is kept when left out.
        since: Query<Field<Sequence>>,
        /// Changes on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<ChangesBody>, Refuses<410>> {
        let mut findings = ValidationErrors::default();
        let since = findings.optional("since", since.0).map(|since| since.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        match service.app.feed().page(caller.actor(), since, size.count() as u32).await? {
            FeedPage::Resync { head } => Err(ApiError::Resync(head).into()),
            FeedPage::Entries { entries, head } => {
                let last = entries.last().map(|entry| entry.seq);
                let items = entries.iter().map(Change::from).collect();
                Ok(Json(ChangesBody { items, next: last.filter(|last| *last < head), seq: head }))
            }
        }
    }

    /// Follow changes
    ///
    /// Streams server-sent events for clients without a WebSocket: the same messages as on `/ws`, each as the `data` of
    /// an event whose `id` is its `seq`. The first message is `ready`. Reconnect with the last id as `Last-Event-ID` or
    /// `since`, and nothing is missed.
    #[oai(path = "/events", method = "get", operation_id = "followChanges")]
    async fn follow(
        &self,
        caller: Caller,
        request: &Request,
        Data(service): Data<&Arc<Service>>,
        /// What follows this; only what is new when left out.
        since: Query<Field<Sequence>>,
        /// Only these: `tasks`, `meetings` and `reminders`, with commas between.
        topics: Query<Field<TopicList>>,
        /// Where the client was; counts before `since`.
        #[oai(name = "Last-Event-ID")]
        last: Header<Field<Sequence>>,
    ) -> Result<EventStream<BoxStream<'static, StreamedChange>>, Refuses<429>> {
        let mut findings = ValidationErrors::default();
        let since = findings.optional("since", since.0).map(|since| since.0);
        let topics = findings.optional("topics", topics.0).map(|topics| topics.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let since = match last.0 {
            Field::Bad(misfit) => {
                let error = FieldError::new(LAST_EVENT_ID, misfit.message).with_code(misfit.code);
                return Err(ApiError::BadHeader(error).into());
            }
            Field::Value(Sequence(last)) => Some(last),
            // What is no text looks as if it were not there.
            _ if request.headers().contains_key(LAST_EVENT_ID) => {
                return Err(ApiError::BadHeader(FieldError::new(LAST_EVENT_ID, NO_SEQUENCE)).into());
            }
            Field::Absent | Field::Null => since,
        };
        let messages = live::stream(service, caller.token, since, topics).await.map_err(refusal)?;
        let messages = messages.map(StreamedChange).boxed();
        Ok(EventStream::new(messages).keep_alive(KEEP_ALIVE).to_event(|StreamedChange(message)| {
            let event = Event::message(&*message.text);
            match message.seq {
                Some(seq) => event.id(seq.to_string()),
                None => event,
            }
        }))
    }
}

/// A message on its way to a stream of events.
#[derive(Debug)]
struct StreamedChange(Message);

impl From<&FeedEntry> for Change {
    fn from(entry: &FeedEntry) -> Self {
        let data = &entry.event.data;
        let member = |name| data.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: Val(entry.event.kind),
            seq: entry.seq,
            at: Val(entry.event.at),
            data: ChangeData {
                id: member("id").unwrap_or_default(),
                version: data.get("version").and_then(Value::as_u64),
                participant_id: member("participant_id"),
                changes: Val(Differences(data.get("changes").cloned().unwrap_or_else(|| json!({})))),
            },
        }
    }
}

/// Before a stream has begun its end is a refusal.
fn refusal(reason: Disconnect) -> ApiError {
    match reason {
        Disconnect::SignedOut => ApiError::InvalidToken,
        Disconnect::TooMany => ApiError::TooMany,
        Disconnect::GoingAway | Disconnect::Unavailable | Disconnect::Full => ApiError::Busy,
    }
}

/// Returns the position and the topics that the query of a WebSocket handshake asks for.
///
/// # Errors
///
/// [`ApiError::Invalid`] with everything that does not fit.
pub(super) fn following(query: &str) -> Result<(Option<u64>, Topics), ApiError> {
    let mut findings = ValidationErrors::default();
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(own, _)| *own == name).map(|(_, value)| value.replace("%2C", ",").replace("%2c", ",")).next()
    };
    let mut since = None;
    if let Some(text) = parameter("since") {
        match Sequence::parse_text(&text) {
            Ok(sequence) => since = Some(sequence.0),
            Err(message) => findings.note("since", message),
        }
    }
    let mut topics = Topics::default();
    if let Some(text) = parameter("topics") {
        match TopicList::parse_text(&text) {
            Ok(list) => topics = list.0,
            Err(message) => findings.note("topics", message),
        }
    }
    findings.finish(Some((since, topics)))
}

impl Wire for Sequence {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(0.0), maximum: Some(MOST as f64), ..MetaSchema::new("integer") }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        value.as_u64().filter(|n| *n <= MOST).map(Self).ok_or_else(|| NO_SEQUENCE.to_owned())
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|n| digits && *n <= MOST);
        number.map(Self).ok_or_else(|| NO_SEQUENCE.to_owned())
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

/// Less than what JSON's numbers hold exactly everywhere (RFC 8259 §6), and more than any feed.
const MOST: u64 = 999_999_999_999_999;
const NO_SEQUENCE: &str = "must be the `seq` of a message, a whole number";

impl Wire for TopicList {
    fn schema() -> MetaSchema {
        let words = Some("^(tasks|meetings|reminders)(,(tasks|meetings|reminders))*$".to_owned());
        MetaSchema { pattern: words, ..text_schema(5, 100) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Topics::only(text(value)?.split(',')).map(Self)
    }

    fn write(&self) -> Value {
        json!(self.0.words().join(","))
    }
}

/// In the document a stream consists of changes; what else there is, is said in words.
impl Type for StreamedChange {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Change::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        Change::schema_ref()
    }

    fn register(registry: &mut Registry) {
        Change::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for StreamedChange {
    fn to_json(&self) -> Option<Value> {
        serde_json::from_str(&self.0.text).ok()
    }
}
