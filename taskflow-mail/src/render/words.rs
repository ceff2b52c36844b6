//! What the templates of each topic know.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{
    Description, Digest, Excerpt, Invitation, LetterLinks, Location, Meeting, MeetingUrl, Task, TaskPriority,
    TaskStatus, Topic,
};

use super::meeting;
use super::reader::Reader;

/// The variables of a topic; see [`Templates`](super::Templates) for what they mean.
pub(super) fn of(topic: &Topic, links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let about = |invitation: &Invitation| meeting::words(invitation, reader);
    Ok(match topic {
        Topic::Welcome { verify_url } => context! { verify_url },
        Topic::VerifyEmail { url, expires_at } | Topic::PasswordReset { url, expires_at } => {
            context! { url, until => reader.long(*expires_at)? }
        }
        Topic::PasswordChanged { at } => context! { when => reader.long(*at)? },
        Topic::TaskStatus { task, was, is } => context! {
            title => task.title.as_str(),
            status => is.as_str(),
            was => reader.say(&format!("status.{}", was.as_str()))?,
            is => reader.say(&format!("status.{}", is.as_str()))?,
            // Whatever is done is due no more.
            due => task.due_at.filter(|_| *is != TaskStatus::Completed).map(|at| reader.long(at)).transpose()?,
        },
        Topic::TaskReminder { tasks } => {
            // Nothing to say should have been noticed before; a mail about nothing helps nobody.
            if tasks.items.is_empty() {
                return Err(RenderError("a reminder of no task".to_owned()));
            }
            context! { tasks => listed(tasks, reader, |task| open_task(task, links, false, reader))? }
        }
        Topic::DailySummary(digest) => daily_summary(digest, links, reader)?,
        Topic::ServerAlert { since, problems, areas } => context! {
            problems,
            areas => areas.iter().map(|area| area.as_str()).collect::<Vec<_>>(),
            since => reader.long(*since)?,
            until => None::<String>,
        },
        Topic::ServerRecovery { since, until, problems } => {
            context! { problems, since => reader.long(*since)?, until => reader.long(*until)? }
        }
        Topic::TaskDue { task, due_at } => context! {
            title => task.title.as_str(),
            description => task.description.as_ref().map(Description::as_str),
            due => reader.long(*due_at)?,
            relative => reader.relative(*due_at)?,
            timing => reader.timing(*due_at).as_str(),
            priority => reader.say(&format!("priority.{}", task.priority.as_str()))?,
        },
        Topic::MeetingInvite(invitation) | Topic::MeetingCancel(invitation) => about(invitation)?,
        Topic::MeetingChange { invitation, was } => context! {
            changes => meeting::changes(was, &invitation.meeting.facts(), reader)?,
            ..about(invitation)?
        },
        Topic::MeetingReminder { invitation, message } => context! { message, ..about(invitation)? },
        Topic::MeetingLeft(invitation) => context! { ..meeting::who_left(invitation), ..about(invitation)? },
        other => return Err(RenderError(format!("there are no templates for {}", other.kind()))),
    })
}

/// The parts of a day of which there is something to say: what hurts first, what is done last.
fn daily_summary(digest: &Digest, links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let part = |title: &str, list: Value, total| match total {
        0 => Ok(None),
        _ => Ok::<_, RenderError>(Some(context! { title => reader.count(title, total)?, ..list })),
    };
    let late = |task: &Task| open_task(task, links, true, reader);
    let open = |task: &Task| open_task(task, links, false, reader);
    let done = |task: &Task| {
        let url = url(task, links);
        Ok(context! { title => task.title.as_str(), about => None::<String>, url, is_late => false })
    };
    let today = |meeting: &Meeting| meeting_today(meeting, reader);
    let parts = [
        part("daily_summary.overdue", listed(&digest.overdue, reader, late)?, digest.overdue.total)?,
        part("daily_summary.meetings", listed(&digest.meetings, reader, today)?, digest.meetings.total)?,
        part("daily_summary.open", listed(&digest.open, reader, open)?, digest.open.total)?,
        part("daily_summary.done", listed(&digest.done, reader, done)?, digest.done.total)?,
    ];
    Ok(context! { day => reader.day(digest.date)?, parts => parts.into_iter().flatten().collect::<Vec<_>>() })
}

/// The first of many, and how many more there are in words.
fn listed<T>(
    excerpt: &Excerpt<T>,
    reader: &Reader<'_>,
    item: impl Fn(&T) -> Result<Value, RenderError>,
) -> Result<Value, RenderError> {
    let items = excerpt.items.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    let more = if excerpt.more() == 0 { None } else { Some(reader.count("more", excerpt.more())?) };
    Ok(context! { items, more, total => excerpt.total })
}

fn open_task(task: &Task, links: &LetterLinks, is_late: bool, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let due = match task.due_at {
        Some(due_at) => Some(format!("{}: {}", reader.say("fact.due")?, reader.in_list(due_at)?)),
        None => None,
    };
    // Only what is out of the ordinary; most are as usual.
    let priority = match task.priority {
        TaskPriority::Medium => None,
        priority => Some(reader.say(&format!("of_priority.{}", priority.as_str()))?),
    };
    let about = match (due, priority) {
        (Some(due), Some(priority)) => Some(format!("{due} · {priority}")),
        (due, priority) => due.or(priority),
    };
    Ok(context! { title => task.title.as_str(), about, url => url(task, links), is_late })
}

fn url<'a>(task: &Task, links: &'a LetterLinks) -> Option<&'a str> {
    links.tasks.get(&task.id).map(|links| links.open.as_str())
}

fn meeting_today(meeting: &Meeting, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let mut about = format!("{} · {}", reader.clock(meeting.starts_at)?, reader.lasts(meeting.duration.get())?);
    let place = meeting.location.as_ref().map(Location::as_str);
    if let Some(place) = place.or_else(|| meeting.meeting_url.as_ref().map(MeetingUrl::as_str)) {
        about = format!("{about} · {place}");
    }
    Ok(context! { title => meeting.title.as_str(), about, url => None::<String>, is_late => false })
}
