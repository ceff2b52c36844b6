//! A day as a page.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{Excerpt, LinkedDay, Task, Timestamp};
use taskflow_mail::PageWords;

use crate::api::html::{self, Page};

/// Renders the day, with a link to each task and meeting.
pub(super) fn render(page: &LinkedDay, now: Timestamp) -> Page {
    let words = html::words(&page.user.locale, &page.user.time_zone, now);
    Page::rendered(rendered(page, &words))
}

fn rendered(page: &LinkedDay, words: &PageWords<'_>) -> Result<String, RenderError> {
    let digest = &page.digest;
    let meetings = digest.meetings.items.iter().map(|meeting| {
        let url = page.links.meetings.get(&meeting.id);
        Ok(context! { title => meeting.title.as_str(), about => words.about_meeting(meeting)?, url, is_late => false })
    });
    let meetings = meetings.collect::<Result<Vec<_>, RenderError>>()?;
    let later = match digest.later.items.is_empty() {
        false => part("digest.open", &digest.later, tasks(&digest.later, false, page, words)?, words)?,
        // The rest is a number.
        true => part("digest.later", &digest.later, Vec::new(), words)?,
    };
    let parts = [
        part("digest.overdue", &digest.overdue, tasks(&digest.overdue, true, page, words)?, words)?,
        part("digest.today", &digest.today, tasks(&digest.today, false, page, words)?, words)?,
        part("digest.meetings", &digest.meetings, meetings, words)?,
        part("digest.week", &digest.week, tasks(&digest.week, false, page, words)?, words)?,
        later,
    ];
    let day = words.day(digest.date)?;
    let title = words.say("page.day.title", &[("day", &day)])?;
    words.render("day", &title, &context! { parts => parts.into_iter().flatten().collect::<Vec<_>>() })
}

fn tasks(
    tasks: &Excerpt<Task>,
    is_late: bool,
    page: &LinkedDay,
    words: &PageWords<'_>,
) -> Result<Vec<Value>, RenderError> {
    let one = |task: &Task| {
        let about = words.about_task(task)?;
        let url = page.links.tasks.get(&task.id).map(|links| links.open.as_str());
        Ok(context! { title => task.title.as_str(), about, url, is_late })
    };
    tasks.items.iter().map(one).collect()
}

/// A part of the day, unless there is nothing in it.
fn part<T>(
    title: &str,
    all: &Excerpt<T>,
    items: Vec<Value>,
    words: &PageWords<'_>,
) -> Result<Option<Value>, RenderError> {
    if all.total == 0 {
        return Ok(None);
    }
    let count = |key: &str, count: u64| words.say(key, &[("count", &count.to_string())]);
    let more = if all.more() > 0 && !items.is_empty() { Some(count("more", all.more())?) } else { None };
    Ok(Some(context! { title => count(title, all.total)?, items, more }))
}
