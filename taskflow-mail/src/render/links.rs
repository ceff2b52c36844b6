//! The signed links in templates.

use minijinja::{Value, context};
use taskflow_core::{AnswerLinks, MailLinks, TaskActionLinks, TaskLinks};

/// Returns the links of a mail. Those that it lacks are none.
pub(super) fn of(links: &MailLinks) -> Value {
    let answers = links.answers.as_ref();
    let answer = |url: fn(&AnswerLinks) -> &String| answers.map(url).map(String::as_str);
    // Of several tasks the links of the first are enough: templates use them for a single task only.
    let actions = links.tasks.values().find_map(|task: &TaskLinks| task.actions.as_ref());
    let action = |url: fn(&TaskActionLinks) -> &String| actions.map(url).map(String::as_str);
    context! {
        open => links.open.as_deref(),
        accept => answer(|answers| &answers.accept),
        maybe => answer(|answers| &answers.maybe),
        decline => answer(|answers| &answers.decline),
        done => action(|actions| &actions.done),
        snooze_hour => action(|actions| &actions.snooze_hour),
        snooze_tomorrow => action(|actions| &actions.snooze_tomorrow),
    }
}
