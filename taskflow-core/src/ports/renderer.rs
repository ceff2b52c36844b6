use crate::{Content, Invitation, Letter, Topic};

/// A letter that cannot be put into words: the fault of a template, named without its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot render: {0}")]
pub struct RenderError(pub String);

/// Finds the words of a letter.
///
/// # Contract
///
/// Pure: the same letter gives the same words, byte for byte. The subject is one line. Whatever people typed is escaped
/// in HTML.
pub trait Renderer: Send + Sync {
    /// The words of `letter`.
    fn render(&self, letter: &Letter) -> Result<Content, RenderError>;
}

/// Short English text without HTML, for hosts that bring no templates.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainRenderer;

impl Renderer for PlainRenderer {
    fn render(&self, letter: &Letter) -> Result<Content, RenderError> {
        let (subject, line) = match &letter.topic {
            Topic::Welcome { verify_url } => {
                let verify = verify_url.as_ref().map(|url| format!(" Please confirm your address: {url}"));
                let line = format!("your account is ready.{}", verify.unwrap_or_default());
                ("Welcome to TaskFlow".to_owned(), line)
            }
            Topic::VerifyEmail { url, .. } => {
                ("Confirm your address".to_owned(), format!("please confirm your address: {url}"))
            }
            Topic::PasswordReset { url, .. } => {
                ("Set a new password".to_owned(), format!("set a new password here: {url}"))
            }
            Topic::PasswordChanged { at } => {
                let when = letter.zone.wall_clock(*at);
                let when = format!("{} {}", when.at.format("%Y-%m-%d %H:%M"), when.abbreviation);
                ("Your password was changed".to_owned(), format!("your password was changed at {when}."))
            }
            Topic::TaskStatus { task, is, .. } => {
                (format!("{}: {is}", task.title), format!("\"{}\" is {is} now.", task.title))
            }
            Topic::TaskReminder { tasks } => {
                (format!("{} open tasks", tasks.total), format!("you have {} open tasks.", tasks.total))
            }
            Topic::DailySummary(digest) => (
                format!("Your day: {}", digest.date),
                format!(
                    "{} done, {} overdue, {} open, {} meetings.",
                    digest.done.total, digest.overdue.total, digest.open.total, digest.meetings.total
                ),
            ),
            Topic::ServerAlert { problems, .. } => ("Something is wrong".to_owned(), problems.join("\n")),
            Topic::ServerRecovery { problems, .. } => {
                ("It is right again".to_owned(), format!("this is over:\n{}", problems.join("\n")))
            }
            Topic::Letter(letter) => {
                let text = letter.text.clone().unwrap_or_default();
                return Ok(Content { subject: letter.subject.clone(), text, html: letter.html.clone() });
            }
            Topic::MeetingInvite(invitation) => meeting(letter, invitation, "Invitation", "you are invited to"),
            Topic::MeetingChange { invitation, .. } => meeting(letter, invitation, "Changed", "there is news of"),
            Topic::MeetingCancel(invitation) => meeting(letter, invitation, "Cancelled", "this is off:"),
            Topic::MeetingReminder { invitation, .. } => meeting(letter, invitation, "Soon", "this begins soon:"),
            Topic::MeetingLeft(invitation) => {
                let who = format!("{} has left", invitation.participant.email);
                meeting(letter, invitation, "Somebody left", &who)
            }
            Topic::TaskDue { task, due_at } => {
                let due = letter.zone.wall_clock(*due_at);
                let due = format!("{} {}", due.at.format("%Y-%m-%d %H:%M"), due.abbreviation);
                (format!("Due soon: {}", task.title), format!("\"{}\" is due at {due}.", task.title))
            }
        };
        Ok(Content { subject, text: format!("Hello {},\n\n{line}\n", letter.name), html: None })
    }
}

fn meeting(letter: &Letter, Invitation { meeting, .. }: &Invitation, subject: &str, line: &str) -> (String, String) {
    let when = letter.zone.wall_clock(meeting.starts_at);
    let when = format!("{} {}", when.at.format("%Y-%m-%d %H:%M"), when.abbreviation);
    (format!("{subject}: {}", meeting.title), format!("{line} \"{}\", {when}.", meeting.title))
}
