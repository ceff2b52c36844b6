//! The words of letters about meetings.

use minijinja::{Value, context};
use taskflow_core::{
    Description, Invitation, Location, Mailbox, MeetingFacts, MeetingResponse, MeetingType, MeetingUrl, PersonName,
    Zone,
};

use super::{told, told_briefly};
use crate::message::one_line;

/// Most characters that are shown of a text which is different.
const EXCERPT: usize = 200;

/// How much of what comes before the difference is shown with it, in characters.
const LEAD_IN: usize = 40;

/// What all letters about a meeting know.
pub(super) fn words(Invitation { meeting, participant, respond_url }: &Invitation, zone: &Zone) -> Value {
    let answer = Some(participant.response).filter(|response| *response != MeetingResponse::Pending);
    context! {
        title => meeting.title.as_str(),
        description => meeting.description.as_ref().map(Description::as_str),
        when => told(meeting.starts_at, zone),
        when_briefly => told_briefly(meeting.starts_at, zone),
        lasts => lasts(meeting.duration.get()),
        how => how(meeting.meeting_type),
        location => meeting.location.as_ref().map(Location::as_str),
        meeting_url => meeting.meeting_url.as_ref().map(MeetingUrl::as_str),
        organizer => called(&meeting.organizer),
        is_cancelled => meeting.cancelled_at.is_some(),
        // Whoever called the meeting comes; nobody asks them.
        respond_url => respond_url.as_ref().filter(|_| !participant.is_organizer()),
        answer => answer.filter(|_| !participant.is_organizer()).map(MeetingResponse::as_str),
    }
}

/// What the letter to an organizer knows about somebody who left.
pub(super) fn who_left(Invitation { participant, .. }: &Invitation) -> Value {
    let name = participant.name.as_ref().map(PersonName::to_string);
    context! { who => called(&Mailbox { name, address: participant.email.clone() }) }
}

/// Every fact that differs, in the order in which people ask for them.
pub(super) fn changes(was: &MeetingFacts, is: &MeetingFacts, zone: &Zone) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let mut changes = Vec::new();
    let mut differs = |what: &str, was: String, is: String| {
        if was != is {
            changes.push(context! { what, was, is });
        }
    };
    differs("Title", was.title.clone(), is.title.clone());
    differs("When", told(was.starts_at, zone), told(is.starts_at, zone));
    differs("Takes", lasts(was.duration_minutes), lasts(is.duration_minutes));
    differs("Where", text(&was.location), text(&is.location));
    differs("Link", text(&was.meeting_url), text(&is.meeting_url));
    differs("How", how(was.meeting_type).to_owned(), how(is.meeting_type).to_owned());
    if was.description != is.description {
        let (was, is) = excerpts(&text(&was.description), &text(&is.description));
        differs("Description", was, is);
    }
    changes
}

/// The pieces of two texts in which they differ, each on one line.
fn excerpts(was: &str, is: &str) -> (String, String) {
    let (was, is) = (one_line(was), one_line(is));
    if was == is {
        return ("the same words".to_owned(), "with other spaces or line breaks".to_owned());
    }
    let alike = was.chars().zip(is.chars()).take_while(|(was, is)| was == is).count();
    let skip = if alike > EXCERPT / 2 { alike - LEAD_IN } else { 0 };
    let excerpt = |text: &str| {
        let left: Vec<char> = text.chars().skip(skip).collect();
        let shown: String = left.iter().take(EXCERPT).collect();
        let (before, after) = (if skip > 0 { "…" } else { "" }, if left.len() > EXCERPT { "…" } else { "" });
        format!("{before}{shown}{after}")
    };
    (excerpt(&was), excerpt(&is))
}

fn how(kind: MeetingType) -> &'static str {
    match kind {
        MeetingType::InPerson => "in person",
        MeetingType::Virtual => "online",
        MeetingType::Hybrid => "in person and online",
    }
}

/// For example `1 hour 30 minutes`.
fn lasts(minutes: u32) -> String {
    let count = |number: u32, unit: &str| match number {
        0 => None,
        1 => Some(format!("1 {unit}")),
        _ => Some(format!("{number} {unit}s")),
    };
    let parts = [count(minutes / 60, "hour"), count(minutes % 60, "minute")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
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
    fn lengths_are_told_in_hours_and_minutes() {
        let told: Vec<_> = [1, 45, 60, 90, 121, 1440].map(lasts).into();
        let expected = ["1 minute", "45 minutes", "1 hour", "1 hour 30 minutes", "2 hours 1 minute", "24 hours"]
            .map(str::to_owned);
        assert_eq!(told, expected);
    }

    #[test]
    fn long_texts_are_shown_where_they_differ() {
        let long = "\u{e9}".repeat(5_000);
        let (was, is) = excerpts(&format!("{long}a"), &format!("{long}b{long}"));
        assert_eq!(was, format!("…{}a", "\u{e9}".repeat(LEAD_IN)));
        assert!(is.starts_with(&format!("…{}b", "\u{e9}".repeat(LEAD_IN))) && is.ends_with("\u{e9}…"));
        assert_eq!(is.chars().count(), EXCERPT + 2);
        assert_eq!(excerpts("none", "a\nb"), ("none".to_owned(), "a b".to_owned()));
        let (was, is) = excerpts("a b", "a\r\nb");
        assert_ne!(was, is);
    }
}
