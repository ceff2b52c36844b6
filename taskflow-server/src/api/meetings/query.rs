//! Filters of meeting lists, as query parameters.

use std::time::Duration;

use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::{MeetingQuery, MeetingSort, MeetingSortKey, MeetingStatus, TaskQuery, Timestamp};

use crate::api::list::{AnyOf, PageNumber, PageSize, SearchText, Sort, page};
use crate::api::wire::{integer, integer_schema, integer_text};
use crate::api::{ApiError, Field, ValidationErrors, Wire};

/// The query parameters of a list of meetings.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) status: Field<AnyOf<MeetingStatus>>,
    pub(super) starts_before: Field<Timestamp>,
    pub(super) starts_after: Field<Timestamp>,
    pub(super) q: Field<SearchText>,
    pub(super) sort: Field<Sort<MeetingSort>>,
    pub(super) page: Field<PageNumber>,
    pub(super) size: Field<PageSize>,
}

impl Filters {
    pub(super) fn read(self) -> Result<MeetingQuery, ApiError> {
        let mut findings = ValidationErrors::default();
        let query = MeetingQuery {
            page: page(&mut findings, self.page, self.size),
            status: findings.optional("status", self.status).unwrap_or_default().0,
            starts_before: findings.optional("starts_before", self.starts_before),
            starts_after: findings.optional("starts_after", self.starts_after),
            words: findings.optional("q", self.q).map(|SearchText(q)| TaskQuery::words(&q)).unwrap_or_default(),
            sort: findings.optional("sort", self.sort).map(|Sort(sort)| sort).unwrap_or_default(),
        };
        findings.finish(Some(query))
    }
}

/// The query parameters of the meetings that come next.
#[derive(Debug)]
pub(super) struct Upcoming {
    pub(super) hours_ahead: Field<Hours>,
    pub(super) page: Field<PageNumber>,
    pub(super) size: Field<PageSize>,
}

impl Upcoming {
    /// Returns the query for meetings that begin after `now` and within the requested hours, the next one first.
    pub(super) fn read(self, now: Timestamp) -> Result<MeetingQuery, ApiError> {
        let mut findings = ValidationErrors::default();
        let page = page(&mut findings, self.page, self.size);
        let Hours(hours) = findings.optional("hours_ahead", self.hours_ahead).unwrap_or_default();
        let query = MeetingQuery {
            status: vec![MeetingStatus::Scheduled],
            starts_before: Some(now + Duration::from_hours(hours.into())),
            sort: vec![MeetingSort { by: MeetingSortKey::MeetingDate, descending: false }],
            page,
            ..MeetingQuery::default()
        };
        findings.finish(Some(query))
    }
}

/// Number of hours to look ahead.
#[derive(Debug)]
pub(super) struct Hours(u32);

impl Hours {
    /// A week.
    const MOST: u32 = 168;
}

impl Default for Hours {
    /// A day.
    fn default() -> Self {
        Self(24)
    }
}

impl Wire for Hours {
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(Self::default().write()), ..integer_schema(1, Self::MOST) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        integer(value, 1, Self::MOST).map(Self)
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        integer_text(text, 1, Self::MOST).map(Self)
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromParameter;

    use super::*;

    #[test]
    fn the_hours_ahead_are_a_day_unless_told_and_a_week_at_most() {
        let now = Timestamp::from_micros(0);
        let ahead = |text: Option<&str>| {
            let hours_ahead = Field::parse_from_parameters(text).expect("remembered");
            let query = Upcoming { hours_ahead, page: Field::Absent, size: Field::Absent }.read(now);
            query.ok()?.starts_before.map(|before| before.since(now).as_secs() / 3600)
        };
        assert_eq!((ahead(None), ahead(Some("1")), ahead(Some("168"))), (Some(24), Some(1), Some(168)));
        assert_eq!((ahead(Some("0")), ahead(Some("169")), ahead(Some("x"))), (None, None, None));
    }
}
