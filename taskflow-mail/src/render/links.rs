//! The signed links that templates know.

use minijinja::{Value, context};
use taskflow_core::{AnswerLinks, Letter, TaskActionLinks, TaskLinks};

/// The links of a letter; what it has none of is none.
pub(super) fn of(letter: &Letter) -> Value {
    let links = &letter.links;
    let answers = links.answers.as_ref();
    let answer = |url: fn(&AnswerLinks) -> &String| answers.map(url).map(String::as_str);
    // Only a letter about a single task offers to act on it.
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
