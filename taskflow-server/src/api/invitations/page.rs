//! A meeting as a page.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{
    Comment, FieldError, LinkedMeeting, MeetingFacts, MeetingResponse, MeetingStatus, Participant, ParticipantsShown,
    PersonName, Timestamp,
};
use taskflow_mail::PageWords;

use crate::api::html::{self, Page};

/// The answers somebody chooses from, in the order of their buttons, with the last part of the keys of their words.
const ANSWERS: [(MeetingResponse, &str); 3] = [
    (MeetingResponse::Accepted, "accept"),
    (MeetingResponse::Tentative, "maybe"),
    (MeetingResponse::Declined, "decline"),
];

/// The result of a response that was just given, as the page shows it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    /// None was.
    None,
    /// It is recorded.
    Saved,
    /// It is not, and why.
    Refused {
        /// Fields that were refused.
        errors: &'a [FieldError],
        /// The response that was given.
        response: Option<MeetingResponse>,
    },
    /// It is not, since the meeting is no longer what was shown.
    Outdated {
        /// The meeting as it was shown.
        was: Option<&'a MeetingFacts>,
        /// The response that was given.
        response: Option<MeetingResponse>,
        /// The comment to be added to the response.
        comment: Option<&'a Comment>,
    },
}

/// The meeting as it is at `now`, with a form to answer as long as it is not over.
pub(super) fn render(page: &LinkedMeeting, token: &str, now: Timestamp, word: Word<'_>) -> Page {
    let words = html::words(&page.locale, &page.time_zone, now);
    let rendered = Page::rendered(rendered(page, token, now, word, &words));
    match word {
        Word::None | Word::Saved => rendered,
        Word::Refused { .. } => rendered.refused(),
        Word::Outdated { .. } => rendered.with_status(poem::http::StatusCode::CONFLICT),
    }
}

fn rendered(
    page: &LinkedMeeting,
    token: &str,
    now: Timestamp,
    word: Word<'_>,
    words: &PageWords<'_>,
) -> Result<String, RenderError> {
    let LinkedMeeting { meeting, participant, .. } = page;
    let say = |key: &str| words.say(key, &[]);
    let title = meeting.title.as_str();
    let asks = !participant.is_organizer();
    let (status, is_off) = match meeting.status(now) {
        MeetingStatus::Cancelled => (Some(say("page.answer.cancelled")?), true),
        MeetingStatus::Completed => (Some(say("page.answer.over")?), true),
        MeetingStatus::Scheduled | MeetingStatus::InProgress if asks => (None, false),
        MeetingStatus::Scheduled | MeetingStatus::InProgress => (Some(say("page.answer.you_organize")?), false),
    };
    let form = if asks && !is_off { Some(form(page, word, words)?) } else { None };
    // Only a page that nothing was done on yet asks; afterwards its note says what came of it.
    let asked = chosen(page, word).filter(|_| form.is_some() && matches!(word, Word::None));
    let heading = match asked.and_then(key_of) {
        Some(key) => words.say(&format!("page.answer.ask_{key}"), &[("title", title)])?,
        None => title.to_owned(),
    };
    let answered = |response: MeetingResponse| say(&format!("answer.{}", response.as_str()));
    let note = |tone: &str, role: &str, title: &str, text: &str| {
        let answer = match participant.response {
            MeetingResponse::Pending => String::new(),
            response => answered(response)?,
        };
        let text = words.say(text, &[("answer", &answer)])?;
        Ok::<_, RenderError>(context! { tone, role, title => say(title)?, text })
    };
    let note = match word {
        Word::None if page.was.is_some() && form.is_some() => {
            Some(note("bad", "status", "page.changed", "page.answer.newer")?)
        }
        Word::None => None,
        Word::Saved => Some(note("good", "status", "page.saved", "page.answer.recorded")?),
        Word::Refused { .. } => Some(note("bad", "alert", "page.not_saved", "page.answer.not_recorded")?),
        Word::Outdated { .. } => Some(note("bad", "alert", "page.not_saved", "page.answer.outdated")?),
    };
    let errors: Vec<String> = match word {
        Word::Refused { errors, .. } => {
            let limits = (1, Comment::MAX_LENGTH);
            errors.iter().map(|error| words.refusal(error, limits)).collect::<Result<_, _>>()?
        }
        _ => Vec::new(),
    };
    let was = match word {
        Word::Outdated { was, .. } => was,
        // In the mail that led here.
        Word::None => page.was.as_ref(),
        Word::Saved | Word::Refused { .. } => None,
    };
    let comment = match word {
        Word::Outdated { comment, .. } => comment,
        _ => participant.comment.as_ref(),
    };
    let answer = match (participant.response, participant.reset_response) {
        _ if !asks || matches!(word, Word::Saved) => None,
        (MeetingResponse::Pending, Some(before)) if !is_off && before != MeetingResponse::Pending => {
            Some(words.say("page.answer.reset", &[("answer", &answered(before)?)])?)
        }
        (response, _) => Some(say(&format!("page.answer.{}", response.as_str()))?),
    };
    let values = context! {
        note,
        errors,
        rows => words.meeting(meeting, was)?,
        description => meeting.description.as_ref().map(taskflow_core::Description::as_str).filter(|text| !text.trim().is_empty()),
        status,
        is_off,
        answer,
        form,
        version => meeting.version,
        comment => comment.map(Comment::as_str),
        comment_length => Comment::MAX_LENGTH,
        calendar_url => (!is_off).then(|| format!("../r/{token}.ics")),
        people => people(page, words)?,
        counts => counts(page, words)?,
    };
    words.render("meeting", &heading, &values)
}

/// The answer that only has to be confirmed.
fn chosen(page: &LinkedMeeting, word: Word<'_>) -> Option<MeetingResponse> {
    match word {
        Word::Saved => None,
        Word::Outdated { response, .. } | Word::Refused { response, .. } => response.or(page.chosen),
        // An answer that was given already is not asked for again.
        Word::None => page.chosen.filter(|chosen| *chosen != page.participant.response),
    }
}

/// The buttons: with a choice one of them is the primary one, which only has to be confirmed.
fn form(page: &LinkedMeeting, word: Word<'_>, words: &PageWords<'_>) -> Result<Value, RenderError> {
    let chosen = chosen(page, word);
    let answered = page.participant.response != MeetingResponse::Pending;
    let mut buttons = Vec::new();
    for (response, key) in ANSWERS {
        let is_chosen = chosen == Some(response);
        let is_current = page.participant.response == response;
        let label = if is_chosen {
            words.say(&format!("page.answer.confirm_{key}"), &[])?
        } else if is_current {
            let answer = words.say(&format!("answer.{}", response.as_str()), &[])?;
            words.say("page.answer.keep", &[("answer", &answer)])?
        } else {
            words.say(&format!("answer.{key}"), &[])?
        };
        // Without a choice the first answer is the usual one, until somebody has answered.
        let primary = is_chosen || (chosen.is_none() && !answered && response == MeetingResponse::Accepted);
        buttons.push(((!is_chosen, is_current), context! { value => response.as_str(), label, primary }));
    }
    buttons.sort_by_key(|(order, _)| *order);
    let buttons: Vec<Value> = buttons.into_iter().map(|(_, button)| button).collect();
    let hint = match (chosen, answered) {
        (Some(_), _) => Some("page.answer.confirm_hint"),
        (None, true) => Some("page.answer.change"),
        (None, false) => None,
    };
    Ok(context! { buttons, hint => hint.map(|key| words.say(key, &[])).transpose()? })
}

/// Returns the participants, as far as the reader may see them.
fn people(page: &LinkedMeeting, words: &PageWords<'_>) -> Result<Vec<Value>, RenderError> {
    let everything = match page.shown {
        ParticipantsShown::Everything => true,
        ParticipantsShown::Answers => false,
        ParticipantsShown::Counts => return Ok(Vec::new()),
    };
    let one = |one: &Participant| {
        let (name, email) = (one.name.as_ref().map(PersonName::as_str), one.email.as_str());
        let state = match one.is_organizer() {
            true => words.say("page.people.organizer", &[])?,
            false => words.say(&format!("page.people.state_{}", one.response.as_str()), &[])?,
        };
        let name = if everything { called(name, email) } else { name.unwrap_or(email).to_owned() };
        let comment = one.comment.as_ref().filter(|_| everything).map(Comment::as_str);
        Ok(context! { name, state, comment })
    };
    page.participants.iter().map(one).collect()
}

/// Returns the number of participants that gave each response, without the organizer.
fn counts(page: &LinkedMeeting, words: &PageWords<'_>) -> Result<Option<String>, RenderError> {
    let mut told = Vec::new();
    for response in
        [MeetingResponse::Accepted, MeetingResponse::Tentative, MeetingResponse::Declined, MeetingResponse::Pending]
    {
        let invited = page.participants.iter().filter(|one| !one.is_organizer());
        let count = invited.filter(|one| one.response == response).count();
        if count > 0 {
            let key = format!("page.people.{}", response.as_str());
            told.push(words.say(&key, &[("count", &count.to_string())])?);
        }
    }
    Ok(Some(told.join(" · ")).filter(|told| !told.is_empty()))
}

fn key_of(response: MeetingResponse) -> Option<&'static str> {
    ANSWERS.iter().find(|(answer, _)| *answer == response).map(|(_, key)| *key)
}

/// For example `Ada (ada@example.org)`.
fn called(name: Option<&str>, address: &str) -> String {
    match name {
        Some(name) => format!("{name} ({address})"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use poem::IntoResponse;
    use taskflow_core::{Invitee, Locale, Meeting, MeetingId, NewMeeting, ParticipantId, StartsAt, UserId};
    use uuid::Uuid;

    use super::*;

    const EVIL: &str = "\"></title></dl><script>alert(1)</script>";
    const BEFORE: &str = "2027-01-01T00:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn page() -> LinkedMeeting {
        let new = NewMeeting {
            description: Some(EVIL.parse().expect("a description")),
            location: Some(EVIL.parse().expect("a place")),
            meeting_url: Some("https://meet.example.org/?a='\"<".parse().expect("a URL")),
            ..NewMeeting::titled(EVIL.parse().expect("a title"), StartsAt::Instant(at("2027-03-27T22:30:00Z")))
        };
        let (id, address) = (Uuid::nil(), "ada@example.org".parse().expect("an address"));
        let organizer = taskflow_core::Mailbox { name: Some(EVIL.to_owned()), address };
        let zone = "Europe/Berlin".parse().expect("a zone");
        let id = MeetingId::from_uuid(id);
        let meeting = Meeting::new(id, UserId::from_uuid(Uuid::nil()), organizer, &zone, new, at(BEFORE));
        let invitee = Invitee::new("guest@example.org".parse().expect("an address"));
        let participant = Participant::invited(ParticipantId::from_uuid(Uuid::nil()), id, invitee, None);
        LinkedMeeting {
            meeting: meeting.expect("a meeting"),
            participants: vec![participant.clone()],
            participant,
            shown: ParticipantsShown::Counts,
            chosen: None,
            was: None,
            locale: Locale::en(),
            time_zone: zone,
        }
    }

    async fn text(page: &LinkedMeeting, now: &str, word: Word<'_>) -> String {
        render(page, "token", at(now), word).into_response().take_body().into_string().await.expect("text")
    }

    #[tokio::test]
    async fn nothing_that_people_wrote_gets_out_of_its_place() {
        let mut page = page();
        page.participant.comment = Some("</textarea><script>".parse().expect("a comment"));
        page.participants = vec![page.participant.clone()];
        page.shown = ParticipantsShown::Everything;
        let page = text(&page, BEFORE, Word::None).await;
        assert!(!page.contains("<script") && page.matches("</dl>").count() == 1, "{page}");
        assert!(page.matches("</textarea>").count() == 1 && page.contains("?a=%27%22%3C"), "{page}");
    }

    #[tokio::test]
    async fn times_stand_in_the_zone_of_the_reader_with_its_name() {
        let page = text(&page(), BEFORE, Word::None).await.replace('\u{a0}', " ");
        let when = "Saturday, 27 March 2027, 23:30 \u{2013} Sunday, 28 March 2027, 00:30 CET (Europe/Berlin)";
        assert!(page.contains(when), "{page}");
    }

    #[tokio::test]
    async fn whoever_can_still_answer_gets_a_form() {
        let mut page = page();
        let before = text(&page, BEFORE, Word::Saved).await;
        assert!(before.contains("<form method=\"post\">") && before.contains("is saved"), "{before}");
        assert!(before.contains("\n</textarea>"), "no comment is an empty one: {before}");
        let after = text(&page, "2027-04-01T00:00:00Z", Word::None).await;
        assert!(!after.contains("<form") && after.contains("is over"));
        page.meeting = page.meeting.cancel(at(BEFORE));
        let off = text(&page, BEFORE, Word::None).await;
        assert!(!off.contains("<form") && off.contains("is cancelled"));
    }

    #[tokio::test]
    async fn the_choice_of_the_link_is_the_one_primary_button_and_comes_first() {
        for (chosen, key) in ANSWERS {
            let page = LinkedMeeting { chosen: Some(chosen), ..page() };
            let page = text(&page, BEFORE, Word::None).await;
            assert_eq!(page.matches("class=\"primary\"").count(), 1, "{page}");
            let primary =
                format!("<button name=\"response\" value=\"{}\" class=\"primary\">Confirm: {key}", chosen.as_str());
            let at = page.find(&primary).unwrap_or_else(|| panic!("{primary} is missing in {page}"));
            assert_eq!(page.find("<button"), Some(at));
            assert_eq!(page.matches("<button name=\"response\"").count(), 3);
        }
    }

    #[tokio::test]
    async fn only_a_page_on_which_nothing_was_done_asks_and_the_present_answer_is_marked() {
        let asked = LinkedMeeting { chosen: Some(MeetingResponse::Accepted), ..page() };
        let before = text(&asked, BEFORE, Word::None).await;
        assert!(
            before.contains("Accept the invitation to") && before.contains("You have not answered yet."),
            "{before}"
        );
        let mut answered = asked.clone();
        answered.participant = answered.participant.respond(MeetingResponse::Accepted, None, at(BEFORE));
        for word in [Word::Saved, Word::None] {
            let page = text(&answered, BEFORE, word).await;
            assert!(!page.contains("Accept the invitation to") && page.contains("Keep my answer: accepted"), "{page}");
            assert!(!page.contains("Confirm: accept") && page.matches("<button").count() == 3, "{page}");
        }
        let errors = [FieldError::new("comment", "is too long").with_code(taskflow_core::FieldCode::TooLong)];
        let refused = Word::Refused { errors: &errors, response: Some(MeetingResponse::Declined) };
        let refused = text(&asked, BEFORE, refused).await;
        assert!(!refused.contains("the invitation to") && refused.contains("at most 1000 characters"), "{refused}");
        assert!(refused.contains("Confirm: decline"), "{refused}");
        answered.participant.response = MeetingResponse::Pending;
        answered.participant.reset_response = Some(MeetingResponse::Tentative);
        let reset = text(&answered, BEFORE, Word::None).await;
        assert!(reset.contains("Your answer “maybe” was for the old time. Please answer again."), "{reset}");
    }

    #[tokio::test]
    async fn a_page_that_is_outdated_says_what_was_and_what_is_and_keeps_the_comment() {
        let page = page();
        let facts = page.meeting.facts();
        let was = MeetingFacts { location: Some("Room <1>".to_owned()), ..facts };
        let comment = "see you".parse().expect("a comment");
        let page = text(
            &page,
            BEFORE,
            Word::Outdated { was: Some(&was), response: Some(MeetingResponse::Declined), comment: Some(&comment) },
        )
        .await;
        assert!(page.contains("<del>Room &lt;1&gt;</del> <ins>") && page.contains("see you</textarea>"), "{page}");
        assert_eq!((page.matches("CET").count(), page.matches("<dl").count()), (1, 1), "each fact stands once: {page}");
        assert!(page.contains("role=\"alert\"") && page.contains("Confirm: decline"));
    }
}
