//! Filters of task lists, as query parameters.

use taskflow_core::{TaskPriority, TaskQuery, TaskSort, TaskStatus, Timestamp};

use crate::api::list::{AnyOf, PageNumber, PageSize, SearchText, Sort, page};
use crate::api::{ApiError, Field, ValidationErrors};

/// The query parameters of a list of tasks.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) status: Field<AnyOf<TaskStatus>>,
    pub(super) priority: Field<AnyOf<TaskPriority>>,
    pub(super) due_before: Field<Timestamp>,
    pub(super) due_after: Field<Timestamp>,
    pub(super) overdue: Field<bool>,
    pub(super) q: Field<SearchText>,
    pub(super) sort: Field<Sort<TaskSort>>,
    pub(super) page: Field<PageNumber>,
    pub(super) size: Field<PageSize>,
}

impl Filters {
    /// The query for the tasks or for the trash.
    pub(super) fn read(self, trash: bool) -> Result<TaskQuery, ApiError> {
        let mut findings = ValidationErrors::default();
        let query = TaskQuery {
            trash,
            page: page(&mut findings, self.page, self.size),
            status: findings.optional("status", self.status).unwrap_or_default().0,
            priority: findings.optional("priority", self.priority).unwrap_or_default().0,
            due_before: findings.optional("due_before", self.due_before),
            due_after: findings.optional("due_after", self.due_after),
            whole_day: None,
            overdue: findings.optional("overdue", self.overdue),
            words: findings.optional("q", self.q).map(|SearchText(q)| TaskQuery::words(&q)).unwrap_or_default(),
            sort: findings.optional("sort", self.sort).map(|Sort(sort)| sort).unwrap_or_default(),
        };
        findings.finish(Some(query))
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromParameter;

    use super::*;

    #[test]
    fn every_parameter_that_does_not_fit_is_named() {
        let filters = Filters {
            status: ParseFromParameter::parse_from_parameter("x").expect("remembered"),
            page: ParseFromParameter::parse_from_parameter("x").expect("remembered"),
            ..Filters::default()
        };
        let Err(ApiError::Invalid(errors)) = filters.read(false) else { panic!("refused") };
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["page", "status"]);
    }
}
