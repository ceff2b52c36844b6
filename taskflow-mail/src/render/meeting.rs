//! The words of letters about meetings.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{
    Description, Invitation, Location, Mailbox, MeetingFacts, MeetingResponse, MeetingType, MeetingUrl, PersonName,
};

use super::reader::Reader;
use crate::message::one_line;

/// Most characters that are shown of a text which is different.
const EXCERPT: usize = 200;

/// How much of what comes before the difference is shown with it, in characters.
const LEAD_IN: usize = 40;

/// What all letters about a meeting know.
pub(super) fn words(
    Invitation { meeting, participant, respond_url }: &Invitation,
    reader: &Reader<'_>,
) -> Result<Value, RenderError> {
    // Whoever called the meeting comes; nobody asks them.
    let is_asked = !participant.is_organizer();
    let answer = Some(participant.response).filter(|response| is_asked && *response != MeetingResponse::Pending);
    let answer = answer.map(|answer| reader.say(&format!("answer.{}", answer.as_str()))).transpose()?;
    Ok(context! {
        title => meeting.title.as_str(),
        description => meeting.description.as_ref().map(Description::as_str),
        when => reader.long(meeting.starts_at)?,
        when_briefly => reader.brief(meeting.starts_at)?,
        relative => reader.relative(meeting.starts_at)?,
        lasts => reader.lasts(meeting.duration.get())?,
        how => how(meeting.meeting_type, reader)?,
        location => meeting.location.as_ref().map(Location::as_str),
        meeting_url => meeting.meeting_url.as_ref().map(MeetingUrl::as_str),
        organizer => called(&meeting.organizer),
        organizer_name => name_of(&meeting.organizer),
        is_cancelled => meeting.cancelled_at.is_some(),
        respond_url => respond_url.as_ref().filter(|_| is_asked),
        answer,
    })
}

/// What a mail to an organizer knows about the participant it is about.
pub(super) fn who(Invitation { participant, .. }: &Invitation) -> Value {
    let (name, email) = (participant.name.as_ref().map(PersonName::as_str), participant.email.to_unicode());
    context! { who => name.unwrap_or(&email), email }
}

/// Every fact that differs, in the order in which people ask for them.
pub(super) fn changes(was: &MeetingFacts, is: &MeetingFacts, reader: &Reader<'_>) -> Result<Vec<Value>, RenderError> {
    let none = reader.say("none")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| none.clone());
    let mut changes = Vec::new();
    let mut differs = |what: &str, was: String, is: String| {
        if was != is {
            changes.push(context! { what => reader.say(what)?, was, is });
        }
        Ok::<(), RenderError>(())
    };
    differs("fact.title", was.title.clone(), is.title.clone())?;
    differs("fact.when", reader.long(was.starts_at)?, reader.long(is.starts_at)?)?;
    differs("fact.duration", reader.lasts(was.duration_minutes)?, reader.lasts(is.duration_minutes)?)?;
    differs("fact.where", text(&was.location), text(&is.location))?;
    differs("fact.link", text(&was.meeting_url), text(&is.meeting_url))?;
    differs("fact.format", how(was.meeting_type, reader)?, how(is.meeting_type, reader)?)?;
    if was.description != is.description {
        let (was, is) = match excerpts(&text(&was.description), &text(&is.description)) {
            Some(excerpts) => excerpts,
            None => (reader.say("meeting_change.same_words")?, reader.say("meeting_change.other_spaces")?),
        };
        differs("fact.description", was, is)?;
    }
    Ok(changes)
}

/// The pieces of two texts in which they differ, each on one line; `None`: they differ only in what no line shows.
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

/// The name alone, where there is one.
fn name_of(Mailbox { name, address }: &Mailbox) -> &str {
    name.as_deref().unwrap_or(address.as_str())
}

/// For example `Ada (ada@example.org)`.
fn called(Mailbox { name, address }: &Mailbox) -> String {
    match name {
        Some(name) => format!("{name} ({address})"),
        None => address.to_string(),
    }
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
