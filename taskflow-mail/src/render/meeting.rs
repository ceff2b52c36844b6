//! The facts of a meeting in words.

use std::time::Duration;

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{Meeting, MeetingFacts, MeetingType};

use super::reader::Reader;
use crate::message::one_line;

/// The most characters that are shown of a text which is different.
const EXCERPT: usize = 200;

/// The number of characters that are shown before the difference.
const LEAD_IN: usize = 40;

/// The place that names the facts of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A mail: when it starts, and how long it lasts.
    Mail,
    /// A page: from when to when.
    Page,
}

/// Returns the facts of a meeting as a list of `{label, value, was, url}`, each fact once. `was` is what it was before, where
/// that differs; title and description are listed only then.
pub(super) fn rows(
    meeting: &Meeting,
    was: Option<&MeetingFacts>,
    place: Place,
    reader: &Reader<'_>,
) -> Result<Vec<Value>, RenderError> {
    let is = meeting.facts();
    let was = was.unwrap_or(&is);
    let none = reader.say("none")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| none.clone());
    let mut rows = Vec::new();
    let mut row = |label: &str, is: String, was: Option<String>, url: Option<&String>| {
        let label = reader.say(label)?;
        rows.push(context! { label, value => is, was, url });
        Ok::<(), RenderError>(())
    };
    if was.title != is.title {
        row("fact.title", is.title.clone(), Some(was.title.clone()), None)?;
    }
    match place {
        Place::Mail => {
            let before = (was.starts_at != is.starts_at).then(|| reader.long_beside(was.starts_at, is.starts_at));
            row("fact.when", reader.long(is.starts_at)?, before.transpose()?, None)?;
            let minutes = (was.duration_minutes, is.duration_minutes);
            let before = (minutes.0 != minutes.1).then(|| reader.lasts(minutes.0));
            row("fact.duration", reader.lasts(minutes.1)?, before.transpose()?, None)?;
        }
        Place::Page => {
            let ends_at = was.starts_at + Duration::from_mins(was.duration_minutes.into());
            let differs = (was.starts_at, ends_at) != (is.starts_at, meeting.ends_at());
            let before = differs.then(|| reader.period_beside(was.starts_at, ends_at, meeting.ends_at()));
            row("fact.when", reader.period(is.starts_at, meeting.ends_at())?, before.transpose()?, None)?;
        }
    }
    if was.location != is.location || is.location.is_some() {
        let before = (was.location != is.location).then(|| text(&was.location));
        row("fact.where", text(&is.location), before, None)?;
    }
    if was.meeting_url != is.meeting_url || is.meeting_url.is_some() {
        let before = (was.meeting_url != is.meeting_url).then(|| text(&was.meeting_url));
        row("fact.link", text(&is.meeting_url), before, is.meeting_url.as_ref())?;
    }
    let says_nothing = is.location.is_some() || is.meeting_url.is_some() || is.meeting_type == MeetingType::InPerson;
    if was.meeting_type != is.meeting_type || !says_nothing {
        let before = (was.meeting_type != is.meeting_type).then(|| how(was.meeting_type, reader));
        row("fact.format", how(is.meeting_type, reader)?, before.transpose()?, None)?;
    }
    if was.description != is.description {
        let (was, is) = match excerpts(&text(&was.description), &text(&is.description)) {
            Some(excerpts) => excerpts,
            None => (reader.say("meeting_change.same_words")?, reader.say("meeting_change.other_spaces")?),
        };
        row("fact.description", is, Some(was), None)?;
    }
    row("fact.organizer", meeting.organizer.label(), None, None)?;
    Ok(rows)
}

/// Returns the rows that differ, as a list of `{what, was, is}`.
pub(super) fn changes(rows: &[Value]) -> Result<Vec<Value>, RenderError> {
    let member = |row: &Value, name: &str| row.get_attr(name).map_err(|error| RenderError(error.kind().to_string()));
    let mut changes = Vec::new();
    for row in rows {
        let was = member(row, "was")?;
        if !was.is_none() {
            changes.push(context! { what => member(row, "label")?, was, is => member(row, "value")? });
        }
    }
    Ok(changes)
}

/// Returns the parts of two texts in which they differ, each on one line; `None`: they differ in white space only.
fn excerpts(was: &str, is: &str) -> Option<(String, String)> {
    let (was, is) = (one_line(was), one_line(is));
    if was == is {
        return None;
    }
    let alike = was.chars().zip(is.chars()).take_while(|(was, is)| was == is).count();
    let skip = if alike > EXCERPT / 2 { alike - LEAD_IN } else { 0 };
    let excerpt = |text: &str| {
        let left: Vec<char> = text.chars().skip(skip).collect();
        let shown: String = left.iter().take(EXCERPT).collect();
        let (before, after) = (if skip > 0 { "…" } else { "" }, if left.len() > EXCERPT { "…" } else { "" });
        format!("{before}{shown}{after}")
    };
    Some((excerpt(&was), excerpt(&is)))
}

fn how(kind: MeetingType, reader: &Reader<'_>) -> Result<String, RenderError> {
    reader.say(&format!("how.{}", kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shown_where_they_differ() {
        let long = "\u{e9}".repeat(5_000);
        let (was, is) = excerpts(&format!("{long}a"), &format!("{long}b{long}")).expect("they differ");
        assert_eq!(was, format!("…{}a", "\u{e9}".repeat(LEAD_IN)));
        assert!(is.starts_with(&format!("…{}b", "\u{e9}".repeat(LEAD_IN))) && is.ends_with("\u{e9}…"));
        assert_eq!(is.chars().count(), EXCERPT + 2);
        assert_eq!(excerpts("none", "a\nb"), Some(("none".to_owned(), "a b".to_owned())));
        assert_eq!(excerpts("a b", "a\r\nb"), None);
    }
}
