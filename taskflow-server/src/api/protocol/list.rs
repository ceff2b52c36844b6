//! Common parts of all lists: pages, order, search words and `Link` headers.

use std::fmt::Display;
use std::str::FromStr;

use poem::http::Uri;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use serde_json::{Value, json};
use taskflow_core::{InvalidValue, MeetingSort, MeetingSortKey, Page, PageRequest, TaskSort, TaskSortKey};

use super::wire::{integer, integer_schema, integer_text, text, text_schema};
use super::{Field, ValidationErrors, Wire};

/// A page, counted from 1.
#[derive(Debug)]
pub(in crate::api) struct PageNumber(u32);

/// Items on a page.
#[derive(Debug)]
pub(in crate::api) struct PageSize(u32);

/// Words to look for.
#[derive(Debug)]
pub(in crate::api) struct SearchText(pub(in crate::api) String);

/// Several words of a choice, any of which may match. They are separated by commas, or the parameter is repeated.
#[derive(Debug)]
pub(in crate::api) struct AnyOf<T>(pub(in crate::api) Vec<T>);

impl<T> Default for AnyOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// An order, first criterion first.
#[derive(Debug)]
pub(in crate::api) struct Sort<S>(pub(in crate::api) Vec<S>);

/// One criterion of an order; the words of its keys are what people sort by.
pub(in crate::api) trait Criterion: FromStr<Err = InvalidValue> + Display + Send + Sync {
    /// Every word.
    fn keys() -> Vec<&'static str>;

    /// An order to try.
    fn example() -> &'static str;
}

impl Criterion for TaskSort {
    fn keys() -> Vec<&'static str> {
        TaskSortKey::ALL.map(TaskSortKey::as_str).to_vec()
    }

    fn example() -> &'static str {
        "-priority,due_at"
    }
}

impl Criterion for MeetingSort {
    fn keys() -> Vec<&'static str> {
        MeetingSortKey::ALL.map(MeetingSortKey::as_str).to_vec()
    }

    fn example() -> &'static str {
        "meeting_date,title"
    }
}

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
    /// As a number of items to ask for.
    pub(in crate::api) fn number(&self) -> u32 {
        self.0
    }

    /// Returns the number of items to request from a store to learn whether there is another page.
    pub(in crate::api) fn and_one_more(&self) -> u32 {
        self.0 + 1
    }

    /// The page of what was found so, and the cursor of the next one, if there is one.
    pub(in crate::api) fn cut<T, C>(&self, mut found: Vec<T>, cursor: impl Fn(&T) -> C) -> (Vec<T>, Option<C>) {
        let more = found.len() > self.count();
        found.truncate(self.count());
        let next = found.last().filter(|_| more).map(cursor);
        (found, next)
    }

    /// As a number of items.
    pub(in crate::api) fn count(&self) -> usize {
        self.0 as usize
    }
}

/// The page that was asked for; the first one unless told.
pub(in crate::api) fn page(
    findings: &mut ValidationErrors,
    page: Field<PageNumber>,
    size: Field<PageSize>,
) -> PageRequest {
    let usual = PageRequest::default();
    let page = findings.optional("page", page).map_or(usual.page(), |PageNumber(page)| page);
    let size = findings.optional("size", size).map_or(usual.size(), |PageSize(size)| size);
    PageRequest::new(page, size).unwrap_or_default()
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

impl<T> AnyOf<T> {
    /// More words than any choice has.
    const MOST: usize = 50;
}

impl<T: Wire> Wire for AnyOf<T> {
    fn schema() -> MetaSchema {
        MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema { example: None, ..T::schema() })))),
            example: T::schema().example.map(|word| json!([word])),
            min_items: Some(1),
            ..MetaSchema::new("array")
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let items = value.as_array().filter(|items| !items.is_empty()).ok_or("must be a list")?;
        items.iter().map(T::parse).collect::<Result<_, _>>().map(Self)
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        Self::parse_texts(&[text])
    }

    fn parse_texts(texts: &[&str]) -> Result<Self, String> {
        let words: Vec<&str> = texts.iter().flat_map(|text| text.split(',')).collect();
        if words.len() > Self::MOST {
            return Err(format!("must have at most {} values", Self::MOST));
        }
        words.into_iter().map(T::parse_text).collect::<Result<_, _>>().map(Self)
    }

    fn write(&self) -> Value {
        self.0.iter().map(T::write).collect()
    }
}

impl<S: Criterion> Wire for Sort<S> {
    fn schema() -> MetaSchema {
        let keys = S::keys();
        let (more, keys) = (keys.len() - 1, keys.join("|"));
        MetaSchema {
            example: Some(json!(S::example())),
            pattern: Some(format!("^-?({keys})(,-?({keys})){{0,{more}}}$")),
            ..MetaSchema::new("string")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let (words, most) = (text(value)?.split(',').collect::<Vec<_>>(), S::keys().len());
        if words.len() > most {
            return Err(format!("must name at most {most} fields"));
        }
        let sort: Result<Vec<S>, _> = words.into_iter().map(str::parse).collect();
        sort.map(Self).map_err(|error: InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

/// The `Link` header (RFC 8288) of a page: the same list at other pages.
pub(in crate::api) fn links<T>(uri: &Uri, page: &Page<T>) -> String {
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
    use taskflow_core::TaskStatus;

    use super::*;

    fn page(number: u32, total: u64) -> Page<()> {
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
    fn several_words_come_in_one_parameter_or_in_several() {
        let read = |texts: &[&str]| AnyOf::<TaskStatus>::parse_texts(texts).map(|AnyOf(words)| words);
        let both = vec![TaskStatus::Pending, TaskStatus::InProgress];
        assert_eq!(read(&["pending,in_progress"]), Ok(both.clone()));
        assert_eq!(read(&["pending", "in_progress"]), Ok(both));
        for bad in [&[""][..], &["pending,"], &["pending", "x"], &["pending;in_progress"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(read(&[&["pending"; 51].join(",")]).is_err());
    }

    #[test]
    fn orders_are_read_as_they_are_written() {
        let read = Sort::<TaskSort>::parse_text;
        assert_eq!(read("-priority,due_at").expect("an order").write(), json!("-priority,due_at"));
        for text in ["", "priority,", "id", "title,title,title,title,title,title,title"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(Sort::<MeetingSort>::parse_text("-meeting_date,title").is_ok());
    }
}
