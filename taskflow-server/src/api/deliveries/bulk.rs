//! Many deliveries at once, as JSON.

use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::{
    App, BulkReport, ChannelKind, DeliveryFilter, DeliveryState, EmailAddress, NoticeKind, ReplyCode, Timestamp,
};

use crate::api::list::{AnyOf, SearchText};
use crate::api::wire::{text, text_schema, with_pattern};
use crate::api::{ApiError, Field, Val, ValidationErrors, Wire};

/// The deliveries to change. All conditions must hold, and at least one must be given besides `as_of`.
#[derive(Debug, Object)]
#[oai(rename = "DeliveryFilter")]
pub(super) struct FilterBody {
    /// Only in these states. Retrying takes discarded, cancelled and expired deliveries, by default discarded ones; cancelling
    /// takes scheduled and claimed ones, by default both.
    #[oai(nullable)]
    state: Field<AnyOf<DeliveryState>>,
    /// Only these kinds.
    #[oai(nullable)]
    kind: Field<AnyOf<NoticeKind>>,
    /// Only on this channel.
    #[oai(nullable)]
    channel: Field<ChannelKind>,
    /// Only to this address: by itself, and by the account that has it now.
    #[oai(nullable)]
    recipient: Field<EmailAddress>,
    /// Only those whose last error contains this text, in either case.
    #[oai(nullable)]
    error: Field<SearchText>,
    /// Only those whose last error contains this reply code or status as a word, for example `550` or `5.7.1`.
    #[oai(nullable)]
    code: Field<ReplyCode>,
    /// Only those that were due at this time or later.
    #[oai(nullable)]
    due_after: Field<Timestamp>,
    /// Only those that were due before this time.
    #[oai(nullable)]
    due_before: Field<Timestamp>,
    /// Only those that were settled or, while they are open, planned by this time; now when left out. The `as_of` of an answer
    /// continues that request.
    #[oai(nullable)]
    as_of: Field<Timestamp>,
    /// `true`: nothing is changed, the deliveries are only counted.
    #[oai(nullable)]
    dry_run: Field<bool>,
}

/// The result of changing many deliveries.
#[derive(Debug, Object)]
#[oai(rename = "DeliveryBulkResult")]
pub(super) struct ReportBody {
    /// The number of deliveries that the filter selected, at most 50000.
    #[oai(validator(minimum(value = "0"), maximum(value = "50000")))]
    matched: u64,
    /// The number of deliveries that were changed: 0 in a dry run. It is lower than `matched` when some were changed otherwise
    /// meanwhile.
    #[oai(validator(minimum(value = "0"), maximum(value = "50000")))]
    changed: u64,
    /// Whether the filter selects more than one request changes; repeat it then with `as_of`.
    more: bool,
    /// The time as of which the deliveries were selected.
    as_of: Val<Timestamp>,
}

impl FilterBody {
    /// Returns the filter, and whether the deliveries are only counted.
    pub(super) fn read(self) -> Result<(DeliveryFilter, bool), ApiError> {
        let mut findings = ValidationErrors::default();
        let filter = DeliveryFilter {
            states: findings.optional("state", self.state).map(|AnyOf(states)| states).unwrap_or_default(),
            kinds: findings.optional("kind", self.kind).map(|AnyOf(kinds)| kinds).unwrap_or_default(),
            channel: findings.optional("channel", self.channel),
            recipient: findings.optional("recipient", self.recipient),
            error: findings.optional("error", self.error).map(|SearchText(text)| text).filter(|text| !text.is_empty()),
            code: findings.optional("code", self.code),
            due_from: findings.optional("due_after", self.due_after),
            due_before: findings.optional("due_before", self.due_before),
            as_of: findings.optional("as_of", self.as_of),
        };
        let dry_run = findings.optional("dry_run", self.dry_run).unwrap_or_default();
        findings.finish(Some((filter, dry_run)))
    }
}

impl From<BulkReport> for ReportBody {
    fn from(BulkReport { matched, changed, more, as_of }: BulkReport) -> Self {
        const _: () = assert!(App::MAX_SELECTED == 50_000, "the descriptions above name this number");
        Self { matched, changed, more, as_of: Val(as_of) }
    }
}

impl Wire for ReplyCode {
    fn schema() -> MetaSchema {
        let pattern = "^([45][0-9]{2}|[45](\\.[0-9]{1,3}){2})$";
        MetaSchema { example: Some(json!("550")), ..with_pattern(text_schema(3, Self::MAX_LENGTH), pattern) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}

impl Wire for ChannelKind {
    fn schema() -> MetaSchema {
        let schema = with_pattern(text_schema(1, Self::MAX_LENGTH), "^[a-z][a-z0-9_]*$");
        MetaSchema { example: Some(json!("mail")), ..schema }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}
