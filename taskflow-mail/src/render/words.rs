//! What the templates of each topic know.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{
    Comment, DeliveryProblem, Description, Digest, Excerpt, Invitation, LetterLinks, Location, Meeting, MeetingUrl,
    NoticeContent, Task, TaskPriority, TaskStatus, Timestamp,
};

use super::reader::Reader;
use super::{custom, meeting};

/// The variables of a topic; see [`Templates`](super::Templates) for what they mean.
pub(super) fn of(topic: &NoticeContent, links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let about = |invitation: &Invitation| meeting::words(invitation, None, reader);
    Ok(match topic {
        NoticeContent::Welcome { verify_url } => context! { verify_url },
        NoticeContent::VerifyEmail { url, expires_at } | NoticeContent::PasswordReset { url, expires_at } => {
            context! { url, until => reader.long(*expires_at)? }
        }
        NoticeContent::PasswordChanged { at } => context! { when => reader.long(*at)? },
        NoticeContent::TaskStatus { task, was, is } => context! {
            title => task.title.as_str(),
            status => is.as_str(),
            was => reader.say(&format!("status.{}", was.as_str()))?,
            is => reader.say(&format!("status.{}", is.as_str()))?,
            // Whatever is done is due no more.
            due => task.due_at.filter(|_| *is != TaskStatus::Completed).map(|at| long(task, at, reader)).transpose()?,
        },
        NoticeContent::TaskReminder(digest) => {
            // Nothing to say should have been noticed before; a mail about nothing helps nobody.
            let Some(first) = digest.first_task() else { return Err(RenderError("a reminder of no task".to_owned())) };
            let parts = task_parts(digest, links, reader)?.into_iter().flatten().collect::<Vec<_>>();
            let next: Vec<_> =
                digest.tasks().into_iter().take(3).map(|task| Value::from(task.title.as_str())).collect();
            context! { first => first.title.as_str(), next, total => digest.open(), parts }
        }
        NoticeContent::DailySummary(digest) => daily_summary(digest, links, reader)?,
        NoticeContent::ServerAlert { since, problems, areas } => context! {
            problems,
            areas => areas.iter().map(|area| area.as_str()).collect::<Vec<_>>(),
            since => reader.long(*since)?,
            until => None::<String>,
        },
        NoticeContent::ServerRecovery { since, until, problems } => {
            context! { problems, since => reader.long(*since)?, until => reader.long(*until)? }
        }
        NoticeContent::TaskDue { task, others, .. } if !others.is_empty() => several(task, others, links, reader)?,
        NoticeContent::TaskDue { task, due_at, .. } => context! {
            others => Vec::<Value>::new(),
            title => task.title.as_str(),
            description => task.description.as_ref().map(Description::as_str),
            due => long(task, *due_at, reader)?,
            relative => relative(task, *due_at, reader)?,
            timing => reader.timing(*due_at).as_str(),
            priority => reader.say(&format!("priority.{}", task.priority.as_str()))?,
        },
        NoticeContent::MeetingInvite(invitation) | NoticeContent::MeetingCancel(invitation) => about(invitation)?,
        NoticeContent::MeetingChange { invitation, was } => meeting::words(invitation, Some(was), reader)?,
        NoticeContent::MeetingReminder { invitation, message } => context! { message, ..about(invitation)? },
        NoticeContent::MeetingLeft(invitation) => context! { ..meeting::who(invitation), ..about(invitation)? },
        NoticeContent::MeetingProposal { invitation, starts_at } => context! {
            proposed => starts_at.map(|at| reader.long(at)).transpose()?,
            comment => invitation.participant.comment.as_ref().map(Comment::as_str),
            ..context! { ..meeting::who(invitation), ..about(invitation)? }
        },
        NoticeContent::MeetingUndelivered(invitation) => context! {
            ..undelivered(invitation.participant.delivery_problem.as_ref(), reader)?,
            ..context! { ..meeting::who(invitation), ..about(invitation)? }
        },
        NoticeContent::Custom(content) => custom::fields(&content.fields),
        other => return Err(RenderError(format!("there are no templates for {}", other.kind()))),
    })
}

/// A reminder of several tasks, soonest first.
fn several(task: &Task, others: &[Task], links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let mut all: Vec<&Task> = std::iter::once(task).chain(others).collect();
    all.sort_by_key(|task| task.due_at);
    let late = |task: &Task| task.due_at.is_some_and(|at| at < reader.date);
    let items = all.iter().map(|task| open_task(task, links, late(task), reader));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Ok(context! { title => all.first().map(|task| task.title.as_str()), count => all.len(), others => items })
}

/// The parts of a day of which there is something to say, in the order in which they are read.
fn daily_summary(digest: &Digest, links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let today = |meeting: &Meeting| meeting_today(meeting, links, reader);
    let done = |task: &Task| {
        let url = url(task, links);
        Ok(context! { title => task.title.as_str(), about => None::<String>, url, is_late => false })
    };
    let meetings = part("digest.meetings", &digest.meetings, reader, today)?;
    let done = part("digest.done", &digest.done, reader, done)?;
    let [overdue, due_today, week, later] = task_parts(digest, links, reader)?;
    let parts = [overdue, due_today, meetings, week, later, done];
    Ok(context! { day => reader.day(digest.date)?, parts => parts.into_iter().flatten().collect::<Vec<_>>() })
}

/// What is overdue, due today, due within the next seven days, and the rest.
fn task_parts(digest: &Digest, links: &LetterLinks, reader: &Reader<'_>) -> Result<[Option<Value>; 4], RenderError> {
    let open = |task: &Task| open_task(task, links, false, reader);
    let later = match digest.later.items.is_empty() {
        false => part("digest.open", &digest.later, reader, open)?,
        // The rest is a number.
        true if digest.later.total > 0 => {
            let title = reader.count("digest.later", digest.later.total)?;
            Some(context! { title, items => Vec::<Value>::new(), more => None::<String> })
        }
        true => None,
    };
    Ok([
        part("digest.overdue", &digest.overdue, reader, |task| open_task(task, links, true, reader))?,
        part("digest.today", &digest.today, reader, open)?,
        part("digest.week", &digest.week, reader, open)?,
        later,
    ])
}

/// A headline with a number, and the things below it; nothing when there are none.
fn part<T>(
    title: &str,
    excerpt: &Excerpt<T>,
    reader: &Reader<'_>,
    item: impl Fn(&T) -> Result<Value, RenderError>,
) -> Result<Option<Value>, RenderError> {
    match excerpt.total {
        0 => Ok(None),
        total => Ok(Some(context! { title => reader.count(title, total)?, ..listed(excerpt, reader, item)? })),
    }
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

/// When a task is due: a day alone, or a time.
fn long(task: &Task, due_at: Timestamp, reader: &Reader<'_>) -> Result<String, RenderError> {
    task.due_on.map_or_else(|| reader.long(due_at), |day| reader.day(day))
}

fn in_list(task: &Task, due_at: Timestamp, reader: &Reader<'_>) -> Result<String, RenderError> {
    task.due_on.map_or_else(|| reader.in_list(due_at), |day| reader.day(day))
}

fn relative(task: &Task, due_at: Timestamp, reader: &Reader<'_>) -> Result<String, RenderError> {
    match task.due_on {
        Some(day) => reader.on_day(day),
        None => reader.relative(due_at),
    }
}

fn open_task(task: &Task, links: &LetterLinks, is_late: bool, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let actions = links.tasks.get(&task.id).and_then(|links| links.actions.as_ref());
    let done_url = actions.map(|actions| actions.done.as_str());
    let about = about_task(task, reader)?;
    Ok(context! { title => task.title.as_str(), about, url => url(task, links), done_url, is_late })
}

/// When a task of a list is due, and its priority where that is out of the ordinary; most are as usual.
pub(super) fn about_task(task: &Task, reader: &Reader<'_>) -> Result<Option<String>, RenderError> {
    let due = match task.due_at {
        Some(due_at) => Some(format!("{}: {}", reader.say("fact.due")?, in_list(task, due_at, reader)?)),
        None => None,
    };
    let priority = match task.priority {
        TaskPriority::Medium => None,
        priority => Some(reader.say(&format!("of_priority.{}", priority.as_str()))?),
    };
    Ok(match (due, priority) {
        (Some(due), Some(priority)) => Some(format!("{due} · {priority}")),
        (due, priority) => due.or(priority),
    })
}

fn url<'a>(task: &Task, links: &'a LetterLinks) -> Option<&'a str> {
    links.tasks.get(&task.id).map(|links| links.open.as_str())
}

fn meeting_today(meeting: &Meeting, links: &LetterLinks, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let (about, url) = (about_meeting(meeting, reader)?, links.meetings.get(&meeting.id));
    Ok(context! { title => meeting.title.as_str(), about, url, is_late => false })
}

/// When and where a meeting of today is.
pub(super) fn about_meeting(meeting: &Meeting, reader: &Reader<'_>) -> Result<String, RenderError> {
    let about = format!("{} · {}", reader.clock(meeting.starts_at)?, reader.lasts(meeting.duration.get())?);
    let place = meeting.location.as_ref().map(Location::as_str);
    let place = place.or_else(|| meeting.meeting_url.as_ref().map(MeetingUrl::as_str));
    Ok(place.map_or_else(|| about.clone(), |place| format!("{about} · {place}")))
}

/// Why mail did not arrive: what its code means in `meaning`, and in `problem` what the server said beside that.
fn undelivered(problem: Option<&DeliveryProblem>, reader: &Reader<'_>) -> Result<Value, RenderError> {
    let said = problem.map(DeliveryProblem::as_str);
    let meaning = said.map(|said| meaning(said, reader)).transpose()?.flatten();
    let problem = said.filter(|said| meaning.is_none() || !is_bare_code(said));
    Ok(context! { meaning, problem })
}

/// What the enhanced status code (RFC 3463) in the words of a mail server means, if it is one of the usual ones.
fn meaning(problem: &str, reader: &Reader<'_>) -> Result<Option<String>, RenderError> {
    let words = problem.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_end_matches('.'));
    for code in words {
        let Some((_, detail)) = code.split_once('.').filter(|(class, _)| matches!(*class, "4" | "5")) else { continue };
        let key = match detail {
            "1.1" | "1.0" => "no_mailbox",
            "1.2" => "no_domain",
            "1.3" => "bad_address",
            "1.6" => "moved",
            // RFC 7505
            "1.10" => "no_mail_here",
            "2.1" => "disabled",
            "2.2" => "full",
            "2.3" | "3.4" => "too_big",
            "4.1" | "4.3" | "4.4" => "unreachable",
            "4.7" => "too_late",
            "7.0" | "7.1" => "refused",
            _ => continue,
        };
        return reader.words.say(&format!("undelivered.{key}"), &[("code", code)]).map(Some);
    }
    Ok(None)
}

/// Whether somebody who knows what the codes mean reads nothing else in the words of a mail server.
fn is_bare_code(problem: &str) -> bool {
    !problem.contains(|c: char| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogues;
    use super::super::shipped::WORDS;
    use super::*;

    #[test]
    fn the_usual_codes_of_mail_servers_are_said_in_words() {
        let catalogues = Catalogues::read(WORDS.iter().map(|(tag, text)| (*tag, *tag, *text))).expect("words");
        let zone = taskflow_core::Zone::utc();
        for (locale, said, expected) in [
            ("en", "5.1.1", Some("There is no such mailbox (5.1.1).")),
            ("de", "550 5.1.1 no such user", Some("Dieses Postfach gibt es nicht (5.1.1).")),
            ("en", "552-5.2.2 <a@example.org>: over quota", Some("The mailbox is full (5.2.2).")),
            ("en", "smtp; 550 5.1.10 RESOLVER.ADR", Some("The domain of the address takes no email (5.1.10).")),
            ("en", "host 192.5.1.1 said: no", None),
            ("en", "5.9.9", None),
            ("en", "no such user", None),
        ] {
            let words = catalogues.closest(&locale.parse().expect("a tag")).expect("words");
            let reader = Reader { words, zone: &zone, date: Timestamp::from_micros(0) };
            assert_eq!(meaning(said, &reader).expect("words").as_deref(), expected, "{said}");
        }
    }

    #[test]
    fn what_a_server_says_beside_its_code_is_kept() {
        assert!(is_bare_code("5.1.1") && is_bare_code("550 5.1.1") && !is_bare_code("550 5.1.1 no such user"));
    }
}
