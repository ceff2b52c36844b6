use crate::{Comment, Content, DeliveryProblem, Invitation, Letter, NoticeContent, PersonName, Timestamp};

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
            NoticeContent::Welcome { verify_url } => {
                let verify = verify_url.as_ref().map(|url| format!(" Please confirm your email address: {url}"));
                let line = format!("Your account is ready.{}", verify.unwrap_or_default());
                ("Welcome to TaskFlow".to_owned(), line)
            }
            NoticeContent::VerifyEmail { url, .. } => {
                ("Confirm your email address".to_owned(), format!("Please confirm your email address: {url}"))
            }
            NoticeContent::PasswordReset { url, .. } => {
                ("Set a new password".to_owned(), format!("You can set a new password here: {url}"))
            }
            NoticeContent::PasswordChanged { at } => {
                let line = format!("Your password was changed on {}.", when(letter, *at));
                ("Your password was changed".to_owned(), line)
            }
            NoticeContent::TaskStatus { task, is, .. } => {
                (format!("{}: {is}", task.title), format!("\"{}\" is now {is}.", task.title))
            }
            NoticeContent::TaskReminder(digest) => {
                (format!("{} open tasks", digest.open()), format!("You have {} open tasks.", digest.open()))
            }
            NoticeContent::DailySummary(digest) => (
                format!("Your day: {}", digest.date),
                format!(
                    "{} done, {} overdue, {} open, {} meetings.",
                    digest.done.total,
                    digest.overdue.total,
                    digest.today.total + digest.week.total + digest.later.total,
                    digest.meetings.total
                ),
            ),
            NoticeContent::ServerAlert { problems, .. } => ("Something is wrong".to_owned(), problems.join("\n")),
            NoticeContent::ServerRecovery { problems, .. } => {
                let line = format!("This problem has been resolved:\n{}", problems.join("\n"));
                ("Everything is running normally again".to_owned(), line)
            }
            NoticeContent::Letter(letter) => {
                let text = letter.text.clone().unwrap_or_default();
                return Ok(Content { subject: letter.subject.clone(), text, html: letter.html.clone() });
            }
            NoticeContent::Custom(content) => (content.subject.clone(), content.text.clone()),
            NoticeContent::MeetingInvite(invitation) => meeting(letter, invitation, "Invitation", "You are invited to"),
            NoticeContent::MeetingChange { invitation, .. } => {
                meeting(letter, invitation, "Changed", "There are changes to")
            }
            NoticeContent::MeetingCancel(invitation) => {
                meeting(letter, invitation, "Cancelled", "This meeting is cancelled:")
            }
            NoticeContent::MeetingReminder { invitation, .. } => {
                meeting(letter, invitation, "Soon", "This meeting starts soon:")
            }
            NoticeContent::MeetingProposal { invitation, starts_at } => {
                let who = called(invitation);
                let at = starts_at.map_or_else(String::new, |at| format!(" {}", when(letter, at)));
                let comment = invitation.participant.comment.as_ref().map_or("", Comment::as_str);
                let line = format!("{who} proposes another time:{at} {comment}\n\nYour meeting is");
                meeting(letter, invitation, &format!("{who} proposes another time"), &line)
            }
            NoticeContent::MeetingUndelivered(invitation) => {
                let email = &invitation.participant.email;
                let why = invitation.participant.delivery_problem.as_ref().map_or("", DeliveryProblem::as_str);
                let line = format!("Mail to {email} could not be delivered: {why}\n\nYour meeting is");
                meeting(letter, invitation, "Not delivered", &line)
            }
            NoticeContent::MeetingLeft(invitation) => {
                let who = called(invitation);
                let subject = format!("{who} can't make it");
                meeting(letter, invitation, &subject, &format!("{who} will not attend"))
            }
            NoticeContent::TaskDue { task, due_at, others } if others.is_empty() => {
                let line = format!("\"{}\" is due on {}.", task.title, when(letter, *due_at));
                (format!("Due soon: {}", task.title), line)
            }
            NoticeContent::TaskDue { task, others, .. } => {
                let titles: Vec<_> = std::iter::once(task).chain(others).map(|task| task.title.as_str()).collect();
                (format!("Due soon: {} tasks", titles.len()), format!("These are due soon:\n{}", titles.join("\n")))
            }
        };
        let hello = if letter.name.is_empty() { "Hello,".to_owned() } else { format!("Hello {},", letter.name) };
        Ok(Content { subject, text: format!("{hello}\n\n{line}\n"), html: None })
    }
}

fn meeting(letter: &Letter, Invitation { meeting, .. }: &Invitation, subject: &str, line: &str) -> (String, String) {
    let when = when(letter, meeting.starts_at);
    (format!("{subject}: {}", meeting.title), format!("{line} \"{}\" on {when}.", meeting.title))
}

/// The name of a participant, else their address.
fn called(invitation: &Invitation) -> &str {
    let participant = &invitation.participant;
    participant.name.as_ref().map_or(participant.email.as_str(), PersonName::as_str)
}

/// For example `2026-11-22 at 10:30 CET`.
fn when(letter: &Letter, at: Timestamp) -> String {
    let clock = letter.zone.wall_clock(at);
    format!("{} {}", clock.at.format("%Y-%m-%d at %H:%M"), clock.abbreviation)
}
