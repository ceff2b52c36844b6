//! Shared parts of mail about the tasks and the day of a user.

use crate::{Digest, Excerpt, Meeting, RenderInput, Task, Variable, Variables};

/// Returns an open task in a list.
pub(super) fn open_task<'a>(task: &'a Task, is_late: bool, input: &'a RenderInput) -> Variables<'a> {
    let links = input.links.tasks.get(&task.id);
    let done_url = links.and_then(|links| links.actions.as_ref()).map(|actions| actions.done.as_str());
    Variables::new()
        .with("title", task.title.as_str())
        .with("about", Variable::TaskSummary(task))
        .with("url", links.map(|links| links.open.as_str()))
        .with("done_url", done_url)
        .with("is_late", is_late)
}

/// Returns a completed task in a list.
pub(super) fn completed_task<'a>(task: &'a Task, input: &'a RenderInput) -> Variables<'a> {
    Variables::new()
        .with("title", task.title.as_str())
        .with("about", Variable::None)
        .with("url", input.links.tasks.get(&task.id).map(|links| links.open.as_str()))
        .with("is_late", false)
}

/// Returns a meeting in a list.
pub(super) fn meeting<'a>(meeting: &'a Meeting, input: &'a RenderInput) -> Variables<'a> {
    Variables::new()
        .with("title", meeting.title.as_str())
        .with("about", Variable::MeetingSummary(meeting))
        .with("url", input.links.meetings.get(&meeting.id))
        .with("is_late", false)
}

/// Returns the open tasks of a digest in parts: overdue, due on the day, due within the next seven days, and the rest.
pub(super) fn task_parts<'a>(digest: &'a Digest, input: &'a RenderInput) -> [Option<Variables<'a>>; 4] {
    let later = if digest.later.items.is_empty() && digest.later.total > 0 {
        // The rest is a number.
        let title = Variable::Count("digest.later", digest.later.total);
        let items = Variable::List(Vec::new());
        Some(Variables::new().with("title", title).with("items", items).with("more", Variable::None))
    } else {
        part("digest.open", &digest.later, |task| open_task(task, false, input))
    };
    [
        part("digest.overdue", &digest.overdue, |task| open_task(task, true, input)),
        part("digest.today", &digest.today, |task| open_task(task, false, input)),
        part("digest.week", &digest.week, |task| open_task(task, false, input)),
        later,
    ]
}

/// Returns a title with a number, and the things below it; `None` when there are none.
pub(super) fn part<'a, T>(
    title: &'static str,
    excerpt: &'a Excerpt<T>,
    item: impl Fn(&'a T) -> Variables<'a>,
) -> Option<Variables<'a>> {
    let items: Vec<_> = excerpt.items.iter().map(item).collect();
    let more = Some(excerpt.more()).filter(|more| *more > 0).map(|more| Variable::Count("more", more));
    (excerpt.total > 0).then(|| {
        Variables::new()
            .with("title", Variable::Count(title, excerpt.total))
            .with("items", items)
            .with("more", more)
            .with("total", excerpt.total)
    })
}
