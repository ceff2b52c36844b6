//! The words of a letter, from templates.

mod meeting;
mod shipped;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};
use taskflow_core::ports::{RenderError, Renderer};
use taskflow_core::{Content, Description, Invitation, Letter, Timestamp, Topic, Zone};

use crate::message::one_line;
use shipped::SHIPPED;

/// Finds the words of a letter in templates (minijinja): `{kind of notice}/subject.txt`, `body.txt` and `body.html`,
/// the bodies inside `layout.txt` and `layout.html`.
///
/// What people typed is escaped in every template whose name ends in `.html`. All templates know `name` and
/// `public_url` (none: write no links; guests are shown none, as they cannot sign in); bodies also know `subject`.
/// Times are told in the reader's zone, with its name. Beside these,
///
/// * `welcome` has `verify_url` (may be none);
/// * `verify_email` and `password_reset` have `url` and `until`, `password_changed` has `when`;
/// * `task_due` has `title`, `description` (may be none), `due` and `priority`;
/// * `meeting_…` have `title`, `when`, `when_briefly`, `lasts`, `how`, `organizer` and `is_cancelled`, and what may be
///   none: `description`, `location`, `meeting_url`, `answer` (the reader's own so far) and `respond_url`, a page where
///   it can be given. `meeting_change` also has `changes`, a list of `{what, was, is}`; `meeting_reminder` the
///   organizer's `message` (may be none); `meeting_left` has `who`. Its pieces `meeting/facts` and `meeting/answer` are
///   included by all of them.
///
/// English only: a letter's locale is not looked at yet.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The templates as shipped.
    #[must_use]
    pub fn new() -> Self {
        let mut environment = Environment::new();
        // A variable that does not exist is the fault of the template, not an empty word in somebody's mail.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in SHIPPED {
            environment.add_template(name, source).expect("a test parses every template that is shipped");
        }
        Self { environment }
    }

    /// The names of all templates that may be replaced.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Replaces one template, for example `welcome/subject.txt`.
    ///
    /// # Errors
    ///
    /// There is no template of that name, or `source` does not parse.
    pub fn with_override(mut self, name: &str, source: impl Into<String>) -> Result<Self, RenderError> {
        if !Self::names().any(|known| known == name) {
            let known: Vec<_> = Self::names().collect();
            return Err(RenderError(format!("there is no template {name}, only {}", known.join(", "))));
        }
        self.environment.add_template_owned(name.to_owned(), source.into()).map_err(|error| {
            let detail = error.detail().unwrap_or("it does not parse");
            RenderError(format!("{}: {detail}", place(name, &error)))
        })?;
        Ok(self)
    }

    fn fill(&self, name: &str, context: &Value) -> Result<String, RenderError> {
        let filled = self.environment.get_template(name).and_then(|template| template.render(context.clone()));
        // The detail of an error may quote what a person typed; the kind never does.
        filled.map_err(|error| RenderError(format!("{}: {}", place(name, &error), error.kind())))
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer for Templates {
    fn render(&self, letter: &Letter) -> Result<Content, RenderError> {
        let kind = letter.topic.kind();
        let public_url = letter.public_url.as_ref().filter(|_| !goes_to_a_guest(&letter.topic));
        let common = context! { name => &letter.name, public_url };
        let context = context! { ..common, ..topic_words(&letter.topic, &letter.zone)? };
        let subject = one_line(&self.fill(&format!("{kind}/subject.txt"), &context)?);
        if subject.is_empty() {
            return Err(RenderError(format!("{kind}/subject.txt: the subject is empty")));
        }
        let context = context! { subject => &subject, ..context };
        let text = self.fill(&format!("{kind}/body.txt"), &context)? + "\n";
        let html = self.fill(&format!("{kind}/body.html"), &context)? + "\n";
        Ok(Content { subject, text, html: Some(html) })
    }
}

fn topic_words(topic: &Topic, zone: &Zone) -> Result<Value, RenderError> {
    let about = |invitation: &Invitation| meeting::words(invitation, zone);
    Ok(match topic {
        Topic::Welcome { verify_url } => context! { verify_url },
        Topic::VerifyEmail { url, expires_at } | Topic::PasswordReset { url, expires_at } => {
            context! { url, until => told(*expires_at, zone) }
        }
        Topic::PasswordChanged { at } => context! { when => told(*at, zone) },
        Topic::TaskDue { task, due_at } => context! {
            title => task.title.as_str(),
            description => task.description.as_ref().map(Description::as_str),
            due => told(*due_at, zone),
            priority => task.priority.as_str(),
        },
        Topic::MeetingInvite(invitation) | Topic::MeetingCancel(invitation) => about(invitation),
        Topic::MeetingChange { invitation, was } => context! {
            changes => meeting::changes(was, &invitation.meeting.facts(), zone),
            ..about(invitation)
        },
        Topic::MeetingReminder { invitation, message } => context! { message, ..about(invitation) },
        Topic::MeetingLeft(invitation) => context! { ..meeting::who_left(invitation), ..about(invitation) },
        other => return Err(RenderError(format!("there are no templates for {}", other.kind()))),
    })
}

/// Whether the reader has no account. Who left a meeting is not its reader.
fn goes_to_a_guest(topic: &Topic) -> bool {
    match topic {
        Topic::MeetingInvite(invitation)
        | Topic::MeetingCancel(invitation)
        | Topic::MeetingChange { invitation, .. }
        | Topic::MeetingReminder { invitation, .. } => invitation.participant.user_id.is_none(),
        _ => false,
    }
}

/// For example `Sunday, 22 November 2026 at 10:30 CET (Europe/Berlin)`.
fn told(at: Timestamp, zone: &Zone) -> String {
    let clock = zone.wall_clock(at);
    let time = format!("{} {}", clock.at.format("%A, %-d %B %Y at %H:%M"), clock.abbreviation);
    if zone.name() == clock.abbreviation { time } else { format!("{time} ({})", zone.name()) }
}

/// For example `Sun 22 Nov, 10:30 CET`.
fn told_briefly(at: Timestamp, zone: &Zone) -> String {
    let clock = zone.wall_clock(at);
    format!("{} {}", clock.at.format("%a %-d %b, %H:%M"), clock.abbreviation)
}

fn place(name: &str, error: &minijinja::Error) -> String {
    let name = match error.kind() {
        ErrorKind::TemplateNotFound => name,
        _ => error.name().unwrap_or(name),
    };
    match error.line() {
        Some(line) => format!("template {name}, line {line}"),
        None => format!("template {name}"),
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::NoticeKind;

    use super::*;

    #[test]
    fn every_kind_of_notice_has_its_three_templates() {
        let templates = Templates::new();
        for kind in NoticeKind::ALL {
            for part in ["subject.txt", "body.txt", "body.html"] {
                assert!(templates.environment.get_template(&format!("{kind}/{part}")).is_ok(), "{kind}/{part}");
            }
        }
    }

    #[test]
    fn a_template_that_does_not_exist_or_parse_is_refused_with_its_name() {
        let error = Templates::new().with_override("welcom/subject.txt", "x").expect_err("unknown");
        assert!(error.to_string().contains("welcome/subject.txt"), "{error}");
        let error = Templates::new().with_override("welcome/body.txt", "\n{% if %}").expect_err("broken");
        assert!(error.to_string().contains("welcome/body.txt, line 2"), "{error}");
    }

    #[test]
    fn a_variable_that_does_not_exist_is_an_error_and_not_an_empty_word() {
        let templates = Templates::new().with_override("welcome/body.txt", "{{ nam }}").expect("it parses");
        let letter = Letter {
            name: "Ada".to_owned(),
            locale: taskflow_core::Locale::en(),
            zone: Zone::utc(),
            public_url: None,
            topic: Topic::Welcome { verify_url: None },
        };
        let error = templates.render(&letter).expect_err("undefined");
        assert!(error.to_string().contains("welcome/body.txt, line 1"), "{error}");
    }

    #[test]
    fn times_are_told_in_the_readers_zone_with_its_name() {
        let at = "2026-07-01T12:00:00Z".parse().expect("a time");
        let told_in = |zone: &str| told(at, &zone.parse().expect("a zone"));
        assert_eq!(told_in("Europe/Berlin"), "Wednesday, 1 July 2026 at 14:00 CEST (Europe/Berlin)");
        assert_eq!(told_in("Europe/Istanbul"), "Wednesday, 1 July 2026 at 15:00 +03 (Europe/Istanbul)");
        assert_eq!(told_in("UTC"), "Wednesday, 1 July 2026 at 12:00 UTC");
    }
}
