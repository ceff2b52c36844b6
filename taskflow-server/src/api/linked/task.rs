//! A task as a page.

use minijinja::{Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{LinkedTask, Snooze, TaskAction, TaskStatus, Timestamp};
use taskflow_mail::PageWords;

use super::Action;
use crate::api::html::{self, Page};

/// The result of a button that was just pressed, as the page shows it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// None was.
    None,
    /// The action is saved.
    Saved {
        /// The action that was taken.
        action: Action,
        /// The status before.
        before: TaskStatus,
    },
}

/// The task as it is at `now`, with buttons for what can be done about it.
pub(super) fn render(page: &LinkedTask, now: Timestamp, word: Word) -> Page {
    let words = html::words(&page.locale, &page.time_zone, now);
    Page::rendered(rendered(page, now, word, &words))
}

fn rendered(page: &LinkedTask, now: Timestamp, word: Word, words: &PageWords<'_>) -> Result<String, RenderError> {
    let LinkedTask { task, .. } = page;
    let say = |key: &str| words.say(key, &[]);
    let title = task.title.as_str();
    let is_done = task.status == TaskStatus::Completed;
    let can_snooze = !is_done && task.due_at.is_some();
    let chosen = match (word, page.action) {
        (Word::None, TaskAction::Complete) if !is_done => Some(Action::Done),
        (Word::None, TaskAction::Snooze(snooze)) if can_snooze => Some(Action::Snooze(snooze)),
        _ => None,
    };
    let heading = match chosen {
        Some(Action::Done) => words.say("page.task.done_title", &[("title", title)])?,
        Some(Action::Snooze(_)) => words.say("page.task.snooze_title", &[("title", title)])?,
        _ => title.to_owned(),
    };
    let snoozed = page.snoozed_until.map(|until| words.long(until)).transpose()?;
    let mut buttons: Vec<(Action, Value)> = Vec::new();
    let mut add = |action: Action, key: &str, primary: bool| {
        buttons.push((action, context! { value => action.as_str(), label => say(key)?, primary }));
        Ok::<(), RenderError>(())
    };
    if !is_done {
        let is_chosen = |action| chosen == Some(action);
        let done = if is_chosen(Action::Done) { "page.task.confirm_done" } else { "action.done" };
        let nothing_chosen = chosen.is_none() && matches!(word, Word::None);
        add(Action::Done, done, is_chosen(Action::Done) || nothing_chosen)?;
        for (snooze, word, confirm) in [
            (Snooze::OneHour, "action.snooze_hour", "page.task.confirm_hour"),
            (Snooze::TomorrowMorning, "action.snooze_tomorrow", "page.task.confirm_tomorrow"),
        ] {
            let action = Action::Snooze(snooze);
            if can_snooze {
                add(action, if is_chosen(action) { confirm } else { word }, is_chosen(action))?;
            }
        }
    }
    if page.snoozed_until.is_some() {
        let just_now = matches!(word, Word::Saved { action: Action::Snooze(_), .. });
        add(Action::Unsnooze, if just_now { "page.undo" } else { "page.task.unsnooze" }, false)?;
    }
    let was_done_here = matches!(word, Word::Saved { action: Action::Done, before } if before != TaskStatus::Completed);
    if was_done_here {
        add(Action::Reopen, "page.undo", false)?;
    }
    buttons.sort_by_key(|(action, _)| Some(*action) != chosen);
    let note = match word {
        Word::None => None,
        Word::Saved { action, .. } => {
            let (title, text) = match (action, &snoozed) {
                (Action::Done, _) => ("page.saved", say("page.task.saved_done")?),
                (Action::Reopen, _) => ("page.saved", say("page.task.saved_open")?),
                (Action::Snooze(_), Some(when)) => {
                    ("page.saved", words.say("page.task.saved_snooze", &[("when", when)])?)
                }
                (Action::Snooze(_), None) if is_done => ("page.nothing_changed", say("page.task.is_done")?),
                (Action::Snooze(_), None) => ("page.nothing_changed", say("page.task.no_snooze")?),
                (Action::Unsnooze, _) => ("page.saved", say("page.task.saved_unsnooze")?),
            };
            Some(context! { title => say(title)?, text })
        }
    };
    let hint = match (chosen, page.action) {
        (Some(_), _) => Some(say("page.answer.confirm_hint")?),
        (None, TaskAction::Snooze(_)) if !is_done && task.due_at.is_none() => Some(say("page.task.no_snooze")?),
        _ => None,
    };
    let values = context! {
        note,
        due => task.due_at.map(|due_at| words.long(due_at)).transpose()?,
        is_late => task.is_overdue(now),
        status => say(&format!("status.{}", task.status.as_str()))?,
        priority => say(&format!("priority.{}", task.priority.as_str()))?,
        description => task.description.as_ref().map(taskflow_core::Description::as_str),
        snoozed => snoozed.map(|when| words.say("page.task.snoozed", &[("when", &when)])).transpose()?,
        is_done,
        hint,
        undo_status => was_done_here.then(|| match word {
            Word::Saved { before, .. } => before.as_str(),
            Word::None => TaskStatus::Pending.as_str(),
        }),
        buttons => buttons.into_iter().map(|(_, button)| button).collect::<Vec<_>>(),
    };
    words.render("task", &heading, &values)
}
