//! Filters, order and pages of task lists, as query parameters and `Link` headers.

use poem::http::Uri;
use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::{Page, PageRequest, Task, TaskPriority, TaskQuery, TaskSort, TaskSortKey, TaskStatus, Timestamp};

use crate::api::wire::{integer, integer_schema, integer_text, text, text_schema};
use crate::api::{ApiError, Field, Findings, Wire};

/// The query parameters of a list of tasks.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) status: Field<TaskStatus>,
    pub(super) priority: Field<TaskPriority>,
    pub(super) due_before: Field<Timestamp>,
    pub(super) due_after: Field<Timestamp>,
    pub(super) overdue: Field<bool>,
    pub(super) q: Field<SearchText>,
    pub(super) sort: Field<Sort>,
    pub(super) page: Field<PageNumber>,
    pub(super) size: Field<PageSize>,
}

impl Filters {
    /// The query for the tasks or for the trash.
    pub(super) fn read(self, trash: bool) -> Result<TaskQuery, ApiError> {
        let mut findings = Findings::default();
        let usual = PageRequest::default();
        let page = findings.optional("page", self.page).map_or(usual.page(), |PageNumber(page)| page);
        let size = findings.optional("size", self.size).map_or(usual.size(), |PageSize(size)| size);
        let query = TaskQuery {
            trash,
            status: findings.optional("status", self.status),
            priority: findings.optional("priority", self.priority),
            due_before: findings.optional("due_before", self.due_before),
            due_after: findings.optional("due_after", self.due_after),
            overdue: findings.optional("overdue", self.overdue),
            words: findings.optional("q", self.q).map(|SearchText(q)| TaskQuery::words(&q)).unwrap_or_default(),
            sort: findings.optional("sort", self.sort).map(|Sort(sort)| sort).unwrap_or_default(),
            page: PageRequest::new(page, size).unwrap_or_default(),
        };
        findings.finish(Some(query))
    }
}

/// A page, counted from 1.
#[derive(Debug)]
pub(super) struct PageNumber(u32);

/// Items on a page.
#[derive(Debug)]
pub(super) struct PageSize(u32);

/// Words to look for.
#[derive(Debug)]
pub(super) struct SearchText(String);

/// An order, first criterion first.
#[derive(Debug)]
pub(super) struct Sort(Vec<TaskSort>);

macro_rules! bounded_integers {
    ($($name:ident: 1..=$most:expr, default $usual:expr;)+) => {$(
        impl Wire for $name {
            fn schema() -> MetaSchema {
                MetaSchema { default: Some(json!($usual)), ..integer_schema(1, $most) }
            }

            fn parse(value: &Value) -> Result<Self, String> {
                integer(value, 1, $most).map(Self)
            }

            fn parse_text(text: &str) -> Result<Self, String> {
                integer_text(text, 1, $most).map(Self)
            }

            fn write(&self) -> Value {
                json!(self.0)
            }
        }
    )+};
}

bounded_integers! {
    PageNumber: 1..=PageRequest::MAX_PAGE, default 1;
    PageSize: 1..=PageRequest::MAX_SIZE, default 50;
}

impl Default for PageSize {
    fn default() -> Self {
        Self(PageRequest::default().size())
    }
}

impl PageSize {
    /// As a number of items.
    pub(super) fn count(&self) -> usize {
        self.0 as usize
    }
}

impl SearchText {
    const MAX_LENGTH: usize = 200;
}

impl Wire for SearchText {
    fn schema() -> MetaSchema {
        MetaSchema {
            example: Some(json!("test")),
            pattern: Some("^[^\\u0000-\\u001f\\u007f-\\u009f]*$".to_owned()),
            ..text_schema(0, Self::MAX_LENGTH)
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        if text.chars().count() > Self::MAX_LENGTH || text.chars().any(char::is_control) {
            return Err(format!("must have at most {} characters and no control characters", Self::MAX_LENGTH));
        }
        Ok(Self(text.to_owned()))
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

impl Wire for Sort {
    fn schema() -> MetaSchema {
        let keys = TaskSortKey::ALL.map(TaskSortKey::as_str).join("|");
        let more = TaskSortKey::ALL.len() - 1;
        MetaSchema {
            example: Some(json!("-priority,due_at")),
            pattern: Some(format!("^-?({keys})(,-?({keys})){{0,{more}}}$")),
            ..MetaSchema::new("string")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let words: Vec<&str> = text(value)?.split(',').collect();
        if words.len() > TaskSortKey::ALL.len() {
            return Err(format!("must name at most {} fields", TaskSortKey::ALL.len()));
        }
        let sort: Result<Vec<TaskSort>, _> = words.into_iter().map(str::parse).collect();
        sort.map(Self).map_err(|error: taskflow_core::InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

/// The `Link` header (RFC 8288) of a page: the same list at other pages.
pub(super) fn links(uri: &Uri, page: &Page<Task>) -> String {
    let (current, size) = (u64::from(page.request.page()), u64::from(page.request.size()));
    let last = page.total.div_ceil(size).clamp(1, PageRequest::MAX_PAGE.into());
    let filters: String = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !matches!(pair.split('=').next(), Some("page" | "size")))
        .map(|pair| format!("&{pair}"))
        .collect();
    let link = |number: u64, relation: &str| {
        format!("<{}?page={number}&size={size}{filters}>; rel=\"{relation}\"", uri.path())
    };
    let mut links = vec![link(1, "first")];
    if current > 1 {
        links.push(link((current - 1).min(last), "prev"));
    }
    if current < last {
        links.push(link(current + 1, "next"));
    }
    links.push(link(last, "last"));
    links.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, total: u64) -> Page<Task> {
        Page { items: Vec::new(), total, request: PageRequest::new(number, 20).expect("fits") }
    }

    #[test]
    fn links_keep_the_filters_and_name_only_pages_that_exist() {
        let uri: Uri = "/api/tasks/?page=2&status=pending&size=20".parse().expect("a URI");
        assert_eq!(
            links(&uri, &page(2, 41)),
            "</api/tasks/?page=1&size=20&status=pending>; rel=\"first\", \
             </api/tasks/?page=1&size=20&status=pending>; rel=\"prev\", \
             </api/tasks/?page=3&size=20&status=pending>; rel=\"next\", \
             </api/tasks/?page=3&size=20&status=pending>; rel=\"last\""
        );
        let beyond = links(&uri, &page(9, 41));
        assert!(beyond.contains("page=3&size=20&status=pending>; rel=\"prev\"") && !beyond.contains("next"));
        assert!(!links(&uri, &page(1, 0)).contains("next"));
    }

    #[test]
    fn every_parameter_that_does_not_fit_is_named() {
        let filters = Filters {
            status: Field::Bad("must be something else".to_owned()),
            page: Field::Bad("must be a whole number".to_owned()),
            ..Filters::default()
        };
        let Err(ApiError::Invalid(errors)) = filters.read(false) else { panic!("refused") };
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["page", "status"]);
    }

    #[test]
    fn orders_are_read_as_they_are_written() {
        assert_eq!(Sort::parse_text("-priority,due_at").expect("an order").write(), json!("-priority,due_at"));
        for text in ["", "priority,", "id", "title,title,title,title,title,title,title"] {
            assert!(Sort::parse_text(text).is_err(), "{text}");
        }
    }
}
